"""Comparisons of contestants over tables: means, ratios, ranks and critical differences.

Ranks and critical differences follow Demšar, "Statistical comparisons of classifiers over multiple
data sets", JMLR 7 (2006).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.problems import Array
from bench.tables.store import is_quiet

ALPHA = 0.05


@dataclass(frozen=True)
class Ratio:
    """One contestant over another: geometric mean over tables, tables where it is less, tables."""

    mean: float
    wins: int
    tables: int


@dataclass(frozen=True)
class Ranking:
    """Mean ranks over tables (1 is best), the Friedman test's p, the critical difference."""

    ranks: Mapping[str, float]
    tables: int
    p: float
    difference: float


class Figures:
    """The results of a run, by contestant, table and seed; a failed fit is no result."""

    def __init__(self, results: Iterable[Mapping[str, Any]], order: Sequence[str]) -> None:
        self.found: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = {}
        for row in results:
            if "failed" not in row:
                tables = self.found.setdefault(row["contestant"], {})
                tables.setdefault(row["table"], {})[row["seed"]] = row
        self.names = [name for name in order if name in self.found]
        self.tables = list(dict.fromkeys(t for name in self.names for t in self.found[name]))
        self.seeds = {s for name in self.names for t in self.found[name].values() for s in t}

    def is_complete(self, name: str) -> bool:
        """Whether a contestant has a result of each table and seed."""
        fits = sum(map(len, self.found.get(name, {}).values()))
        return fits > 0 and fits == len(self.tables) * len(self.seeds)

    def mean(
        self, name: str, table: str, what: str, seeds: Collection[int] | None = None,
        quiet: bool = False,
    ) -> float | None:  # fmt: skip
        """The mean of a figure over seeds; of wall times only those of a quiet machine count."""
        values = [
            row.get(what)
            for seed, row in self.found.get(name, {}).get(table, {}).items()
            if (seeds is None or seed in seeds) and (is_quiet(row) or not quiet)
        ]
        known = [value for value in values if value is not None]
        return statistics.mean(known) if known else None

    def least(self, name: str, table: str) -> float:
        """The smallest error that a ratio is made of: half a wrong row."""
        rows = [row["test_rows"] for row in self.found[name][table].values()]
        return 0.5 / max(rows)

    def ratios(self, name: str, peer: str, what: str = "error", quiet: bool = False) -> list[float]:
        """Of each table that both have, the mean over their common seeds over the peer's."""
        found = []
        for table in self.tables:
            mine, theirs = (self.found.get(n, {}).get(table, {}) for n in (name, peer))
            seeds = set(mine) & set(theirs)
            values = [self.mean(n, table, what, seeds, quiet) if seeds else None
                      for n in (name, peer)]  # fmt: skip
            if None not in values:
                least = self.least(name, table) if what == "error" else 0.0
                a, b = (max(float(value), least) for value in values)  # type: ignore[arg-type]
                if a > 0.0 and b > 0.0:
                    found.append(a / b)
        return found

    def ratio(self, name: str, peer: str, what: str = "error", quiet: bool = False) -> Ratio | None:
        """The geometric mean of `ratios`, or None without a common table."""
        ratios = self.ratios(name, peer, what, quiet)
        if not ratios:
            return None
        mean = math.exp(statistics.mean(map(math.log, ratios)))
        return Ratio(mean, sum(ratio < 1.0 for ratio in ratios), len(ratios))

    def ranking(self, names: Sequence[str], what: str = "error") -> Ranking | None:
        """Ranks over the tables that all of these have; None with fewer than two of either."""
        rows = []
        for table in self.tables:
            values = [self.mean(name, table, what) for name in names]
            if None not in values:
                rows.append(values)
        if len(rows) < 2 or len(names) < 2:
            return None
        return ranking(np.array(rows, np.float64), names)


def ranking(values: Array, names: Sequence[str]) -> Ranking:
    """Rank the columns of (tables, contestants) in each row; equal values share their ranks."""
    from scipy.stats import friedmanchisquare, rankdata

    ranks = np.array([rankdata(row) for row in values])
    # The test needs three columns; it has no answer if all ranks are equal.
    p = float(friedmanchisquare(*values.T).pvalue) if len(names) > 2 else math.nan
    means = dict(zip(names, ranks.mean(axis=0).tolist(), strict=True))
    return Ranking(means, len(values), p, critical_difference(len(names), len(values)))


def critical_difference(contestants: int, tables: int, alpha: float = ALPHA) -> float:
    """Mean ranks that differ by less are not significantly different (Nemenyi test)."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1.0 - alpha, contestants, math.inf)) / math.sqrt(2.0)
    return q * math.sqrt(contestants * (contestants + 1) / (6.0 * tables))


def groups(ranking: Ranking) -> list[list[str]]:
    """The largest sets of adjacent contestants whose ranks do not differ significantly."""
    names = sorted(ranking.ranks, key=ranking.ranks.__getitem__)
    found: list[list[str]] = []
    for i, first in enumerate(names):
        near = [n for n in names[i:] if ranking.ranks[n] - ranking.ranks[first]
                < ranking.difference]  # fmt: skip
        if len(near) > 1 and not (found and set(near) <= set(found[-1])):
            found.append(near)
    return found
