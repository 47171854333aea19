"""Columns of numbers, and of dates: filled, and scaled by the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular.checking import check_keys, check_number, check_texts
from fastmlp.tabular.encoding.dates import DATE_PARTS, part_of
from fastmlp.tabular.encoding.levels import quartiles_of_counts
from fastmlp.tabular.encoding.scaling import (
    Affine,
    NormalQuantiles,
    Scaling,
    scaling_from_description,
)

Numbers = Literal["standard", "robust", "quantile"]
# In standard deviations. In a nearly constant column, such as a pixel at the border of a digit, a
# rare value can be hundreds of them from the mean, and a few rows then have a huge loss.
STANDARD_CLIP = 4.0


@dataclass(frozen=True)
class NumberColumn:
    """One input from a column of numbers, or from a part of a date.

    Attributes
    ----------
    name : str
        The column in the table.
    part : str
        A key of `DATE_PARTS`; "" for a column of numbers.
    filling : float
        Takes the place of missing values: the median of the training rows.
    scaling : Scaling
    is_pair : bool
        Whether training has two different values only.
    """

    name: str
    part: str
    filling: float
    scaling: Scaling
    is_pair: bool = False

    @classmethod
    def fit(cls, name: str, part: str, values: Array, numbers: Numbers) -> NumberColumn | None:
        """Fit to (N,) numbers, NaN where missing; None if all that are there are equal."""
        present = values[~np.isnan(values)]
        if part:
            present = part_of(part, present)
        if len(present) == 0 or (present == present[0]).all():
            return None
        least, most = present.min(), present.max()
        is_pair = bool(((present == least) | (present == most)).all())
        filling = float(np.median(present))
        # Normal quantiles would take the rarer of two values far out.
        kind: Numbers = "robust" if is_pair and numbers == "quantile" else numbers
        return cls(name, part, filling, _scaling(present, kind), is_pair)

    def transform(self, values: Array) -> Array:
        """Map (N,) numbers, NaN where missing, to inputs of the network."""
        missing = np.isnan(values)
        parts = part_of(self.part, np.where(missing, 0.0, values)) if self.part else values
        return self.scaling.apply(np.where(missing, self.filling, parts))

    def describe(self) -> dict[str, Any]:
        """Return what `from_description` takes."""
        return {
            "name": self.name,
            "part": self.part,
            "filling": self.filling,
            "scaling": self.scaling.describe(),
        }

    @classmethod
    def from_description(cls, description: Any) -> NumberColumn:
        """Build a column from what `describe` returned; it may come from a hostile file."""
        check_keys(description, {"name", "part", "filling", "scaling"}, "a column of numbers")
        name = check_texts([description["name"]], "name")[0]
        part = description["part"]
        if part not in ("", *DATE_PARTS):
            raise ArgumentError(f"part is {part!r:.40}, expected a part of a date")
        filling = check_number(description["filling"], "filling")
        return cls(name, part, filling, scaling_from_description(description["scaling"]))

    def __str__(self) -> str:
        return f"{self.part}: {self.scaling}" if self.part else str(self.scaling)


@dataclass(frozen=True)
class MissingColumn:
    """One input that tells whether a value is missing."""

    name: str
    values: tuple[float, float]  # where it is there, where it is missing

    def __str__(self) -> str:
        return "an input more for missing values"

    @classmethod
    def fit(cls, name: str, missing: Array, scaled: bool) -> MissingColumn | None:
        """Fit to (N,) truth values; None if all are equal."""
        return cls.of_counts(name, int(np.count_nonzero(missing)), len(missing), scaled)

    @classmethod
    def of_counts(cls, name: str, missing: int, rows: int, scaled: bool) -> MissingColumn | None:
        """Fit to a number of rows, of which some are missing."""
        if missing in (0, rows):
            return None
        if not scaled:
            return cls(name, (0.0, 1.0))
        values = np.array([0.0, 1.0])
        quartiles = quartiles_of_counts(values, np.array([rows - missing, missing]))
        found = Affine.of_quartiles(*quartiles, 0.0, 1.0).apply(values)
        return cls(name, (float(found[0]), float(found[1])))

    def transform(self, missing: Array) -> Array:
        """Map (N,) truth values."""
        return np.where(missing, self.values[1], self.values[0])

    def describe(self) -> dict[str, Any]:
        """Return what `from_description` takes."""
        return {"name": self.name, "values": list(self.values)}

    @classmethod
    def from_description(cls, description: Any) -> MissingColumn:
        """Build a column from what `describe` returned; it may come from a hostile file."""
        check_keys(description, {"name", "values"}, "an indicator of missing values")
        name = check_texts([description["name"]], "name")[0]
        values = description["values"]
        if not isinstance(values, list) or len(values) != 2:
            raise ArgumentError("an indicator of missing values must have two values")
        return cls(name, (check_number(values[0], "values"), check_number(values[1], "values")))


def _scaling(values: Array, numbers: Numbers) -> Scaling:
    if numbers == "quantile":
        return NormalQuantiles.fit(values)
    return Affine.robust(values) if numbers == "robust" else Affine.standard(values, STANDARD_CLIP)
