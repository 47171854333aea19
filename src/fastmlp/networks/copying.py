"""Copies of a network's numbers: into other networks, and by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.layers import Layer
from fastmlp.layers.state import checked_state
from fastmlp.networks.description import copy_of, own_form, restored, retyped
from fastmlp.networks.predictor import EnginePredictor


class CopyableNetwork(EnginePredictor):
    """The part of ``Network`` that copies: whole networks, numbers alone, and arrays by name."""

    _layers: tuple[Layer, ...]

    def layer_names(self) -> list[str]:
        """Return the names of the layers, in their order."""
        raise NotImplementedError

    def _described(self, describe: Callable[[Layer], Any]) -> dict[str, Any]:
        raise NotImplementedError

    def copy(self, dtype: Any = None) -> Any:
        """Return an independent network with the same parameters, in another dtype if given.

        With ``dtype="float64"`` the copy of a network with ``compute="bfloat16"`` rounds nothing.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(4, 2))
        >>> net.copy(dtype="float64").params.dtype.name
        'float64'
        """
        description = self._described(copy_of)
        if dtype is not None:
            description = retyped(description, validation.float_dtype(dtype))
        return restored(type(self), description, self._numbers())

    def copy_from(self, other: Any) -> None:
        """Take the parameters and the running statistics of another network.

        Gradients, seed and ``step_count`` stay. A prediction on another thread sees all new values
        or none.

        Parameters
        ----------
        other : Sequential or Graph
            With parameter arrays of the same names and shapes in the same order. In another dtype,
            the values are rounded.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If the networks do not match; nothing changes then.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net, target = fm.Sequential(fm.Linear(4, 2)), fm.Sequential(fm.Linear(4, 2))
        >>> target.copy_from(net)
        >>> bool((target.params == net.params).all())
        True
        """
        check_match(self, other, "other")
        core = other.own_engine().core
        self._engine.core.assign(core.params, core.state)

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all parameters and running statistics, by layer and name.

        The names are ``"0.W"``, ``"0.b"``, ..., and those of the nodes in a ``Graph``:
        ``"hidden.W"``. ``W`` is ``(in, out)``; PyTorch's ``weight`` is its transpose.

        Examples
        --------
        >>> import fastmlp as fm
        >>> sorted(fm.Sequential(fm.Linear(4, 2), fm.ReLU()).state_dict())
        ['0.W', '0.b']
        """
        return {name: view.copy() for name, view in self._views().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Copy arrays by name into the parameters and running statistics.

        Parameters
        ----------
        state : mapping of str to array_like
            Such as ``state_dict`` returns.
        strict : bool, default True
            Whether it must have every name of this network and no other. Otherwise only names that
            both have are copied.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If names or shapes do not fit; nothing changes then.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(1, 1))
        >>> net.load_state_dict({"0.W": [[2.0]], "0.b": [1.0]})
        >>> net.predict([[3.0]]).tolist()
        [[7.0]]
        """
        self._engine.core.write(checked_state(self._views(), state, strict))

    def _views(self) -> dict[str, Array]:
        named = zip(self.layer_names(), self._layers, strict=True)
        return {
            f"{name}.{array}": view
            for name, layer in named
            for array, view in layer.values().items()
        }

    def __copy__(self) -> Any:
        return self.copy()

    def __reduce__(self) -> Any:
        return restored, (type(self), self._described(own_form), self._numbers())

    def _numbers(self) -> dict[str, Any]:
        """Return copies of everything that training changes."""
        core = self._engine.core
        arrays = {"params": core.params, "grads": core.grads, "state": core.state}
        return {name: array.copy() for name, array in arrays.items()} | {
            "step_count": core.step_count
        }


def polyak(target: Any, net: Any, tau: float) -> None:
    """Move a target network towards a network: ``target = (1 - tau) * target + tau * net``.

    One call of the core over the flat arrays, with the same bits everywhere. ``tau=1`` copies. The
    running statistics of ``BatchNorm`` are copied whatever ``tau`` is, because they are averages
    already. A prediction on another thread sees all new values or none.

    Parameters
    ----------
    target, net : Sequential or Graph
        Two networks of the same dtype, with parameter arrays of the same names and shapes in the
        same order; ``net.copy()`` makes such a one.
    tau : float
        From 0 to 1.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If the networks do not match, or ``tau`` is no such number; nothing changes then.
    StateError
        If another thread trains one of them.

    References
    ----------
    Polyak & Juditsky, "Acceleration of stochastic approximation by averaging", 1992; for target
    networks Lillicrap et al., "Continuous control with deep reinforcement learning", ICLR 2016.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1, init=fm.initializers.Constant(1.0)))
    >>> target = fm.Sequential(fm.Linear(1, 1, init="zeros"))
    >>> fm.polyak(target, net, 0.25)
    >>> target[0].W.tolist()
    [[0.25]]
    """
    if target is net:
        raise ArgumentError("target: got the network itself; want another one, such as net.copy()")
    check_match(target, net, "net", "target", same_dtype=True)
    part = validation.real(tau, "tau", 0.0, 1.0)
    _core.average(target.own_engine().core, net.own_engine().core, part)


def check_match(
    net: Any, other: Any, name: str, own_name: str = "this network", same_dtype: bool = False
) -> None:
    """Raise unless both are networks with the same arrays of parameters."""
    for one, argument in ((net, own_name), (other, name)):
        if not isinstance(one, CopyableNetwork):
            raise ArgumentTypeError(f"{argument}: got {validation.shown(one)}; want a network")
    ours, theirs = net.own_engine().core, other.own_engine().core
    if ours.layout != theirs.layout:
        raise ArgumentError(
            f"{name}: got arrays {_shown(theirs.layout)}; want those of {own_name}, "
            f"{_shown(ours.layout)}"
        )
    if same_dtype and ours.dtype != theirs.dtype:
        raise ArgumentError(f"{name}: got {theirs.dtype}; want {ours.dtype}, as {own_name} has")


def _shown(layout: tuple[Any, ...]) -> str:
    *arrays, state = layout
    words: Iterable[str] = (f"{name} ({rows}, {cols})" for name, rows, cols in arrays)
    found = [*words, *([f"{state} running statistics"] if state else [])]
    most = 8
    return ", ".join(found[:most] + (["..."] if len(found) > most else [])) or "none"
