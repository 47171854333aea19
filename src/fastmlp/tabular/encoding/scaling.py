"""How the numbers of one column are brought to a range that a network learns well from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular.checking import check_flag, check_keys, check_number, check_numbers
from fastmlp.tabular.encoding.normal import normal_quantile
from fastmlp.tabular.text import four_digits

# Where the smooth clip levels off (the RealMLP paper, arXiv 2407.04491, section 3).
SMOOTH_LIMIT = 3.0
# A number that float32 holds, and that the smooth clip maps to its limit.
_LARGE = 1e15
# Quantiles of a column at most; and rows for each of them at least (TabM's published settings).
_MOST_QUANTILES = 1000
_ROWS_OF_A_QUANTILE = 30
_FEWEST_QUANTILES = 10
# Probabilities are kept away from 0 and 1 by this, so that normal quantiles stay within 5.2.
_MARGIN = 1e-7


@dataclass(frozen=True)
class Affine:
    """The map ``(v - center) * factor``, then a clip.

    Attributes
    ----------
    center, factor : float
    clip : float
        Values are clipped to plus and minus this.
    smooth : bool
        Clip smoothly: ``z / sqrt(1 + (z / clip) ** 2)``.
    """

    center: float
    factor: float
    clip: float
    smooth: bool

    @classmethod
    def standard(cls, values: Array, clip: float) -> Affine:
        """Mean 0 and standard deviation 1 for (N,) numbers; a constant column becomes 0."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean, deviation = float(values.mean()), float(values.std())
        return cls.of_moments(mean, deviation, clip)

    @classmethod
    def of_moments(cls, mean: float, deviation: float, clip: float) -> Affine:
        """Return the standard scaling of a column with these moments."""
        return cls(_finite(mean), _inverse(deviation), clip, smooth=False)

    @classmethod
    def robust(cls, values: Array) -> Affine:
        """Median 0 and distance 1 between the quartiles for (N,) numbers, with a smooth clip.

        If the quartiles are equal, half the range takes the place of their distance.
        """
        low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
        return cls.of_quartiles(low, median, high, values.min(), values.max())

    @classmethod
    def of_quartiles(
        cls, low: float, median: float, high: float, least: float, most: float
    ) -> Affine:
        """Return the robust scaling of a column with these quartiles and this range."""
        with np.errstate(over="ignore"):
            distance = float(high - low) or float(most - least) / 2.0
        return cls.smooth_of(_finite(float(median)), _inverse(distance))

    @classmethod
    def smooth_of(cls, center: float, factor: float) -> Affine:
        """Return the map with this center and factor, and the smooth clip."""
        return cls(center, factor, SMOOTH_LIMIT, smooth=True)

    def apply(self, values: Array) -> Array:
        """Map (N,) finite numbers; the result is float64."""
        with np.errstate(over="ignore"):
            z = np.clip((values - self.center) * self.factor, -_LARGE, _LARGE)
        if not self.smooth:
            return np.clip(z, -self.clip, self.clip)
        smooth: Array = z / np.sqrt(1.0 + (z / self.clip) ** 2)
        return smooth

    def describe(self) -> dict[str, Any]:
        return {"type": "affine", **vars(self)}

    def __str__(self) -> str:
        if self.factor == 0.0:
            return "always 0"
        center, unit = four_digits(self.center), four_digits(1.0 / self.factor)
        what = (
            f"median {center}, scale {unit}" if self.smooth else f"mean {center}, deviation {unit}"
        )
        return f"{what}, {'smoothly ' if self.smooth else ''}clipped at {self.clip:g}"


@dataclass(frozen=True)
class NormalQuantiles:
    """The map to a normal distribution by the quantiles of the training rows.

    It is the map of scikit-learn's ``QuantileTransformer(output_distribution="normal")``.

    Attributes
    ----------
    quantiles : ndarray, shape (Q,)
        Quantiles of the training rows at Q equidistant probabilities, ascending.
    """

    quantiles: Array = field(repr=False)

    @classmethod
    def fit(cls, values: Array) -> NormalQuantiles:
        """Fit to (N,) numbers: one quantile for each 30 rows, 10 to 1,000 of them."""
        count = min(max(len(values) // _ROWS_OF_A_QUANTILE, _FEWEST_QUANTILES), _MOST_QUANTILES)
        return cls(np.maximum.accumulate(np.quantile(values, np.linspace(0.0, 1.0, count))))

    def apply(self, values: Array) -> Array:
        """Map (N,) finite numbers; the result is float64, within -5.2 to 5.2."""
        steps = np.linspace(0.0, 1.0, len(self.quantiles))
        # The mean of the lowest and of the highest probability of a repeated quantile.
        high = np.interp(values, self.quantiles, steps)
        low = 1.0 - np.interp(-values, -self.quantiles[::-1], steps)
        return normal_quantile(np.clip((low + high) / 2.0, _MARGIN, 1.0 - _MARGIN))

    def describe(self) -> dict[str, Any]:
        return {"type": "normal_quantiles", "quantiles": self.quantiles.tolist()}

    def __str__(self) -> str:
        return "normal by quantiles"


Scaling = Affine | NormalQuantiles


def scaling_from_description(description: Any) -> Scaling:
    """Build a scaling from what `describe` returned; it may come from a hostile file.

    Raises
    ------
    ArgumentError
        If it does not have that form.
    """
    kind = description.get("type") if isinstance(description, dict) else None
    if kind == "normal_quantiles":
        check_keys(description, {"type", "quantiles"}, "a scaling")
        quantiles = check_numbers(description["quantiles"], "quantiles")
        if len(quantiles) < 2 or (np.diff(quantiles) < 0).any():
            raise ArgumentError("quantiles must be two ascending numbers or more")
        return NormalQuantiles(quantiles)
    if kind != "affine":
        raise ArgumentError(f"a scaling is of the unknown type {kind!r:.40}")
    check_keys(description, {"type", "center", "factor", "clip", "smooth"}, "a scaling")
    names = ("center", "factor", "clip")
    center, factor, clip = (check_number(description[name], name) for name in names)
    if factor < 0 or clip <= 0:
        raise ArgumentError("a scaling has an invalid factor or clip")
    return Affine(center, factor, clip, check_flag(description["smooth"], "smooth"))


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _inverse(width: float) -> float:
    """Return 1 / width; 0 for a width that is 0 or no finite number, or has no finite inverse."""
    if not math.isfinite(width) or width <= 0.0:
        return 0.0
    inverse = 1.0 / width
    return inverse if math.isfinite(inverse) else 0.0
