"""First-order optimizers. Formulas and defaults are PyTorch's.

For steps by hand, make one with a network, ``opt = fm.Adam(net, lr=1e-3)``, and call
``opt.step()`` after each ``net.backward``. ``Trainer`` and ``fit`` take one without a network:
``fm.Adam(lr=1e-3)``.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.config import Configurable, registered
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, StateError

_ROWS: Mapping[str, tuple[int, Any]] = {
    row["name"]: (kind, row) for kind, row in enumerate(_core.optimizers())
}
# The core's trainer needs a loss; steps by hand do not use it.
_ANY_HEAD = ((0, tuple(default for _, default in _core.losses()[0]["params"]), "mean"), 1.0)


class Optimizer(Configurable):
    """Base of the optimizers."""

    @property
    def lr(self) -> float:
        """Learning rate."""
        raise NotImplementedError

    def core_spec(self) -> tuple[int, tuple[float, ...]]:
        """Return kind and hyperparameters for the core."""
        raise NotImplementedError


class FirstOrder(Optimizer):
    """Base of the optimizers that the core runs: each update needs one gradient only."""

    _lr: ClassVar[float] = 1e-3

    def __init__(self, net: Any, lr: float | None, clip_norm: float | None) -> None:
        if net is not None and (isinstance(net, type) or not hasattr(net, "core_net")):
            net, lr = None, self._lr_from(net, lr)
        self._rate = validation.real(self._lr if lr is None else lr, "lr", 0.0)
        self.clip_norm = clip_norm
        if clip_norm is not None:
            self.clip_norm = validation.real(clip_norm, "clip_norm", 0.0, low_open=True)
        self._net = net
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
        return {"lr": self.lr, **core_state(self._updater())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from ``state_dict``; if it does not fit, nothing changes."""
        wanted = "a dict from state_dict()"
        if "lr" not in validation.mapping(state, "state", wanted):
            raise ArgumentError(f"state: got {validation.shown(list(state))}; want {wanted}")
        lr = validation.real(state["lr"], "lr", 0.0)
        load_core_state(self._updater(), state)
        self.lr = lr

    def core_spec(self) -> tuple[int, tuple[float, ...]]:
        kind, row = registered(_ROWS, self, "optimizer")
        values = self._hyper()
        return kind, tuple(float(values[name]) for name, _ in row["hyper"])

    def _hyper(self) -> dict[str, float]:
        """Return the hyperparameters by the registry's names."""
        skip = ("lr", "clip_norm")
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
                net, [_ANY_HEAD] * len(net.widths_out), self.core_spec(), [], self.clip_norm or 0.0
            )
            self._core.lr = self._rate
        return self._core

    def __reduce__(self) -> Any:
        # The state of a bound optimizer belongs to its network, so pickling one alone is an error.
        if self.bound:
            raise StateError("cannot pickle an optimizer bound to a network; use state_dict()")
        return _make, (type(self), self.arguments())


def _make(cls: type[Optimizer], arguments: dict[str, Any]) -> Optimizer:
    return cls(**arguments)


