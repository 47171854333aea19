"""First-order optimizers. Formulas and defaults are PyTorch's.

For steps by hand, make one with a network, ``opt = fm.Adam(net, lr=1e-3)``, and call
``opt.step()`` after each ``net.backward``. ``Trainer`` and ``fit`` take one without a network:
``fm.Adam(lr=1e-3)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.optim.base import FirstOrder

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "RMSprop"]


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
    groups : dict of str to dict, optional
        Factors of ``lr`` and ``weight_decay`` for some of the parameters: see ``fm.optim.groups``.

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
        groups: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        super().__init__(net, lr, clip_norm, groups)
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
    groups : dict of str to dict, optional
        Factors of ``lr`` and ``weight_decay`` for some of the parameters: see ``fm.optim.groups``.

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
        groups: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        super().__init__(net, lr, clip_norm, groups)
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
    groups : dict of str to dict, optional
        Factors of ``lr`` and ``weight_decay`` for some of the parameters: see ``fm.optim.groups``.

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
        groups: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        super().__init__(
            net, lr, betas=betas, eps=eps, weight_decay=weight_decay, eps_hat=eps_hat,
            clip_norm=clip_norm, groups=groups,
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
    groups : dict of str to dict, optional
        Factors of ``lr`` and ``weight_decay`` for some of the parameters: see ``fm.optim.groups``.

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
        groups: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        super().__init__(net, lr, clip_norm, groups)
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
    groups : dict of str to dict, optional
        Factors of ``lr`` and ``weight_decay`` for some of the parameters: see ``fm.optim.groups``.

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
        groups: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        super().__init__(net, lr, clip_norm, groups)
        self.lr_decay = validation.real(lr_decay, "lr_decay", 0.0)
        self.eps = validation.real(eps, "eps", 0.0)
        self.weight_decay = validation.real(weight_decay, "weight_decay", 0.0)
