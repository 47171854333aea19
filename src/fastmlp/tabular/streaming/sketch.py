"""Quantiles of numbers that pass by once.

Values are kept while they fit. After that, full buffers of equal weight are merged in pairs: of the
sorted values of both, every second one stays, with twice the weight (Munro and Paterson, Selection
and sorting with limited storage, 1980; Manku, Rajagopalan and Lindsay, SIGMOD 1998).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

SIZE = 1 << 15  # values of a buffer


class Sketch:
    """The distribution of finite numbers.

    Parameters
    ----------
    most : int
        So many values are kept exactly.
    size : int
        Values of a buffer after that. The rank of a quantile is then wrong by at most
        `rank_error`, a share of the values: 0.0002 for a hundred million.

    Attributes
    ----------
    count : int
    mean, deviation : float
        Of all values, with rounding errors only.

    Examples
    --------
    >>> sketch = Sketch(most=1000, size=256)
    >>> for part in range(100):
    ...     sketch.add(np.arange(1000.0) + 1000 * part)
    >>> bool(abs(np.median(sketch.values()) - 50_000) < 100_000 * sketch.rank_error)
    True
    """

    def __init__(self, most: int, size: int = SIZE) -> None:
        self._most, self._size = most, size
        self._parts: list[Numbers] = []
        self._held = 0
        self._levels: list[Numbers | None] | None = None
        self._odd: list[int] = []
        self._few = np.empty(0)  # the first different values, up to three
        self._least, self._greatest = math.inf, -math.inf
        self._squares = 0.0
        self.count, self.mean = 0, 0.0

    @property
    def is_exact(self) -> bool:
        """Whether all values are still there."""
        return self._levels is None

    @property
    def deviation(self) -> float:
        return math.sqrt(self._squares / self.count) if self.count else 0.0

    @property
    def rank_error(self) -> float:
        """Bound on the error of the rank of a quantile, as a share of the values."""
        return 0.0 if self._levels is None else (len(self._levels) + 2) / (2 * self._size)

    def add(self, values: Numbers) -> None:
        """Add numbers, (N,), none of them NaN."""
        if len(values) == 0:
            return
        self._add_moments(values)
        self._least = min(self._least, float(values.min()))
        self._greatest = max(self._greatest, float(values.max()))
        if len(self._few) < 3 and not np.isin(values, self._few).all():
            self._few = np.unique(np.append(self._few, np.unique(values)[:3]))[:3]
        self._parts.append(values)
        self._held += len(values)
        if self._levels is None and self.count > self._most:
            self._levels = []
        if self._levels is not None and self._held >= self._size:
            self._pour()

    def values(self) -> Numbers:
        """Return numbers with the same distribution: all of them in their order, or quantiles.

        Least and greatest value are among them, and three different ones if there are three.
        """
        if self._levels is None:
            return np.concatenate([np.empty(0), *self._parts])
        buffers = [(buffer, 1 << level) for level, buffer in enumerate(self._levels)
                   if buffer is not None]  # fmt: skip
        buffers += [(part, 1) for part in self._parts]
        values = np.concatenate([buffer for buffer, _ in buffers])
        weights = np.concatenate([np.full(len(buffer), weight) for buffer, weight in buffers])
        order = np.argsort(values, kind="stable")
        ends = np.cumsum(weights[order])
        ranks = (np.arange(self._size) + 0.5) / self._size * ends[-1]
        found = values[order][np.searchsorted(ends, ranks)]
        return np.sort(np.concatenate([found, self._few, [self._least, self._greatest]]))

    def _add_moments(self, values: Numbers) -> None:
        """Join mean and squares (Chan, Golub and LeVeque, 1979)."""
        count, old = len(values), self.count
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            squares = float(((values - mean) ** 2).sum())
            step = mean - self.mean
            self.count = old + count
            self.mean += step * count / self.count
            self._squares += squares + step * step * (old * count / self.count)

    def _pour(self) -> None:
        """Sort what waits into buffers."""
        waiting = np.concatenate(self._parts)
        whole = len(waiting) - len(waiting) % self._size
        for begin in range(0, whole, self._size):
            self._carry(np.sort(waiting[begin : begin + self._size]))
        rest = waiting[whole:].copy()
        self._parts, self._held = [rest], len(rest)

    def _carry(self, buffer: Numbers) -> None:
        """Put a buffer on the lowest level; two of a level become one of the next."""
        assert self._levels is not None
        for level in range(64):
            if level == len(self._levels):
                self._levels.append(None)
                self._odd.append(0)
            other = self._levels[level]
            if other is None:
                self._levels[level] = buffer
                return
            self._levels[level] = None
            both = np.sort(np.concatenate([other, buffer]), kind="stable")
            buffer = both[self._odd[level] :: 2].copy()
            # Now the upper, now the lower one of each pair: errors balance each other.
            self._odd[level] ^= 1
