"""The settings of a trainer, which can be changed between steps."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, TypeVar

from fastmlp import _core
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, NotFiniteError
from fastmlp.layers import Custom
from fastmlp.losses.penalties import Penalty, as_list
from fastmlp.networks.base import Network
from fastmlp.optim.base import FirstOrder, Optimizer
from fastmlp.optim.first_order import Adam
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.training.objective import Objective

_T = TypeVar("_T")
NANS = ("warn", "raise", "skip", "ignore")
MOST_SHARDS = 1024
# Of each batch, with a world: so up to 8 ranks give the same bits.
WORLD_SHARDS = 8


class Configured(_core.Stepper):
    """Network, loss, optimizer and penalties, and the core's trainer that is made from them.

    All but the network may be set between steps, and so may the attributes of the loss, the
    optimizer and the penalties: ``trainer.optimizer.weight_decay = 0.1``. Each takes effect at the
    next step, or in ``fit`` at the next epoch.
    """

    def __init__(
        self, net: Network, loss: Any, optimizer: Optimizer | None, penalty: Any, loss_weights: Any,
        nan: str, shards: int | None = None, world: Any = None,
    ) -> None:  # fmt: skip
        self._net = checked(net, "net", Network, "a Sequential or a Graph")
        self._loss, self._loss_weights = loss, loss_weights
        self._objective = Objective(net, loss, loss_weights)
        self._optimizer = _checked_optimizer(Adam() if optimizer is None else optimizer)
        self._penalties = tuple(as_list(penalty))
        self._nan = check.choice(nan, "nan", NANS)
        self._world = checked_world(world)
        self._shards = checked_shards(WORLD_SHARDS if shards is None and world else shards)
        if world is not None:
            world.check_size(self._shards)
        self._has_warned = False
        self._skipped = 0
        self._make_core()

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name):
            raise AttributeError(f"{name}: a {type(self).__name__} has no such setting")
        super().__setattr__(name, value)

    @property
    def net(self) -> Network:
        """The network; another one needs another trainer."""
        return self._net

    @property
    def loss(self) -> Any:
        """The loss, as given."""
        return self._loss

    @loss.setter
    def loss(self, value: Any) -> None:
        self._set_losses(value, self._loss_weights)

    @property
    def loss_weights(self) -> Any:
        """The weights of the losses of several outputs, as given."""
        return self._loss_weights

    @loss_weights.setter
    def loss_weights(self, value: Any) -> None:
        self._set_losses(self._loss, value)

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer; a new one begins with a new state."""
        return self._optimizer

    @optimizer.setter
    def optimizer(self, value: Any) -> None:
        self._optimizer = _checked_optimizer(value)
        self._make_core()

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        """The penalties; they may be set to None, a penalty or a list of them."""
        return self._penalties

    @penalties.setter
    def penalties(self, value: Any) -> None:
        self._penalties = tuple(as_list(value))
        self._settings_changed()

    @property
    def lr(self) -> float:
        """Learning rate; it can be set between steps, and by a callback between epochs.

        It begins with that of the optimizer, and follows it if that is set later.
        """
        self._follow_rate()
        return self._core.lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._follow_rate()
        self._core.lr = check.real(value, "lr", 0.0)

    @property
    def nan(self) -> str:
        """What happens if the loss of a step is NaN or infinite.

        ``"warn"``: one warning, and the step is made. ``"raise"``: `NotFiniteError`. ``"skip"``:
        the step is left out. ``"ignore"``: the step is made. With "raise" and "skip", parameters,
        the optimizer's state and running moments stay as they are. The gradient of a loss of your
        own, and that given to ``apply``, count like the loss.
        """
        return self._nan

    @nan.setter
    def nan(self, value: str) -> None:
        self._nan = check.choice(value, "nan", NANS)
        self._core.set_nan(self._nan)

    @property
    def skipped(self) -> int:
        """Number of steps that ``nan="skip"`` has left out."""
        return self._skipped

    @property
    def shards(self) -> int:
        """Number of parts of each batch whose gradients are computed by themselves."""
        return self._shards

    @property
    def world(self) -> Any:
        """The ranks that train together; None for one process."""
        return self._world

    @property
    def members(self) -> int:
        """Number of members of the loss: its ``fold``."""
        return self._objective.members

    @property
    def score_name(self) -> str:
        """Name of the score on validation data."""
        return self._objective.score_name

    def _set_losses(self, loss: Any, weights: Any) -> None:
        self._objective = Objective(self._net, loss, weights)
        self._loss, self._loss_weights = loss, weights
        self._core.set_heads(self._objective.heads())
        self._bind()

    def _make_core(self) -> None:
        self._core = _core.Trainer(
            self._net.core_net(), self._objective.heads(), *self._core_settings(),
            partial(self._optimizer.ranges, self._net),
        )  # fmt: skip
        self._core.lr = self._followed_rate = self._optimizer.lr
        self._core.set_nan(self._nan)
        self._use_shards()
        self._bind()

    def _use_shards(self) -> None:
        if self._shards == 1 and self._world is None:
            return
        if isinstance(self._optimizer, LBFGS):
            raise ArgumentError(
                f"shards: got {self._shards} with LBFGS, which has no batches; leave it out"
            )
        own = [layer for layer in self._net.layers if isinstance(layer, Custom)]
        if own:
            raise ArgumentError(
                f"shards: got {self._shards} for a network with {check.shown(own[0])}, which "
                "computes on all rows of a batch at once; leave it out"
            )
        if self._world is None:
            self._core.set_shards(self._shards)
            return
        if self._objective.has_own:
            raise ArgumentError(
                f"loss: got {check.shown(self._loss)} with a world; want a loss of fastmlp, as one "
                "of your own takes all rows of a batch"
            )
        self._core.set_shards(self._shards, self._world.ranks)

    def _core_settings(self) -> tuple[Any, list[tuple[float, float]], float]:
        clip_norm = getattr(self._optimizer, "clip_norm", None) or 0.0
        penalties = [one.core_spec() for one in self._penalties]
        return self._optimizer.core_spec(), penalties, clip_norm

    def _bind(self) -> None:
        one_call = not isinstance(self._optimizer, LBFGS)
        targets = self._objective.unchecked_targets() if one_call else ()
        ends = self._net.input_names, self._net.outputs_named().names
        self._bind_core(self._core, *ends, targets)

    def _follow_rate(self) -> None:
        """Take the optimizer's learning rate if it has been set since."""
        if self._optimizer.lr != self._followed_rate:
            self._core.lr = self._followed_rate = self._optimizer.lr

    def _settings_changed(self) -> None:
        """Take the current settings of loss, optimizer and penalties."""
        objective = Objective(self._net, self._loss, self._loss_weights)
        if not self._core.set_optimizer(*self._core_settings()):
            raise ArgumentError(
                f"optimizer: got {self._optimizer!r}, whose state has other arrays than before; "
                "want a new optimizer, set as trainer.optimizer"
            )
        self._objective = objective
        self._core.set_heads(objective.heads())
        self._follow_rate()
        self._bind()

    def _refuses(self, value: float) -> bool:
        """Whether the step of a loss that is not finite is left out; raise if it must not be."""
        if self._nan == "raise":
            raise NotFiniteError(f"the loss is {value}; nothing was changed (nan='raise')")
        self._skipped += self._nan == "skip"
        self._warn(value)
        return self._nan == "skip"

    def _not_finite(self, value: float | None) -> None:
        """Count or report steps whose loss, or own gradient, was not finite."""
        if self._nan == "skip":
            self._skipped += self._core.not_finite
        self._warn(value)

    def _warn(self, value: float | None) -> None:
        if self._nan != "warn" or self._has_warned:
            return
        self._has_warned = True
        is_loss = value is not None and not is_finite(value)
        what = f"loss is {value}" if is_loss else "gradient of the loss has NaN or infinity"
        warnings.warn(
            f"the {what}: try a smaller learning rate, clip_norm=, or scaled inputs; nan='raise' "
            "or 'skip' would keep the parameters",
            RuntimeWarning,
            stacklevel=4,
        )


