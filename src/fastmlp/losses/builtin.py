"""All losses of the core, by kind."""

from __future__ import annotations

from fastmlp.losses import classes, density, policy, regression, similarity, values
from fastmlp.losses.classes import *  # noqa: F403  (each module lists its classes)
from fastmlp.losses.density import *  # noqa: F403
from fastmlp.losses.policy import *  # noqa: F403
from fastmlp.losses.regression import *  # noqa: F403
from fastmlp.losses.similarity import *  # noqa: F403
from fastmlp.losses.values import *  # noqa: F403

__all__: list[str] = []
__all__ += classes.__all__
__all__ += density.__all__
__all__ += policy.__all__
__all__ += regression.__all__
__all__ += similarity.__all__
__all__ += values.__all__
