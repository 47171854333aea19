"""What the loop and its callbacks need of a trainer, without knowing the class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from fastmlp.base.validation import Array
from fastmlp.networks.base import Network
from fastmlp.training.data import Data, Parts
from fastmlp.training.history import History


class TrainerLike(Protocol):
    """A network, its optimizer and loss: checks data, makes epochs, evaluates."""

    net: Network
    optimizer: Any
    penalties: list[Any]
    epochs_done: int
    history: History

    @property
    def lr(self) -> float:
        """Learning rate between steps; a callback may set it."""

    @lr.setter
    def lr(self, value: float) -> None: ...

    @property
    def score_name(self) -> str:
        """The measure that is reported on validation data."""

    def checked_data(self, x: Any, y: Any, sample_weight: Any, check_finite: bool = False) -> Data:
        """Check and convert rows, targets and weights."""

    def epoch(self, data: Data, order: Array | None, batch_size: int, rates: Array) -> float:
        """Make one epoch's steps and return the mean loss."""

    def evaluate(self, data: Data) -> tuple[float, float]:
        """Return loss and score of the predictions."""

    def minimize(self, data: Parts, iterations: int, on_iteration: Callable[[float], None]) -> Any:
        """Run L-BFGS."""

    def describe(self) -> dict[str, Any]:
        """Describe optimizer, losses and penalties."""

    def state_dict(self) -> dict[str, Any]:
        """Return what training depends on besides the parameters."""

    def load_state_dict(self, state: Any) -> None:
        """Take it back."""