def checked_world(value: Any) -> Any:
    """Return a world, or None."""
    if value is not None and not all(hasattr(value, name) for name in ("ranks", "agree")):
        raise ArgumentTypeError(
            f"world: got {check.shown(value)}; want fm.distributed.world() or None"
        )
    return value


def checked_shards(value: Any) -> int:
    """Return the number of shards: a power of two; 1 for None."""
    if value is None:
        return 1
    shards = check.size(value, "shards")
    if shards > MOST_SHARDS or shards & (shards - 1):
        raise ArgumentError(f"shards: got {shards}; want a power of two, at most {MOST_SHARDS}")
    return shards


def is_finite(value: float) -> bool:
    """Whether a number is neither NaN nor infinite."""
    return value - value == 0.0


def checked(value: Any, name: str, kind: type[_T], wanted: str) -> _T:
    """Return a value of this class, or raise."""
    if not isinstance(value, kind):
        hint = "; write it with parentheses" if isinstance(value, type) else ""
        raise ArgumentTypeError(f"{name}: got {check.shown(value)}; want {wanted}{hint}")
    return value


def _checked_optimizer(value: Any) -> Optimizer:
    optimizer = checked(value, "optimizer", Optimizer, "an optimizer, such as fm.Adam()")
    if isinstance(optimizer, FirstOrder) and optimizer.bound:
        name = type(optimizer).__name__
        raise ArgumentError(
            f"optimizer: got {name}(net, ...), which makes its steps by hand; "
            f"want {name}(...) without a network"
        )
    return optimizer
