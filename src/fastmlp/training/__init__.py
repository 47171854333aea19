"""Training: trainers, the loop over the epochs, callbacks, checkpoints, gradient checks."""

from fastmlp.training.callbacks import Checkpoint, ProgressBar
from fastmlp.training.early_stopping import EarlyStopping
from fastmlp.training.fit import fit
from fastmlp.training.gradcheck import gradcheck
from fastmlp.training.history import FitState, History
from fastmlp.training.member_stopping import MemberStopping
from fastmlp.training.members import Members
from fastmlp.training.trainer import Trainer

__all__ = [
    "Checkpoint",
    "EarlyStopping",
    "FitState",
    "History",
    "MemberStopping",
    "Members",
    "ProgressBar",
    "Trainer",
    "fit",
    "gradcheck",
]
