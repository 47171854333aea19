"""Losses, their scores, and penalties on weights."""

from fastmlp.losses import actors, builtin, penalties, returns
from fastmlp.losses.actors import *  # noqa: F403
from fastmlp.losses.base import Loss
from fastmlp.losses.builtin import *  # noqa: F403  (each module lists its classes)
from fastmlp.losses.penalties import *  # noqa: F403
from fastmlp.losses.returns import *  # noqa: F403

__all__ = ["Loss"]
__all__ += actors.__all__
__all__ += builtin.__all__
__all__ += penalties.__all__
__all__ += returns.__all__
