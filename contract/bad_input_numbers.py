"""The entry points that take one number.

Every type of number, with every kind of value, goes to every numeric parameter of every
constructor, setter and call.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from tests.bad_values import NEEDED
from tests.parameters import CLASSES_BY_NAME, kind_of

import fastmlp as fm
from contract.bad_input_objects import ODDITIES
from contract.bad_input_worlds import LABELS, Training, X

_MOST = 2**31 - 1
# If the call is made once for each number.
_FEW = 4

TYPES: dict[str, Callable[[Any], Any]] = {
    **{np.dtype(code).name: np.dtype(code).type for code in np.typecodes["AllInteger"]},
    **{np.dtype(code).name: np.dtype(code).type for code in "efdg?FDG"},
    "int": int,
    "float": float,
    "bool": bool,
    "complex": complex,
    "Fraction": Fraction,
    "Decimal": Decimal,
    "str": str,
    "bytes": lambda value: str(value).encode(),
    "array": np.array,
    "array of one": lambda value: np.array([value]),
    "list": lambda value: [value],
    "datetime64": lambda value: np.datetime64(int(value), "s"),
    "timedelta64": lambda value: np.timedelta64(int(value), "s"),
}
VALUES = [
    0, 1, 2, 3, -1, 7, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64,
    10**400, -(10**400), 10**5000, 0.5, 0.999, 1.0000001, 1.5, -0.5, -0.0, -1e-9, 1e-9, 1e-320,
    1e38, 1e300, math.nan, math.inf, -math.inf,
]  # fmt: skip


@dataclass(frozen=True)
class Range:
    """The accepted values: integers or reals in a range, flags, or also None."""

    whole: bool = False
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    none: bool = False
    flag: bool = False

    def takes(self, value: Any) -> bool:
        if value is None:
            return self.none
        if self.flag:
            return isinstance(value, (bool, np.bool_))
        kind = numbers.Integral if self.whole else numbers.Real
        if isinstance(value, (bool, np.bool_, np.timedelta64)) or not isinstance(value, kind):
            return False
        if self.whole:
            return self.low <= int(value) <= self.high
        try:
            real = float(value)
        except OverflowError:
            return False
        above = real > self.low if self.low_open else real >= self.low
        return math.isfinite(real) and above and (
            real < self.high if self.high_open else real <= self.high)  # fmt: skip


RANGES = {
    "size": Range(True, 1, _MOST),
    "size or None": Range(True, 1, _MOST, none=True),
    "pieces": Range(True, 2, _MOST),
    "count": Range(True, 0, _MOST),
    "real": Range(),
    "positive": Range(low=0, low_open=True),
    "positive or None": Range(low=0, low_open=True, none=True),
    "at least 0": Range(low=0),
    "0 to 1": Range(low=0, high=1),
    "below 1": Range(low=0, high=1, high_open=True),
    "lr": Range(low=0, none=True),
    "flag": Range(flag=True),
    "seed": Range(True, 0, 2**64 - 1, none=True),
}
# Narrower than other parameters of their kind: in float32 a smaller eps would be 0.
_OWN = {(name, "eps"): Range(low=float(np.finfo(np.float32).tiny)) for name in
        ("BatchNorm", "LayerNorm")}  # fmt: skip
_OTHERS = {"SGD": {"momentum": 0.9}}  # nesterov needs it


@dataclass(frozen=True)
class Place:
    """One number of one entry point; ``give`` returns the resulting value, or None."""

    name: str
    argument: str
    range: Range
    give: Callable[[Any], Any]
    costs: bool = False  # the number decides how much time or memory the call takes


def _constructed(cls: Any, parameter: str) -> Callable[[Any], Any]:
    given = {**NEEDED.get(cls.__name__, {}), **_OTHERS.get(cls.__name__, {})}
    return lambda value: getattr(cls(**{**given, parameter: value}), parameter, None)


def _assigned(find: Callable[[Training], Any], name: str) -> Callable[[Any], Any]:
    def give(value: Any) -> Any:
        world = Training("float32")
        owner, before = find(world), world.state()
        try:
            setattr(owner, name, value)
        except fm.FastMLPError:
            assert world.state() == before, "something changed"
            raise
        return getattr(owner, name)

    return give


def _fitted(name: str) -> Callable[[Any], Any]:
    def give(value: Any) -> None:
        world = Training("float32")
        before = world.state()
        options = {"epochs": 1, "progress": False, name: value}
        try:
            world.trainer.fit(X, LABELS, **options)
        except fm.FastMLPError:
            assert world.state() == before, "something changed"
            raise

    return give


def _threads(value: Any) -> int:
    with fm.threads(value):
        return fm.get_num_threads()


def _set_threads(value: Any) -> int:
    before = fm.get_num_threads()
    try:
        fm.set_num_threads(value)
        return fm.get_num_threads()
    finally:
        fm.set_num_threads(before)


def _gradcheck(value: Any) -> None:
    net = fm.Sequential(fm.Linear(1, 1), seed=0)
    fm.gradcheck(net, fm.MSELoss(), [[1.0]], [1.0], eps=value)


def places() -> Iterator[Place]:
    for name, cls in sorted(CLASSES_BY_NAME.items()):
        for parameter in inspect.signature(cls).parameters:
            takes = _OWN.get((name, parameter)) or RANGES.get(kind_of(name, parameter))
            if takes is not None:
                yield Place(f"{name}({parameter}=)", parameter, takes, _constructed(cls, parameter))
    lr = RANGES["at least 0"]
    yield Place("Trainer.lr = ", "lr", lr, _assigned(lambda w: w.trainer, "lr"))
    yield Place("optimizer.lr = ", "lr", lr, _assigned(lambda w: w.optimizer, "lr"))
    yield Place("step_count = ", "step_count", Range(True, 0, 2**32 - 1),
                _assigned(lambda w: w.net, "step_count"))  # fmt: skip
    yield Place("fit(epochs=)", "epochs", RANGES["count"], _fitted("epochs"), costs=True)
    yield Place("fit(batch_size=)", "batch_size", RANGES["size or None"], _fitted("batch_size"))
    yield Place("fit(seed=)", "seed", RANGES["seed"], _fitted("seed"))
    yield Place("fit(shuffle=)", "shuffle", RANGES["flag"], _fitted("shuffle"))
    yield Place("fit(check_finite=)", "check_finite", RANGES["flag"], _fitted("check_finite"))
    yield Place("gradcheck(eps=)", "eps", RANGES["positive"], _gradcheck)
    yield Place("threads()", "n", Range(True, 1, 1024), _threads)
    yield Place("set_num_threads()", "n", Range(True, 1, 1024), _set_threads)


PLACES = {place.name: place for place in places()}
GIVEN = [*product(TYPES, range(len(VALUES))), *product(ODDITIES, [None])]


def number(kind: str, which: int | None) -> Any:
    """Make the number; ArithmeticError, ValueError or TypeError if the type has no such value."""
    if which is None:
        return ODDITIES[kind]()
    with np.errstate(all="ignore"):
        return TYPES[kind](VALUES[which])


def verdict(place: Place, value: Any) -> tuple[str, str]:
    """The outcome of passing a number, and what is wrong with it; "" if nothing is."""
    takes = place.range.takes(value)
    if takes and place.costs and value > _FEW:
        return "impossible", ""
    try:
        found = place.give(value)
    except fm.FastMLPError as error:
        message = str(error)
        named = place.argument in message.split(":")[0]
        explained = "got" in message and ("want" in message or "needs" in message)
        right = named and explained and not takes
        return "refused", "" if right else f"raised {type(error).__name__}: {message}"[:200]
    except Exception as error:
        return "refused", f"raised {type(error).__name__}: {error}"[:200]
    if not takes:
        return "taken", "taken, though out of range"
    wanted = value if place.range.whole or place.range.flag or value is None else float(value)
    right = found is None or value is None or found == wanted
    return "taken", "" if right else f"became {found!r}"[:200]
