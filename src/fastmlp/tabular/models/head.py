"""From the outputs of a network to predictions, and from targets to what it is trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular.checking import check_keys, check_number


@dataclass(frozen=True)
class Head:
    """What a network's outputs mean.

    Attributes
    ----------
    classes : int
        Number of classes; 0 for a regression.
    members : int
        Number of predictions for a row, side by side; the mean of them counts. For classes it is
        the mean of their probabilities.
    mean, scale : float
        Of the target of a regression, which the network sees as ``(y - mean) / scale``.
    low, high : float
        Range that the predictions of a regression are limited to; infinite without a limit.
    """

    classes: int
    members: int = 1
    mean: float = 0.0
    scale: float = 1.0
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def fit(cls, y: Array, classes: int, *, members: int = 1, clamp: bool = False) -> Head:
        """Fit to the (N,) targets of the training rows: class indices or numbers."""
        if classes:
            return cls(classes, members)
        with np.errstate(over="ignore", invalid="ignore"):
            mean, deviation = float(y.mean()), float(y.std())
        if not math.isfinite(mean + deviation):
            raise ArgumentError("the target holds numbers too large to standardise")
        least, most = float(y.min()), float(y.max())
        # Of equal targets, all predictions are that number.
        limits = (least, most) if clamp or least == most else (-math.inf, math.inf)
        return cls(0, members, mean, deviation or 1.0, *limits)

    @property
    def width(self) -> int:
        """Number of outputs of the network."""
        return (self.classes or 1) * self.members

    def target(self, y: Array, dtype: Any) -> Array:
        """Return what the network is trained on: labels (N,), or scaled numbers (N, 1)."""
        if self.classes:
            return y
        scaled: Array = ((y - self.mean) / self.scale)[:, None].astype(dtype)
        return scaled

    def outputs(self, scores: Array) -> Array:
        """Return probabilities (N, classes), or numbers (N,), float64, for scores (N, width)."""
        folded = scores.astype(np.float64).reshape(len(scores), self.members, -1)
        if self.classes:
            powers = np.exp(folded - folded.max(axis=2, keepdims=True))
            found: Array = (powers / powers.sum(axis=2, keepdims=True)).mean(axis=1)
            return found
        values: Array = folded.mean(axis=1)[:, 0] * self.scale + self.mean
        return np.clip(values, self.low, self.high)

    def describe(self) -> dict[str, Any]:
        """Return what `from_description` takes."""
        limits = [None if math.isinf(limit) else limit for limit in (self.low, self.high)]
        return {**vars(self), "low": limits[0], "high": limits[1]}

    @classmethod
    def from_description(cls, description: Any) -> Head:
        """Build a head from what `describe` returned; it may come from a hostile file.

        Raises
        ------
        ArgumentError
            If it does not have that form.
        """
        check_keys(description, {"classes", "members", "mean", "scale", "low", "high"}, "the head")
        classes, members = description["classes"], description["members"]
        if type(classes) is not int or classes < 0 or classes == 1:
            raise ArgumentError(f"the number of classes is {classes!r:.40}")
        if type(members) is not int or members < 1:
            raise ArgumentError(f"the number of members is {members!r:.40}")
        mean, scale = (check_number(description[key], key) for key in ("mean", "scale"))
        low, high = (
            limit if description[key] is None else check_number(description[key], key)
            for key, limit in (("low", -math.inf), ("high", math.inf))
        )
        if scale <= 0 or low > high:
            raise ArgumentError("the target's scale is not positive, or its range is empty")
        return cls(classes, members, mean, scale, low, high)
