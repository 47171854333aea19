"""The cases of bad input, in a fixed order, and the right outcome of each."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
from tests import harness

import fastmlp as fm
from contract import bad_input_forms as forms
from contract import bad_input_numbers
from contract.bad_input_entries import Entry, entries
from contract.bad_input_forms import Form, Impossible
from contract.bad_input_numbers import GIVEN, PLACES
from contract.bad_input_worlds import Peer
from fastmlp.base.validation import shown

Array = np.ndarray[Any, Any]

ENTRIES = entries()
DTYPES = ("float32", "float64")
# Larger numbers may overflow in float32 but not in the reference, so such results are compared only
# with those of the plain array.
_LARGE = 1e9


@dataclass(frozen=True)
class Case:
    """One call."""

    entry: str
    dtype: str
    form: Form

    def __str__(self) -> str:
        return f"{self.entry} [{self.dtype}] <- {self.form}"


@cache
def _forms(good: tuple[int, ...], with_huge: bool) -> tuple[Form, ...]:
    return tuple(form for form in forms.forms(good) if with_huge or not form.huge)


class Cases(Sequence[Case]):
    """Every case, made on demand; the dtypes of the network alternate."""

    def __init__(self) -> None:
        self._forms = [
            # NumPy would sum a huge view for years before scikit-learn refuses it.
            _forms(entry.good.shape, not of_sklearn(entry))
            for entry in ENTRIES.values()
        ]
        self._ends = list(accumulate(map(len, self._forms)))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: Any) -> Any:
        which = bisect_right(self._ends, index)
        names = tuple(ENTRIES)
        form = self._forms[which][index - self._ends[which]]
        return Case(names[which], DTYPES[index % 2], form)


@dataclass(frozen=True)
class NumberCase:
    """One call with one number; the fields are names in the tables of bad_input_numbers."""

    place: str
    kind: str
    value: int | None

    def __str__(self) -> str:
        value = "" if self.value is None else f" {shown(bad_input_numbers.VALUES[self.value])}"
        return f"{self.place} <- {self.kind}{value}"


class NumberCases(Sequence[NumberCase]):
    """Every call with every number."""

    def __len__(self) -> int:
        return len(PLACES) * len(GIVEN)

    def __getitem__(self, index: Any) -> Any:
        which, given = divmod(index, len(GIVEN))
        return NumberCase(tuple(PLACES)[which], *GIVEN[given])


class Chain(Sequence[Any]):
    """Two sequences, one after the other."""

    def __init__(self, first: Sequence[Any], second: Sequence[Any]) -> None:
        self._first, self._second = first, second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def __getitem__(self, index: Any) -> Any:
        at = index - len(self._first)
        return self._first[index] if at < 0 else self._second[at]


@cache
def every_case() -> Sequence[Any]:
    """Arrays, then numbers."""
    return Chain(Cases(), NumberCases())


class Judge:
    """Runs cases and says what is wrong; keeps worlds that an error must not change."""

    def __init__(self) -> None:
        self._worlds: dict[tuple[str, str], Any] = {}
        self._plain: dict[Any, tuple[list[bytes], str]] = {}
        self.outcomes: dict[str, int] = {}

    def verdict(self, case: Case | NumberCase) -> str:
        """What is wrong with a case; "" if nothing is."""
        return self._of_array(case) if isinstance(case, Case) else self._of_number(case)

    def _of_number(self, case: NumberCase) -> str:
        try:
            value = bad_input_numbers.number(case.kind, case.value)
        except (ArithmeticError, ValueError, TypeError):
            return self._count("impossible", "")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            outcome, finding = bad_input_numbers.verdict(PLACES[case.place], value)
        return self._count(outcome, finding)

    def _of_array(self, case: Case) -> str:
        entry = ENTRIES[case.entry]
        try:
            given, again = (forms.build(case.form, entry.good) for _ in range(2))
        except Impossible:
            return self._count("impossible", "")
        plain = as_array(given)
        key = (case.entry, case.dtype)
        world = self._worlds.pop(key, None) or entry.make(case.dtype)
        if plain is None and given is not None and of_sklearn(entry):
            plain = as_floats(given)
        wanted = self._wanted(entry, given, plain, world.dtype)
        before = world.state()
        try:
            results = self._call(entry, world, again)
        except Exception as error:
            if world.state() != before:
                return f"{type(error).__name__}, and something changed: {error}"
            self._worlds[key] = world
            if of_sklearn(entry):
                return self._count("refused", wrong_for_sklearn(entry, world, error, case.form))
            return self._count("refused", wrong_error(entry, error, wanted, case.form))
        if wanted is not None:
            return f"taken; want an error that names {wanted}"
        if case.form.huge:
            return "taken; want an error for lack of memory"
        return self._count("taken", self._wrong_results(case, plain, results))

    def _count(self, outcome: str, finding: str) -> str:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        return finding

    @staticmethod
    def _call(entry: Entry, world: Any, value: Any) -> list[Any]:
        # Estimators give the warnings of scikit-learn.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if of_sklearn(entry) else "error")
            warnings.filterwarnings("ignore", "the (training )?loss is", RuntimeWarning)
            return entry.call(world, value)

    @staticmethod
    def _wanted(entry: Entry, given: Any, plain: Array | None, dtype: np.dtype[Any]) -> str | None:
        """The argument that an error must name; None: no error, "*": both outcomes are right."""
        if given is None and entry.optional:
            return None
        if entry.argument == "out":
            return None if is_place(given, entry.good.shape, dtype) else "out"
        if entry.rule is None:
            return None
        return entry.argument if plain is None else entry.rule(plain, dtype)

    def _wrong_results(self, case: Case, plain: Array | None, results: list[Any]) -> str:
        entry, dtype = ENTRIES[case.entry], np.dtype(case.dtype)
        if plain is None and of_sklearn(entry):
            # For example labels that are text.
            refused = refused_by_peer(entry, case.dtype, case.form)
            return f"scikit-learn refuses it: {refused!r:.150}" if refused else ""
        plain = None if plain is None or entry.argument == "out" else entry.plain(plain, dtype)
        found = [np.asarray(result).tobytes() for result in results]
        wanted, finding = self._results_of_plain(entry, case.dtype, plain)
        return finding or ("" if found == wanted else "not the bits of the plain array")

    def _results_of_plain(
        self, entry: Entry, dtype: str, plain: Array | None
    ) -> tuple[list[bytes], str]:
        """The bits that a plain array gives, and what is wrong with them."""
        contents = () if plain is None else (plain.shape, plain.dtype.char, plain.tobytes())
        key = (entry.name, dtype, contents)
        if key not in self._plain:
            # scikit-learn accepts a number where it refuses an array without dimensions.
            scalar = plain is not None and plain.ndim == 0 and of_sklearn(entry)
            given = plain.item() if scalar else plain
            try:
                results = self._call(entry, entry.make(dtype), given)
            except Exception as error:
                return [], f"the plain array is refused: {error}"[:200]
            bits = [np.asarray(result).tobytes() for result in results]
            self._plain[key] = (bits, wrong_against_reference(entry, dtype, plain, results))
        return self._plain[key]


def of_sklearn(entry: Entry) -> bool:
    """Whether scikit-learn's checks decide which input is accepted."""
    return entry.rule is None and entry.argument != "out"


