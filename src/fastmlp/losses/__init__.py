"""Losses, their scores, and penalties on weights."""

from fastmlp.losses import (
    actors,
    classes,
    density,
    penalties,
    policy,
    regression,
    returns,
    similarity,
    values,
)
from fastmlp.losses.actors import *  # noqa: F403
from fastmlp.losses.base import Loss
from fastmlp.losses.classes import *  # noqa: F403
from fastmlp.losses.density import *  # noqa: F403
from fastmlp.losses.penalties import *  # noqa: F403
from fastmlp.losses.policy import *  # noqa: F403
from fastmlp.losses.regression import *  # noqa: F403
from fastmlp.losses.returns import *  # noqa: F403
from fastmlp.losses.similarity import *  # noqa: F403
from fastmlp.losses.values import *  # noqa: F403

__all__ = ["Loss"]
__all__ += actors.__all__
__all__ += classes.__all__
__all__ += density.__all__
__all__ += penalties.__all__
__all__ += policy.__all__
__all__ += regression.__all__
__all__ += returns.__all__
__all__ += similarity.__all__
__all__ += values.__all__
