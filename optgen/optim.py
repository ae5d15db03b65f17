"""The prebuilt optimizers, for `from optgen.optim import AdamW`. Needs torch, neither SymPy nor Jinja."""

from optgen._generated.pytorch.adagrad import Adagrad
from optgen._generated.pytorch.adam import Adam
from optgen._generated.pytorch.adamw import AdamW
from optgen._generated.pytorch.lion import Lion
from optgen._generated.pytorch.rmsprop import RMSprop
from optgen._generated.pytorch.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Lion", "RMSprop"]
