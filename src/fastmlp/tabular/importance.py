"""Permutation importance: how much worse the score gets when a column is shuffled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.scores import Metric
from fastmlp.tabular.text import four_digits

if TYPE_CHECKING:
    from fastmlp.tabular.columns.table import ReadColumn, ReadTable

REPEATS = 5
MOST_ROWS = 1000
# Rows times columns squared that are encoded, each column being shuffled once with all others.
MOST_WORK = 100_000_000
FEWEST_ROWS = 50
MOST_COLUMNS = 300  # a table of more has no importance: it would take longer than the training
BAR = 30  # characters of the longest bar


@dataclass(frozen=True)
class Importance:
    """How much each column matters to a model, the most important one first.

    Attributes
    ----------
    metric : str
        The score, by its label.
    names : tuple of str
    means, deviations : tuple of float
        How much worse the score is with the column shuffled: mean and standard deviation.
    """

    metric: str
    names: tuple[str, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    def lines(self, most: int) -> list[str]:
        """Return lines of text with a bar for each of the most important columns."""
        shown = list(zip(self.names, self.means, strict=True))[:most]
        width = max((len(name) for name, _ in shown), default=0)
        largest = max((mean for _, mean in shown), default=0.0)
        lines = [f"importance: how much worse {self.metric} gets when the column is shuffled"]
        for name, mean in shown:
            bar = "#" * round(BAR * mean / largest) if largest > 0 and mean > 0 else ""
            lines.append(f"  {name:<{width}}  {four_digits(mean):>8}  {bar}".rstrip())
        if len(self.names) > most:
            lines.append(f"  and {len(self.names) - most} more columns")
        return lines


def permutation_importance(
    outputs: Callable[[ReadTable], Array], read: ReadTable, true: Array, metric: Metric,
    positive: int = 1, threshold: float = 0.5, repeats: int = REPEATS, seed: int = 0,
) -> Importance:  # fmt: skip
    """Shuffle one column after the other and score the model again.

    Breiman, Random Forests, Machine Learning 45, 2001, as `sklearn.inspection` does it, on at
    most 1,000 rows; on fewer if there are many columns.

    Parameters
    ----------
    outputs : callable
        The model: from a read table of n rows to (n, C) probabilities or (n,) numbers.
    read : ReadTable
        Rows that the model was not trained on.
    true : ndarray, shape (n,)
        Class indices or numbers.
    metric : Metric
    positive, threshold
        As in `measure`.
    repeats : int
    seed : int
    """
    random = np.random.RandomState(seed)
    within = MOST_WORK // (len(read.columns) ** 2 * repeats)
    most = min(max(within, FEWEST_ROWS), MOST_ROWS)
    if len(true) > most:
        chosen = np.sort(random.choice(len(true), most, replace=False))
        read, true = read.rows(chosen), true[chosen]
    count = len(true)

    def score(found: Array) -> float:
        return metric.sign * metric.of(true, found, None, positive, threshold)

    usual = score(outputs(read))
    orders = np.concatenate([random.permutation(count) for _ in range(repeats)])
    # All repeats are one call of the model.
    stacked = read.rows(np.tile(np.arange(count), repeats))
    losses = np.empty((len(read.columns), repeats))
    for place, column in enumerate(read.columns):
        found = outputs(_with_column(stacked, place, column.rows(orders)))
        losses[place] = [usual - score(part) for part in np.split(found, repeats)]
    means = losses.mean(axis=1)
    order = np.argsort(-means, kind="stable")
    return Importance(
        metric.label,
        tuple(read.columns[k].name for k in order),
        tuple(means[order].tolist()),
        tuple(losses.std(axis=1)[order].tolist()),
    )


def _with_column(read: ReadTable, place: int, column: ReadColumn) -> ReadTable:
    columns = list(read.columns)
    columns[place] = column
    return replace(read, columns=tuple(columns))
