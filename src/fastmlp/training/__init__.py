"""Training: trainers, the loop over the epochs, callbacks, checkpoints, gradient checks."""

from fastmlp.training.averaging import EMA
from fastmlp.training.callbacks import Checkpoint
from fastmlp.training.curvature import gradient_norms, hvp
from fastmlp.training.early_stopping import EarlyStopping
from fastmlp.training.fit import fit
from fastmlp.training.gradcheck import gradcheck
from fastmlp.training.history import FitState, History
from fastmlp.training.loggers import CSVLogger, JSONLogger, PythonLogger, TensorBoardLogger
from fastmlp.training.lr_finder import LRFinder, find_lr
from fastmlp.training.many import FitJob, fit_many
from fastmlp.training.member_stopping import MemberStopping
from fastmlp.training.members import Members
from fastmlp.training.progress import ProgressBar
from fastmlp.training.trainer import Trainer

__all__ = [
    "EMA",
    "CSVLogger",
    "Checkpoint",
    "EarlyStopping",
    "FitJob",
    "FitState",
    "History",
    "JSONLogger",
    "LRFinder",
    "MemberStopping",
    "Members",
    "ProgressBar",
    "PythonLogger",
    "TensorBoardLogger",
    "Trainer",
    "find_lr",
    "fit",
    "fit_many",
    "gradcheck",
    "gradient_norms",
    "hvp",
]
