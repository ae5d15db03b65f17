"""The prebuilt optimizers, for `from optgen.optim import AdamW`. Needs torch, neither SymPy nor Jinja."""

from optgen._generated.pytorch.adadelta import Adadelta
from optgen._generated.pytorch.adagrad import Adagrad
from optgen._generated.pytorch.adam import Adam
from optgen._generated.pytorch.adamax import Adamax
from optgen._generated.pytorch.adamw import AdamW
from optgen._generated.pytorch.adan import Adan
from optgen._generated.pytorch.ademamix import AdEMAMix
from optgen._generated.pytorch.adopt import ADOPT
from optgen._generated.pytorch.asgd import ASGD
from optgen._generated.pytorch.lion import Lion
from optgen._generated.pytorch.nadam import NAdam
from optgen._generated.pytorch.radam import RAdam
from optgen._generated.pytorch.rmsprop import RMSprop
from optgen._generated.pytorch.rprop import Rprop
from optgen._generated.pytorch.sgd import SGD
from optgen._generated.pytorch.signum import Signum
from optgen._generated.pytorch.tiger import Tiger

__all__ = [
    "ADOPT", "ASGD", "SGD", "AdEMAMix", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Adan", "Lion", "NAdam",
    "RAdam", "RMSprop", "Rprop", "Signum", "Tiger",
]