class SGD(FirstOrder):
    """Stochastic gradient descent, with momentum and weight decay.

    ``g += weight_decay * w``; ``v = momentum * v + g`` (the first ``v`` is ``g``);
    ``w -= lr * v``, or with Nesterov momentum ``w -= lr * (g + momentum * v)``.

    Parameters
    ----------
    net : Sequential or Linear, optional
        The network to update, for steps by hand. ``SGD(0.1)`` is ``SGD(lr=0.1)``.
    lr : float, default 1e-3
    momentum : float, default 0
    nesterov : bool, default False
    weight_decay : float, default 0
        Applies to all parameters, biases too (penalties apply to weights only).
    clip_norm : float, optional
        Largest Euclidean norm of the whole gradient; a larger gradient is scaled down to it.

    Examples
    --------
    >>> import fastmlp as fm
    >>> lin = fm.Linear(1, 1, init=fm.initializers.Constant(1.0))
    >>> opt = fm.SGD(lin, lr=0.5)
    >>> y = lin.forward([[1.0]])
    >>> dx = lin.backward([[1.0]])
    >>> opt.step()
    >>> lin.W.tolist(), lin.b.tolist()
    ([[0.5]], [-0.5])
    """

    def __init__(
        self,
        net: Any = None,
        lr: float | None = None,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(net, lr, clip_norm)
        self.momentum = validation.real(momentum, "momentum", 0.0)
        self.nesterov = validation.flag(nesterov, "nesterov")
        self.weight_decay = validation.real(weight_decay, "weight_decay", 0.0)
        if self.nesterov and self.momentum == 0.0:
            raise ArgumentError("nesterov: needs momentum > 0; got momentum 0")


class Adam(FirstOrder):
    """Adaptive moments (Kingma and Ba, 2015).

    ``m = b1 m + (1 - b1) g``; ``v = b2 v + (1 - b2) g**2``;
    ``w -= lr * m / (1 - b1**t) / (sqrt(v / (1 - b2**t)) + eps)``.

    Parameters
    ----------
    net : Sequential or Linear, optional
        The network to update, for steps by hand.
    lr : float, default 1e-3
    betas : (float, float), default (0.9, 0.999)
    eps : float, default 1e-8
    weight_decay : float, default 0
        Added to the gradient: ``g += weight_decay * w``.
    eps_hat : bool, default False
        Whether ``eps`` is added to the square root of ``v`` before the bias correction (the paper's
        epsilon hat, section 2; TensorFlow's and scikit-learn's Adam).
    clip_norm : float, optional
        Largest Euclidean norm of the whole gradient; a larger gradient is scaled down to it.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Adam(lr=0.01)
    Adam(lr=0.01)
    """

    def __init__(
        self,
        net: Any = None,
        lr: float | None = None,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        eps_hat: bool = False,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(net, lr, clip_norm)
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ArgumentError(f"betas: got {validation.shown(betas)}; want two numbers")
        first, second = (validation.real(b, "betas", 0.0, 1.0, high_open=True) for b in betas)
        self.betas = (first, second)
        self.eps = validation.real(eps, "eps", 0.0)
        self.weight_decay = validation.real(weight_decay, "weight_decay", 0.0)
        self.eps_hat = validation.flag(eps_hat, "eps_hat")

    def _hyper(self) -> dict[str, float]:
        beta1, beta2 = self.betas
        moments = {"beta1": beta1, "beta2": beta2, "eps": self.eps}
        return {**moments, "weight_decay": self.weight_decay, "eps_hat": float(self.eps_hat)}


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    As ``Adam``, but the decay is ``w -= lr * weight_decay * w`` instead of part of the gradient.

    Parameters
    ----------
    net : Sequential or Linear, optional
        The network to update, for steps by hand.
    lr : float, default 1e-3
    betas : (float, float), default (0.9, 0.999)
    eps : float, default 1e-8
    weight_decay : float, default 0.01
    eps_hat : bool, default False
        Whether ``eps`` is added to the square root of ``v`` before the bias correction (the paper's
        epsilon hat, section 2; TensorFlow's and scikit-learn's Adam).
    clip_norm : float, optional
        Largest Euclidean norm of the whole gradient; a larger gradient is scaled down to it.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.AdamW(lr=0.01).weight_decay
    0.01
    """

    def __init__(
        self,
        net: Any = None,
        lr: float | None = None,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        eps_hat: bool = False,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(
            net, lr, betas=betas, eps=eps, weight_decay=weight_decay, eps_hat=eps_hat,
            clip_norm=clip_norm,
        )  # fmt: skip


class RMSprop(FirstOrder):
    """Gradient over its root mean square (Hinton, 2012).

    ``v = alpha v + (1 - alpha) g**2``; ``w -= lr * g / (sqrt(v) + eps)``; with momentum,
    ``b = momentum * b + g / (sqrt(v) + eps)`` and ``w -= lr * b``.

    Parameters
    ----------
    net : Sequential or Linear, optional
        The network to update, for steps by hand.
    lr : float, default 0.01
    alpha : float, default 0.99
    eps : float, default 1e-8
    momentum : float, default 0
    weight_decay : float, default 0
        Added to the gradient: ``g += weight_decay * w``.
    clip_norm : float, optional
        Largest Euclidean norm of the whole gradient; a larger gradient is scaled down to it.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.RMSprop().lr
    0.01
    """

    _lr = 1e-2

    def __init__(
        self,
        net: Any = None,
        lr: float | None = None,
        *,
        alpha: float = 0.99,
        eps: float = 1e-8,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(net, lr, clip_norm)
        self.alpha = validation.real(alpha, "alpha", 0.0, 1.0)
        self.eps = validation.real(eps, "eps", 0.0)
        self.momentum = validation.real(momentum, "momentum", 0.0)
        self.weight_decay = validation.real(weight_decay, "weight_decay", 0.0)


class Adagrad(FirstOrder):
    """Gradient over the root of its summed squares (Duchi et al., 2011).

    ``s += g**2``; ``w -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)``.

    Parameters
    ----------
    net : Sequential or Linear, optional
        The network to update, for steps by hand.
    lr : float, default 0.01
    lr_decay : float, default 0
    eps : float, default 1e-10
    weight_decay : float, default 0
        Added to the gradient: ``g += weight_decay * w``.
    clip_norm : float, optional
        Largest Euclidean norm of the whole gradient; a larger gradient is scaled down to it.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Adagrad(lr=0.1)
    Adagrad(lr=0.1)
    """

    _lr = 1e-2

    def __init__(
        self,
        net: Any = None,
        lr: float | None = None,
        *,
        lr_decay: float = 0.0,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(net, lr, clip_norm)
        self.lr_decay = validation.real(lr_decay, "lr_decay", 0.0)
        self.eps = validation.real(eps, "eps", 0.0)
        self.weight_decay = validation.real(weight_decay, "weight_decay", 0.0)


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