def as_array(given: Any) -> Array | None:
    """The array of real numbers that NumPy makes of an object."""
    try:
        array = np.asarray(given)
        masked = np.ma.is_masked(given)
    except Exception:
        return None
    return array if array.dtype.kind in "biuf" and not masked else None


def as_floats(given: Any) -> Array | None:
    """The numbers that scikit-learn makes of an object without a numeric type."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the loss of imaginary parts
        try:
            return np.asarray(given, np.float64)
        except Exception:
            return None


def is_place(given: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether results can be written into this object without a conversion."""
    if not isinstance(given, np.ndarray) or np.ma.is_masked(given):
        return False
    return given.shape == shape and given.dtype == dtype and given.flags.carray


def wrong_error(entry: Entry, error: Exception, wanted: str | None, form: Form) -> str:
    """What is wrong with an error; "" if nothing is."""
    text = f"{type(error).__name__}: {error}"[:200]
    if not isinstance(error, fm.FastMLPError):
        return f"raised {text}"
    message = str(error)
    if isinstance(error, MemoryError):
        fine = form.wants_memory and entry.argument in message.split(":")[0]
        return "" if fine else f"raised {text}"
    if wanted is None:
        return f"refused: {text}"
    named = wanted in message.split(":")[0]
    explained = "got" in message and ("want" in message or "needs" in message)
    return "" if named and explained else f"want {wanted} named, got and want; raised {text}"


def wrong_for_sklearn(entry: Entry, world: Any, error: Exception, form: Form) -> str:
    """An error of an unusual class must be the one that scikit-learn's own estimator raises."""
    if isinstance(error, (ValueError, TypeError)):
        return ""
    if type(refused_by_peer(entry, world.dtype, form)) is type(error):
        return ""
    return f"raised {type(error).__name__}: {error}"[:200]


def refused_by_peer(entry: Entry, dtype: Any, form: Form) -> Exception | None:
    """The error that scikit-learn's own estimator raises, or None."""
    try:
        entry.call(Peer(entry.make(dtype).name, dtype), forms.build(form, entry.good))
    except Exception as error:
        return error
    return None


def wrong_against_reference(
    entry: Entry, dtype: str, plain: Array | None, results: list[Any]
) -> str:
    if entry.expect is None or plain is None:
        return ""
    wide = plain if plain.dtype.kind == "i" else plain.astype(np.float64)
    sizes = np.abs(wide[np.isfinite(wide)])
    if sizes.size and sizes.max() > _LARGE:
        return ""
    with np.errstate(all="ignore"):
        expected = entry.expect(entry.make(dtype), wide)
    kind = plain.dtype if entry.kept_as == "natural" else np.dtype(dtype)
    right = all(close(a, b, kind) for a, b in zip(results, expected, strict=False))
    return "" if right else f"not the reference's results: {results!r:.150}, {expected!r:.150}"


def close(actual: Any, expected: Any, dtype: np.dtype[Any]) -> bool:
    """Whether a result agrees with the reference, up to the rounding of some dozen operations."""
    expected = np.asarray(expected, np.float64)
    beyond = np.abs(expected) > np.finfo(dtype).max if dtype.kind == "f" else False
    expected = np.where(beyond, np.copysign(np.inf, expected), expected)
    if np.asarray(actual).shape != expected.shape:
        return False
    sizes = np.abs(expected[np.isfinite(expected)])
    largest = float(sizes.max(initial=0.0))
    try:
        harness.check(np.asarray(actual, dtype), expected, harness.rounding(62, dtype),
                      magnitude=largest if math.isfinite(largest) else None)  # fmt: skip
    except AssertionError:
        return False
    return True
