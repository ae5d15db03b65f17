"""The prebuilt optimizers, for `from optgen.optim import AdamW`. Needs torch, neither SymPy nor Jinja."""

from optgen._generated.pytorch.adabelief import AdaBelief
from optgen._generated.pytorch.adabound import AdaBound
from optgen._generated.pytorch.adadelta import Adadelta
from optgen._generated.pytorch.adafactor import Adafactor
from optgen._generated.pytorch.adafactorhf import AdafactorHF
from optgen._generated.pytorch.adagrad import Adagrad
from optgen._generated.pytorch.adam import Adam
from optgen._generated.pytorch.adam8bit import Adam8bit
from optgen._generated.pytorch.adamax import Adamax
from optgen._generated.pytorch.adammini import AdamMini
from optgen._generated.pytorch.adamw import AdamW
from optgen._generated.pytorch.adamw4bit import AdamW4bit
from optgen._generated.pytorch.adamw8bit import AdamW8bit
from optgen._generated.pytorch.adamwbf16 import AdamWBF16
from optgen._generated.pytorch.adamwfp8 import AdamWFp8
from optgen._generated.pytorch.adan import Adan
from optgen._generated.pytorch.ademamix import AdEMAMix
from optgen._generated.pytorch.adopt import ADOPT
from optgen._generated.pytorch.aggmo import AggMo
from optgen._generated.pytorch.asgd import ASGD
from optgen._generated.pytorch.cautiousadamw import CautiousAdamW
from optgen._generated.pytorch.diffgrad import DiffGrad
from optgen._generated.pytorch.lamb import LAMB
from optgen._generated.pytorch.laprop import LaProp
from optgen._generated.pytorch.lars import LARS
from optgen._generated.pytorch.lion import Lion
from optgen._generated.pytorch.lion8bit import Lion8bit
from optgen._generated.pytorch.mars import MARS
from optgen._generated.pytorch.muon import Muon
from optgen._generated.pytorch.nadam import NAdam
from optgen._generated.pytorch.nadamw import NAdamW
from optgen._generated.pytorch.prodigy import Prodigy
from optgen._generated.pytorch.qhadam import QHAdam
from optgen._generated.pytorch.radam import RAdam
from optgen._generated.pytorch.rmsprop import RMSprop
from optgen._generated.pytorch.rmsproptf import RMSpropTF
from optgen._generated.pytorch.rprop import Rprop
from optgen._generated.pytorch.schedulefreeadamw import ScheduleFreeAdamW
from optgen._generated.pytorch.schedulefreesgd import ScheduleFreeSGD
from optgen._generated.pytorch.sgd import SGD
from optgen._generated.pytorch.sgdw import SGDW
from optgen._generated.pytorch.signum import Signum
from optgen._generated.pytorch.sophia import Sophia
from optgen._generated.pytorch.stableadamw import StableAdamW
from optgen._generated.pytorch.tiger import Tiger
from optgen._generated.pytorch.yogi import Yogi

__all__ = [
    "ADOPT", "ASGD", "LAMB", "LARS", "MARS", "SGD", "SGDW", "AdEMAMix", "AdaBelief", "AdaBound", "Adadelta",
    "Adafactor", "AdafactorHF", "Adagrad", "Adam", "Adam8bit", "AdamMini", "AdamW", "AdamW4bit", "AdamW8bit",
    "AdamWBF16", "AdamWFp8", "Adamax", "Adan", "AggMo", "CautiousAdamW", "DiffGrad", "LaProp", "Lion", "Lion8bit",
    "Muon", "NAdam", "NAdamW", "Prodigy", "QHAdam", "RAdam", "RMSprop", "RMSpropTF", "Rprop", "ScheduleFreeAdamW",
    "ScheduleFreeSGD", "Signum", "Sophia", "StableAdamW", "Tiger", "Yogi",
]
