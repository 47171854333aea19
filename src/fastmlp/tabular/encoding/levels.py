"""Columns of levels: one input for each level, one input of two signs, or a row number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular.checking import check_count, check_flag, check_keys, check_numbers, check_texts
from fastmlp.tabular.encoding.scaling import Affine

Form = Literal["one-hot", "sign", "row"]
MISSING = -1  # the reader's code of a missing value; a level that training has not seen is -2
_MOST_LEVELS = 2**24  # float32 holds whole numbers up to this one


@dataclass(frozen=True)
class LevelColumn:
    """How a column of levels becomes inputs.

    Each row has a place: the levels that training has seen often enough have one each, the rare
    ones share one, and so do missing values if they count as a level. What has no place, such as
    a level that training has not seen, has the last one, "nothing".

    Attributes
    ----------
    name : str
    form : {"one-hot", "sign", "row"}
        One input for each place but the last; one input of +1, -1 and 0 for two places; or the
        number of a row of an embedding, where the last row is for nothing.
    levels : tuple of int
        The reader's codes of the levels that have a place of their own.
    rare, missing : bool
        Whether rare levels, and missing values, have a place.
    scales : tuple of (float, float)
        Center and factor of each input, see `Affine`; empty if inputs are not scaled.
    """

    name: str
    form: Form
    levels: tuple[int, ...]
    rare: bool
    missing: bool
    scales: tuple[tuple[float, float], ...] = ()

    @classmethod
    def fit(
        cls,
        name: str,
        codes: Array,
        *,
        most_one_hot: int | None = None,
        min_frequency: float = 0.0,
        missing_level: bool = False,
        scaled: bool = False,
    ) -> LevelColumn | None:
        """Fit to (N,) codes; None if all rows are alike.

        Parameters
        ----------
        codes : ndarray of int32, shape (N,)
            The reader's codes: -1 is missing.
        most_one_hot : int, optional
            A column with more places becomes the row number of an embedding.
        min_frequency : float
            Levels below this share of the rows are rare: they have one place together.
        missing_level : bool
            Whether missing values are a level, if there are enough of them.
        scaled : bool
            Whether inputs are scaled as columns of numbers are, and two levels are one input.
        """
        counts = np.bincount(codes[codes >= 0])
        missing = int(np.count_nonzero(codes == MISSING))
        return cls.of_counts(
            name, counts, missing, len(codes), most_one_hot=most_one_hot,
            min_frequency=min_frequency, missing_level=missing_level, scaled=scaled,
        )  # fmt: skip

    @classmethod
    def of_counts(
        cls,
        name: str,
        counts: Array,
        n_missing: int,
        n_rows: int,
        *,
        most_one_hot: int | None = None,
        min_frequency: float = 0.0,
        missing_level: bool = False,
        scaled: bool = False,
    ) -> LevelColumn | None:
        """Fit to the number of rows of each code; the options are those of `fit`."""
        fewest = min_frequency * n_rows
        frequent = np.flatnonzero((counts > 0) & (counts >= fewest))
        missing = missing_level and n_missing >= max(fewest, 1.0)
        rare = bool(counts.sum() > counts[frequent].sum())
        found = cls(name, "one-hot", tuple(frequent.tolist()), rare, bool(missing))
        rows = found._rows_of_places(counts, n_missing, n_rows)
        if np.count_nonzero(rows) < 2:
            return None
        if most_one_hot is not None and found.places > most_one_hot:
            return found._with("row")
        if scaled:
            return found._with("sign" if found.places == 2 else "one-hot", rows)
        return found

    def _rows_of_places(self, counts: Array, n_missing: int, n_rows: int) -> Array:
        """Return the number of rows at each place, by the number of rows of each code."""
        rows = np.zeros(self.places + 1, np.int64)
        np.add.at(rows, self.place(np.arange(len(counts))), counts)
        rows[self.place(np.array([MISSING]))[0]] += n_missing
        rows[-1 if not self.rare else len(self.levels)] += n_rows - counts.sum() - n_missing
        return rows

    def _with(self, form: Form, rows: Array | None = None) -> LevelColumn:
        """Return another form of this column, scaled by the number of rows at each place."""
        raw = _unscaled(form, self.places)
        scales: list[tuple[float, float]] = []
        if rows is not None:
            for values in raw.T:
                low, median, high = quartiles_of_counts(values, rows)
                there = values[rows > 0]
                one = Affine.of_quartiles(low, median, high, there.min(), there.max())
                scales.append((one.center, one.factor))
        return LevelColumn(self.name, form, self.levels, self.rare, self.missing, tuple(scales))

    @property
    def places(self) -> int:
        """Number of places, without that of nothing."""
        return len(self.levels) + self.rare + self.missing

    @property
    def width(self) -> int:
        """Number of inputs."""
        return self.places if self.form == "one-hot" else 1

    @cached_property
    def table(self) -> Array:
        """The inputs at each place, (places + 1, width), float64."""
        found = _unscaled(self.form, self.places)
        for column, (center, factor) in enumerate(self.scales):
            found[:, column] = Affine.smooth_of(center, factor).apply(found[:, column])
        return found

    def transform(self, codes: Array) -> Array:
        """Map (N,) codes of the reader to (N, width) inputs."""
        found: Array = self.table[self.place(codes)]
        return found

    def place(self, codes: Array) -> Array:
        """Return the places of (N,) codes of the reader."""
        nothing = self.places
        other = len(self.levels) if self.rare else nothing
        size = max(self.levels, default=-1) + 1
        lookup = np.full(size + 2, other, np.int64)
        lookup[list(self.levels)] = np.arange(len(self.levels))
        lookup[-1] = nothing - 1 if self.missing else nothing
        known = np.where((codes >= 0) & (codes < size), codes, size)
        found: Array = lookup[np.where(codes == MISSING, size + 1, known)]
        return found

    def describe(self) -> dict[str, Any]:
        """Return what `from_description` takes."""
        lists = {"levels": list(self.levels), "scales": [list(pair) for pair in self.scales]}
        return {"name": self.name, "form": self.form, "rare": self.rare,
                "missing": self.missing, **lists}  # fmt: skip

    @classmethod
    def from_description(cls, description: Any) -> LevelColumn:
        """Build a column from what `describe` returned; it may come from a hostile file.

        Raises
        ------
        ArgumentError
            If it does not have that form.
        """
        keys = {"name", "form", "levels", "rare", "missing", "scales"}
        check_keys(description, keys, "a column of levels")
        name = check_texts([description["name"]], "name")[0]
        form, levels, scales = (description[key] for key in ("form", "levels", "scales"))
        if form not in get_args(Form) or not isinstance(levels, list):
            raise ArgumentError("a column of levels has an unknown form, or no list of levels")
        codes = tuple(check_count(code, "a level", _MOST_LEVELS) for code in levels)
        if len(set(codes)) != len(codes):
            raise ArgumentError("levels must all be different")
        rare, missing = (check_flag(description[key], key) for key in ("rare", "missing"))
        found = cls(name, form, codes, rare, missing, _checked_scales(scales))
        if found.places < 1 or (form == "sign" and found.places != 2):
            raise ArgumentError("a column of levels has a wrong number of them")
        if len(found.scales) not in (0, found.width):
            raise ArgumentError("a column of levels has a wrong number of scales")
        return found

    def __str__(self) -> str:
        more = [word for word, there in (("rare ones together", self.rare),
                                         ("missing", self.missing)) if there]  # fmt: skip
        text = ", ".join([f"{len(self.levels)} levels", *more])
        forms = {"one-hot": "an input each", "sign": "as +1 and -1", "row": "embedded"}
        return f"{text}; {forms[self.form]}"


def _unscaled(form: Form, places: int) -> Array:
    """Return the inputs at each place, before scaling: (places + 1, width)."""
    if form == "sign":
        return np.array([[1.0], [-1.0], [0.0]])
    if form == "row":
        return np.arange(places + 1, dtype=np.float64)[:, None]
    return np.eye(places + 1, places)


def quartiles_of_counts(values: Array, rows: Array) -> tuple[float, float, float]:
    """Return the quartiles of a column that has each of the `values` in so many `rows`."""
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(rows[order])
    at = np.array([0.25, 0.5, 0.75]) * (ends[-1] - 1)
    low, high = (
        values[order][np.searchsorted(ends, edge, side="right")]
        for edge in (np.floor(at), np.ceil(at))
    )
    first, median, last = (low + (high - low) * (at - np.floor(at))).tolist()
    return first, median, last


def _checked_scales(scales: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(scales, list):
        raise ArgumentError("scales must be a list of pairs")
    pairs = [check_numbers(pair, "scales").tolist() for pair in scales]
    if any(len(pair) != 2 or pair[1] < 0 for pair in pairs):
        raise ArgumentError("scales must be pairs of a center and a factor of at least 0")
    return tuple((center, factor) for center, factor in pairs)
