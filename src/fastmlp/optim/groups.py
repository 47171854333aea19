"""Parameter groups: factors of the learning rate and the weight decay for some of the parameters.

``groups={"bias": {"lr": 0.1, "weight_decay": 0}, "0.W": {"lr": 0}}`` maps selectors to factors. A
selector has one of three forms. From the least specific to the most specific:

=====================  ==========================================================================
``"bias"``, ``"b"``    the arrays with this role or name, in all layers
``"0"``, ``"hidden"``  the arrays of one layer: its index in a ``Sequential``, its name in a
                       ``Graph``
``"0.W"``              one array of a layer, by its name or its role (``"0.weight"``)
=====================  ==========================================================================

The roles are ``"weight"`` (``W``), ``"bias"`` (``b``), ``"gain"`` and ``"shift"`` (``gamma`` and
``beta`` of a norm), ``"table"`` (rows that are looked up), ``"alpha"`` (strengths of parametric
activations) and ``"free"`` (the arrays of custom nodes, and vectors of ``fm.Parameter``). If
several selectors match an array, each factor comes from the most specific one that has it. Without
any, a factor is 1.

An array's learning rate is that of the optimizer, or of the schedule, times ``lr``. Its weight
decay is that of the optimizer, or of its schedule, times ``weight_decay``. An ``lr`` of 0 freezes
the array, as ``layer.trainable = False`` does: no bit of it changes, no gradient is computed for
it, and ``clip_norm`` does not count it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.parameters import ParameterArray

Groups = dict[str, dict[str, float]]
_FACTORS = ("lr", "weight_decay")


def checked(groups: Any) -> Groups | None:
    """Check the form of groups; ``ranges`` checks the selectors against a network."""
    if groups is None:
        return None
    wanted = 'a dict such as {"bias": {"lr": 0.1, "weight_decay": 0}}'
    found: Groups = {}
    for selector, factors in validation.mapping(groups, "groups", wanted).items():
        if not isinstance(selector, str):
            raise ArgumentError(f"groups: got the selector {validation.shown(selector)}; want text")
        name = f"groups[{selector!r}]"
        found[selector] = {}
        for key, value in validation.mapping(factors, name, 'a dict such as {"lr": 0.1}').items():
            if key not in _FACTORS:
                raise ArgumentError(
                    f"{name}: got the key {validation.shown(key)}; want {' or '.join(_FACTORS)}"
                )
            found[selector][key] = validation.real(value, f"{name}[{key!r}]", 0.0)
    return found


def ranges(groups: Groups | None, net: Any) -> list[tuple[int, float, float]]:
    """Return the groups for the core: end, learning-rate factor and decay factor of each range.

    Raises
    ------
    ArgumentError
        If a selector matches nothing in this network, or two equally specific ones match an array.
    """
    arrays = sorted(net.parameter_arrays(), key=lambda array: array.start)
    _check_selectors(groups or {}, arrays)
    found: list[tuple[int, float, float]] = []
    for array in arrays:
        lr, decay = (_factor(groups or {}, array, key) for key in _FACTORS)
        if not array.trainable:
            lr = 0.0
        if found and found[-1][1:] == (lr, decay):
            found.pop()
        found.append((array.stop, lr, decay))
    return found


def _names(array: ParameterArray) -> tuple[tuple[str, ...], ...]:
    """Return the selectors that match an array, by level, the most specific level first."""
    parts = array.name, array.role
    return tuple(f"{array.layer}.{part}" for part in parts), (array.layer,), parts


def _factor(groups: Groups, array: ParameterArray, key: str) -> float:
    for names in _names(array):
        having = [name for name in dict.fromkeys(names) if key in groups.get(name, ())]
        if len(having) > 1:
            both = " and ".join(map(repr, having))
            raise ArgumentError(
                f"groups: got {key} for {both}, which both match {array.layer}.{array.name}; "
                "want one of them"
            )
        if having:
            return groups[having[0]][key]
    return 1.0


def _check_selectors(groups: Groups, arrays: Sequence[ParameterArray]) -> None:
    levels = [{name for array in arrays for name in _names(array)[level]} for level in range(3)]
    for selector in groups:
        places = sum(selector in level for level in levels)
        if places == 0:
            raise ArgumentError(f"groups: got the selector {selector!r}; want {_choice(arrays)}")
        if places > 1:
            raise ArgumentError(
                f"groups: got the selector {selector!r}, which matches a layer and also a role or "
                "an array; want a more specific one, or another name for the layer"
            )


def _choice(arrays: Sequence[ParameterArray]) -> str:
    if not arrays:
        return "none: the network has no parameters"
    kinds = {
        "a role": (array.role for array in arrays),
        "a layer": (array.layer for array in arrays),
        "an array": (f"{array.layer}.{array.name}" for array in arrays),
    }
    return ", or ".join(f"{kind} ({_few(names)})" for kind, names in kinds.items())


def _few(names: Any) -> str:
    found, most = list(dict.fromkeys(names)), 6
    return ", ".join(found[:most] + (["..."] if len(found) > most else []))


def frozen(net: Any) -> list[str]:
    """Return the names of the layers with parameters that are not trained."""
    return list(dict.fromkeys(one.layer for one in net.parameter_arrays() if not one.trainable))
