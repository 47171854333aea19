"""Optimizers and learning-rate schedules."""

from fastmlp.optim import first_order, lbfgs, schedules
from fastmlp.optim.base import Optimizer
from fastmlp.optim.first_order import *  # noqa: F403  (each module lists its classes)
from fastmlp.optim.lbfgs import *  # noqa: F403
from fastmlp.optim.schedules import *  # noqa: F403

__all__ = ["Optimizer"]
__all__ += first_order.__all__
__all__ += lbfgs.__all__
__all__ += schedules.__all__
