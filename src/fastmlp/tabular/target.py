"""The target of a table: classes or numbers, and labels exactly as they stand in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.validation import Array
from fastmlp.tabular.columns import typed
from fastmlp.tabular.columns.cells import Cells, factorised
from fastmlp.tabular.columns.chosen import Chosen
from fastmlp.tabular.columns.decision import Hints
from fastmlp.tabular.columns.evidence import is_accepted, listed, shown_texts, unread, weight
from fastmlp.tabular.columns.numbers import Numbers, bare
from fastmlp.tabular.columns.quantities import ambiguous_warning, have_leading_zeros
from fastmlp.tabular.columns.styles import Styled, find_style
from fastmlp.tabular.reading import Frame, TableError
from fastmlp.tabular.reading.arrow import booleans, null

Task = Literal["classification", "regression"]
TASKS = ("classification", "regression")

MOST_NUMBERED_CLASSES = 20  # different whole numbers, for a target to be detected as classes
UNKNOWN = -2  # index of a text that is no label
FEWEST_PER_CLASS = 5  # rows, on average, for the same


@dataclass(frozen=True)
class Target:
    """What is to be predicted, for N rows.

    Attributes
    ----------
    y : ndarray, shape (N,)
        Indices of classes, -1 where missing; or float64 numbers, NaN where missing.
    classes : list of str
        The labels of the classes 0, 1, ... as they stand in the table; empty for a regression.
    notes : tuple of str
        How the target was read where that is not plain, one line each.
    """

    y: Array
    classes: list[str]
    notes: tuple[str, ...] = ()

    @property
    def present(self) -> NDArray[np.bool_]:
        """Mask of the rows that have a target."""
        return self.y >= 0 if self.classes else ~np.isnan(self.y)


def read_target(frame: Frame, name: str, task: Task | None, hints: Hints) -> Target:
    """Read a column as the target. Only empty values, and `hints.missing`, are missing.

    Parameters
    ----------
    frame : Frame
    name : str
    task : {"classification", "regression"}, optional
        By default text, truth values and few different whole numbers are classes, and other
        numbers are a regression.
    hints : Hints

    Raises
    ------
    TableError
        If it has no values, one value only, too many classes, or does not fit the task.
    """
    array = typed.storage(frame.column(name))
    what = typed.class_of(array)
    if what == "":
        raise TableError(f"target {name!r} holds values of the type {array.type}")
    if what == "numbers":
        return _from_numbers(name, array, task, hints)
    cells = Chosen(array).cells() if str(array.type) == "string" else typed.cells_of_typed(array)
    cells = cells.without([text.lower() for text in hints.missing])
    if cells.present == 0:
        raise TableError(f"target {name!r} has no values")
    if what == "text":
        return _from_texts(name, cells, task, hints)
    if task == "regression":
        raise TableError(f"target {name!r} is not numeric, which a regression needs")
    return _classes(name, cells)


def read_known(frame: Frame, name: str, classes: Sequence[str], hints: Hints) -> Target:
    """Read a column as the target of other rows than those of the training.

    Parameters
    ----------
    frame : Frame
    name : str
    classes : sequence of str
        Labels of the training; empty for a regression.
    hints : Hints

    Raises
    ------
    TableError
        If it holds no numbers, or a label that the training has not.
    """
    array = typed.storage(frame.column(name))
    if typed.class_of(array) == "numbers" and not classes:
        return Target(typed.numbers_of(array), [])
    cells = Chosen(array).cells() if str(array.type) == "string" else typed.cells_of_typed(array)
    cells = cells.without([text.lower() for text in hints.missing])
    if not classes:
        styled = find_style(cells, hints)
        if styled is None:
            raise TableError(f"target {name!r} is not numeric, as it was in the training")
        return Target(cells.spread(styled.numbers, np.nan), [])
    texts = cells.values.to_pylist()
    codes = codes_of_texts(texts, classes)
    unknown = np.flatnonzero(codes == UNKNOWN).tolist()
    if unknown:
        text = texts[unknown[0]]
        raise TableError(f"target {name!r} has the class {text!r}, which training has not")
    return Target(cells.spread(codes, -1), list(classes))


def codes_of_texts(texts: Sequence[str | None], classes: Sequence[str]) -> Array:
    """Return the indices of texts among labels: -1 for None, `UNKNOWN` for others."""
    known = {_key(label): index for index, label in enumerate(classes)}
    codes = [-1 if text is None else known.get(_key(text), UNKNOWN) for text in texts]
    return np.array(codes, dtype=np.int64)


def _from_texts(name: str, cells: Cells, task: Task | None, hints: Hints) -> Target:
    styled = None if task == "classification" else find_style(cells, hints)
    if styled is not None:
        bad = unread(cells, styled.numbers)
        if is_accepted(cells, styled.numbers, bad) and (
            task == "regression" or not _are_labels(cells, styled, bad)
        ):
            return _quantity(name, cells, styled, bad)
    if task == "regression":
        example = listed(shown_texts(cells, np.ones(len(cells.values), dtype=bool), 1))
        raise TableError(
            f"target {name!r} is not numeric, which a regression needs: it holds {example}"
        )
    return _classes(name, cells)


def _are_labels(cells: Cells, styled: Styled, bad: NDArray[np.bool_]) -> bool:
    """Tell numbers that are names of classes: few whole ones, or with leading zeros."""
    numbers = styled.numbers[~np.isnan(styled.numbers)]
    if not (numbers == np.floor(numbers)).all():
        return False
    if have_leading_zeros(bare(cells.values, styled.style.unit)):
        return True
    # Counted by their texts, which are exact, and together with the words among them.
    different = len(cells.values.unique().drop_null())
    return different <= min(MOST_NUMBERED_CLASSES, cells.n_rows / FEWEST_PER_CLASS)


def _quantity(name: str, cells: Cells, styled: Styled, bad: NDArray[np.bool_]) -> Target:
    notes = []
    if str(styled.style):
        doubt = f"; {ambiguous_warning(cells, styled)}" if styled.ambiguous else ""
        notes.append(f"target {name!r}: numbers with {styled.style}{doubt}")
    if bad.any():
        shown = listed(shown_texts(cells, bad))
        notes.append(f"target {name!r}: {weight(cells, bad):,} values are no numbers ({shown})")
    y = cells.spread(styled.numbers, np.nan)
    _check_spread(name, y)
    return Target(y, [], tuple(notes))


def _check_spread(name: str, y: Numbers) -> None:
    present = y[~np.isnan(y)]
    if len(present) == 0:
        raise TableError(f"target {name!r} has no values")
    if present.min() == present.max():
        raise TableError(f"target {name!r} is constant: {_number_text(present[0])} throughout")


def _number_text(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _from_numbers(name: str, array: Any, task: Task | None, hints: Hints) -> Target:
    """Take numbers as they are; classes are told apart exactly, however large they are."""
    import pyarrow.compute as pc

    values = typed.numbers_of(array)
    for text in hints.missing:
        values = np.where(values == _float(text), np.nan, values)
    array = pc.if_else(booleans(np.isnan(values)), null(array.type), array)
    different = pc.unique(array).drop_null()
    if len(different) == 0:
        raise TableError(f"target {name!r} has no values")
    if len(different) == 1:
        raise TableError(f"target {name!r} is constant: {different[0].as_py():g} throughout")
    whole = bool((np.floor(values) == values)[~np.isnan(values)].all())
    few = len(different) <= min(MOST_NUMBERED_CLASSES, len(values) / FEWEST_PER_CLASS)
    if task == "regression" or (task is None and not (whole and few)):
        return Target(values, [])
    return _classes(name, typed.cells_of_typed(array))


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _classes(name: str, cells: Cells) -> Target:
    """Take each different text as a class; numbers are in their order, and words in theirs."""
    if cells.codes is None:
        cells = factorised(cells.values)
    texts = cells.values.to_pylist()
    counts = {text: int(n) for text, n in zip(texts, cells.counts, strict=True) if text is not None}
    classes = class_names(name, counts, cells.n_rows)
    labels = _one_spelling(counts)
    index = {label: i for i, label in enumerate(classes)}
    codes = [-1 if text is None else index[labels[text]] for text in texts]
    y = cells.spread(np.array(codes, dtype=np.int64), -1)
    return Target(y, classes, _case_note(name, classes))


def class_names(name: str, counts: dict[str, int], rows: int) -> list[str]:
    """Return the labels of classes in order, by the number of rows of each text.

    Raises
    ------
    TableError
        If there is one only, or hardly any text is there twice.
    """
    classes = sorted(set(_one_spelling(counts).values()), key=_order)
    if len(classes) == 1:
        raise TableError(f"target {name!r} has one class only: {classes[0]!r}")
    if len(classes) > max(2, rows // 2):
        raise TableError(
            f"target {name!r} has {len(classes)} different values in {rows} rows: "
            "too many to be classes"
        )
    return classes


def _one_spelling(counts: dict[str, int]) -> dict[str, str]:
    """Map 1 and 1.0 to the more frequent of them; 007 and 7 are two labels."""
    best: dict[Any, str] = {}
    for text in sorted(counts, key=lambda text: -counts[text]):
        best.setdefault(_key(text), text)
    return {text: best[_key(text)] for text in counts}


def _key(text: str) -> Any:
    # A leading zero makes a label of its own, and large integers are not all floats.
    plain = text.lstrip("-").partition(".")[0]
    number = plain.isdecimal() and (plain == "0" or plain[0] != "0") and len(plain) < 16
    return _float(text) if number and not np.isnan(_float(text)) else text


def _order(label: str) -> tuple[bool, float, int, str]:
    number = _float(label)
    exact = int(label) if label.lstrip("-").isdecimal() else 0
    return (np.isnan(number), 0.0 if np.isnan(number) else number, exact, label)


def _case_note(name: str, classes: list[str]) -> tuple[str, ...]:
    seen: dict[str, str] = {}
    for label in classes:
        other = seen.setdefault(label.casefold(), label)
        if other != label:
            return (f"target {name!r}: {other!r} and {label!r} differ in case only "
                    "and are two classes",)  # fmt: skip
    return ()
