"""What changes from step to step of a fit: the learning rate, and other settings by name.

=====================  ================================================================
``"weight_decay"``     a value, from the optimizer's own
``"label_smoothing"``  a value, from that of the (first) ``CrossEntropyLoss``, for all
``"dropout"``          a factor of each ``Dropout`` layer's ``p``, from 1
=====================  ================================================================

A schedule gets where a setting starts as the ``lr`` of its ``rates``, so every schedule of learning
rates is also one of these. Validation always uses the loss's own label smoothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.optim.schedules import Schedule

if TYPE_CHECKING:
    from fastmlp.training.protocol import TrainerLike

SETTINGS = ("weight_decay", "dropout", "label_smoothing")


class Setting(NamedTuple):
    """Where a schedule of a setting starts, and what it may give: at most ``most / per_unit``."""

    start: float
    most: float = math.inf
    per_unit: float = 1.0

    def holds(self, values: Array) -> bool:
        """Whether all values are allowed."""
        fine = np.isfinite(values) & (values >= 0.0) & (values * self.per_unit <= self.most)
        return bool(fine.all())

    def wanted(self) -> str:
        """What an error says that it wants."""
        return ">= 0" if self.most == math.inf else f"from 0 to {self.most / self.per_unit:.6g}"


class Schedules:
    """The schedules of one fit by setting; that of the learning rate is ``"lr"``."""

    def __init__(self, trainer: TrainerLike, schedule: Any, others: Any) -> None:
        self._trainer = trainer
        self.parts: dict[str, Schedule] = {}
        if schedule is not None:
            self.parts["lr"] = _checked(schedule, "schedule", trainer)
        wanted = f"a dict of schedules for {', '.join(SETTINGS)}"
        given = {} if others is None else check.mapping(others, "schedules", wanted)
        for name, one in given.items():
            if name == "lr":
                raise ArgumentError("schedules: got 'lr'; want it as schedule=")
            if name not in SETTINGS:
                raise ArgumentError(f"schedules: got {check.shown(name)}; want {wanted}")
            self.parts[name] = _checked(one, f"schedules[{name!r}]", trainer)
            self._setting(name)

    @property
    def others(self) -> dict[str, Schedule]:
        """All but that of the learning rate."""
        return {name: one for name, one in self.parts.items() if name != "lr"}

    def start(self) -> None:
        """Tell them that a fit begins."""
        for one in self.parts.values():
            one.start()

    def observe(self, loss: float) -> None:
        """Tell them the loss of an epoch."""
        for one in self.parts.values():
            one.observe(loss)

    def values(self, name: str, epoch: int, epochs: int, steps: int) -> Array:
        """Return a setting at each step of an epoch."""
        setting = self._setting(name)
        if name not in self.parts:
            return np.full(steps, setting.start)
        one, what = self.parts[name], "schedule" if name == "lr" else f"schedules[{name!r}]"
        found = one.rates(setting.start, epoch, epochs, steps)
        values = check.real_array(found, f"{what}.rates", check.FLOAT64)
        if values.shape != (steps,) or not setting.holds(values):
            raise ArgumentError(
                f"{what}: got {values!r} from {one!r}; want {steps} finite rates {setting.wanted()}"
            )
        return values

    def _setting(self, name: str) -> Setting:
        return Setting(self._trainer.lr) if name == "lr" else self._trainer.setting(name)


def _checked(schedule: Any, name: str, trainer: TrainerLike) -> Schedule:
    if not isinstance(schedule, Schedule):
        raise ArgumentTypeError(
            f"{name}: got {check.shown(schedule)}; want a schedule, such as CosineLR()"
        )
    if isinstance(trainer.optimizer, LBFGS):
        raise ArgumentError(f"{name}: LBFGS has no learning rate and no steps; leave it out")
    return schedule
