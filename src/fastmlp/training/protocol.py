"""The protocol of a trainer, for the loop and the callbacks, which do not import the class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from fastmlp.base.validation import Array
from fastmlp.networks.base import Network
from fastmlp.training.data import Data
from fastmlp.training.history import History
from fastmlp.training.objective import Evaluation
from fastmlp.training.schedules import Setting


class TrainerLike(Protocol):
    """A network with an optimizer and a loss; checks data, trains epochs, evaluates."""

    epochs_done: int
    history: History

    @property
    def net(self) -> Network:
        """The network."""

    @property
    def optimizer(self) -> Any:
        """The optimizer."""

    @property
    def penalties(self) -> tuple[Any, ...]:
        """The penalties."""

    @property
    def world(self) -> Any:
        """The ranks that train together, or None."""

    @property
    def nan(self) -> str:
        """What happens if a loss is not finite."""

    @property
    def lr(self) -> float:
        """Learning rate; a callback may set it between epochs."""

    @lr.setter
    def lr(self, value: float) -> None: ...

    @property
    def score_name(self) -> str:
        """Name of the score on validation data."""

    @property
    def members(self) -> int:
        """Number of members of the loss."""

    def checked_data(
        self, x: Any, y: Any, sample_weight: Any, check_finite: bool = False, members: int = 1
    ) -> Data:
        """Check and convert rows, targets and weights."""

    def checked_rows(
        self, x: Any, y: Any, sample_weight: Any, check_finite: bool = False, members: int = 1
    ) -> Data:
        """Do the same with the present settings, also during a step."""

    def setting(self, name: str) -> Setting:
        """Return the start value of a setting, and its largest value."""

    def epoch(
        self,
        data: Data,
        order: Array | None,
        batch_size: int,
        rates: Array,
        penalties: Array | None = None,
        losses: Array | None = None,
        *,
        weight_decays: Array | None = None,
        dropouts: Array | None = None,
        label_smoothings: Array | None = None,
        member_losses: Array | None = None,
        totals: Array | None = None,
    ) -> float:
        """Run the steps of one epoch and return the mean loss."""

    def evaluation(self, data: Data) -> Evaluation:
        """Return the losses and the scores of the predictions."""

    def evaluation_of_parts(self, parts: Iterable[Data]) -> Evaluation:
        """Return the same of rows that come one part after another."""

    def minimize(self, data: Data, iterations: int, on_iteration: Callable[[float], None]) -> Any:
        """Run L-BFGS."""

    def describe(self) -> dict[str, Any]:
        """Describe optimizer, losses and penalties."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state of training, without the parameters."""

    def load_state_dict(self, state: Any) -> None:
        """Restore such a state."""
