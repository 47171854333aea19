"""The base classes of the optimizers, and the state of those that the core runs."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.config import Adjustable, registered
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, StateError
from fastmlp.optim import groups as parameter_groups
from fastmlp.optim.groups import Groups

_ROWS: Mapping[str, tuple[int, Any]] = {
    row["name"]: (kind, row) for kind, row in enumerate(_core.optimizers())
}
# The core's trainer needs a loss; steps by hand do not use it.
_ANY_HEAD = ((0, tuple(default for _, default in _core.losses()[0]["params"]), "mean"), 1.0)


class Optimizer(Adjustable):
    """Base of the optimizers."""

    @property
    def lr(self) -> float:
        """Learning rate."""
        raise NotImplementedError

    @property
    def groups(self) -> Groups | None:
        """The parameter groups, if there are any."""
        return None

    def core_spec(self) -> tuple[int, tuple[float, ...]]:
        """Return kind and hyperparameters for the core."""
        raise NotImplementedError

    def ranges(self, net: Any) -> list[tuple[int, float, float]]:
        """Return the groups of a network's parameters for the core."""
        return parameter_groups.ranges(None, net)


class FirstOrder(Optimizer):
    """Base of the optimizers that the core runs: each update needs one gradient only."""

    weight_decay: float
    _lr: ClassVar[float] = 1e-3

    def __init__(self, net: Any, lr: float | None, clip_norm: float | None, groups: Any) -> None:
        if net is not None and (isinstance(net, type) or not hasattr(net, "core_net")):
            net, lr = None, self._lr_from(net, lr)
        self._rate = validation.real(self._lr if lr is None else lr, "lr", 0.0)
        if clip_norm is not None:
            clip_norm = validation.real(clip_norm, "clip_norm", 0.0, low_open=True)
        self.clip_norm = clip_norm
        self._groups = parameter_groups.checked(groups)
        self._net = net
        if net is not None and groups is not None:
            self.ranges(net)
        self._core: _core.Trainer | None = None

    def _lr_from(self, net: Any, lr: float | None) -> Any:
        """Take a number in the place of the network as the learning rate: ``SGD(0.1)``."""
        if isinstance(net, numbers.Real) and lr is None:
            return net
        raise ArgumentTypeError(
            f"net: got {validation.shown(net)}; want a network, or lr= and others by name"
        )

    @property
    def lr(self) -> float:
        """Learning rate; it can be set between steps."""
        return self._rate

    @lr.setter
    def lr(self, value: float) -> None:
        self._rate = validation.real(value, "lr", 0.0)
        if self._core is not None:
            self._core.lr = self._rate
        _core.settings_have_changed()

    @property
    def groups(self) -> Groups | None:
        """A copy of the parameter groups; they are fixed when the optimizer is made."""
        if self._groups is None:
            return None
        return {selector: dict(factors) for selector, factors in self._groups.items()}

    def ranges(self, net: Any) -> list[tuple[int, float, float]]:
        return parameter_groups.ranges(self._groups, net)

    @property
    def bound(self) -> bool:
        """Whether this optimizer was made with a network."""
        return self._net is not None

    def step(self) -> None:
        """Update the network's parameters from its gradients.

        Raises
        ------
        StateError
            If the optimizer was made without a network.
        """
        self._updater().update()

    def zero_grad(self) -> None:
        """Set the network's gradients to zero."""
        self._bound_net().core_net().grads[...] = 0

    def state_dict(self) -> dict[str, Any]:
        """Return copies of all state that the next step depends on, without the parameters."""
        return {"lr": self.lr, "groups": self.groups or {}, **core_state(self._updater())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from ``state_dict``; if it does not fit, nothing changes."""
        wanted = "a dict from state_dict()"
        if not {"lr", "groups"} <= set(validation.mapping(state, "state", wanted)):
            raise ArgumentError(f"state: got {validation.shown(list(state))}; want {wanted}")
        lr = validation.real(state["lr"], "lr", 0.0)
        check_groups(self, state["groups"])
        load_core_state(self._updater(), state)
        self.lr = lr

    def core_spec(self) -> tuple[int, tuple[float, ...]]:
        kind, row = registered(_ROWS, self, "optimizer")
        values = self._hyper()
        return kind, tuple(float(values[name]) for name, _ in row["hyper"])

    def _changed(self) -> None:
        if self._core is not None and not self._core.set_optimizer(*self._core_settings()):
            raise ArgumentError(
                f"{type(self).__name__}: got a setting that needs other state arrays than those "
                "of the network's steps so far; make a new optimizer"
            )
        super()._changed()

    def _core_settings(self) -> tuple[Any, list[tuple[float, float]], float]:
        return self.core_spec(), [], self.clip_norm or 0.0

    def _hyper(self) -> dict[str, float]:
        """Return the hyperparameters by the registry's names."""
        skip = ("lr", "clip_norm", "groups")
        return {name: value for name, value in self.arguments().items() if name not in skip}

    def _bound_net(self) -> Any:
        if self._net is None:
            name = type(self).__name__
            raise StateError(f"{name}: has no network; make it as {name}(net, ...)")
        return self._net

    def _updater(self) -> _core.Trainer:
        if self._core is None:
            net = self._bound_net().core_net()
            self._core = _core.Trainer(
                net, [_ANY_HEAD] * len(net.widths_out), *self._core_settings(),
                partial(self.ranges, self._net),
            )  # fmt: skip
            self._core.lr = self._rate
        return self._core

    def __reduce__(self) -> Any:
        # The state of a bound optimizer belongs to its network, so pickling one alone is an error.
        if self.bound:
            raise StateError("cannot pickle an optimizer bound to a network; use state_dict()")
        return _make, (type(self), self.arguments())


def _make(cls: type[Optimizer], arguments: dict[str, Any]) -> Optimizer:
    return cls(**arguments)


def check_groups(optimizer: Optimizer, saved: Any) -> None:
    """Raise if a saved state has other groups than the optimizer: its steps would differ."""
    own = optimizer.groups or {}
    if saved != own:
        raise ArgumentError(
            f"state: got groups {validation.shown(saved)}; want {validation.shown(own)}, as the "
            "optimizer has them"
        )


def core_state(trainer: _core.Trainer) -> dict[str, Any]:
    """Return copies of the state of the core's optimizer."""
    return {
        "t": trainer.t,
        "slots": [slot.copy() for slot in trainer.state],
        "powers": trainer.powers.copy(),
    }


def load_core_state(trainer: _core.Trainer, state: Mapping[str, Any]) -> None:
    """Restore a state from ``core_state``; if a part does not fit, nothing changes."""
    targets = [*trainer.state, trainer.powers]
    try:
        t = validation.integer(state["t"], "t", 0)
        sources = [*state["slots"], state["powers"]]
    except (KeyError, TypeError) as error:
        raise ArgumentError(f"state: want a dict from state_dict() ({error})") from error
    if len(sources) != len(targets):
        raise ArgumentError(f"state: got {len(sources)} arrays; want {len(targets)}")
    arrays = [
        validation.shaped(source, "state", target.shape, target.dtype)
        for source, target in zip(sources, targets, strict=True)
    ]
    for array, target in zip(arrays, targets, strict=True):
        target[...] = array
    trainer.t = t
