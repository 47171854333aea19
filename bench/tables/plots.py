"""The report's pictures: critical differences, and error against time."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

from bench.tables.figures import Figures, Ranking, groups

OURS, OTHERS = "#1f6fb4", "#d9822b"


def draw(figures: Figures, folder: Path) -> list[str]:
    """Write the PNG files; return their names, or nothing if Matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("Agg")
    names = []
    ranking = figures.ranking([n for n in figures.names if figures.is_complete(n)])
    if ranking is not None:
        names.append("tables-ranks.png")
        _ranks(ranking, folder / names[-1])
    if points := _points(figures):
        names.append("tables-time.png")
        _times(points, folder / names[-1])
    if len(figures.names) > 1:
        names.append("tables-errors.png")
        _errors(figures, folder / names[-1])
    return names


def _colour(name: str) -> str:
    return OURS if name.startswith("fastmlp") else OTHERS


def _ranks(ranking: Ranking, path: Path) -> None:
    """Mean ranks on a line; a bar joins those that do not differ significantly."""
    from matplotlib import pyplot

    names = sorted(ranking.ranks, key=ranking.ranks.__getitem__)
    same = groups(ranking)
    figure, axes = pyplot.subplots(
        figsize=(8, 0.8 + 0.3 * len(names) + 0.15 * len(same)), layout="constrained"
    )
    for line, name in enumerate(names):
        rank = ranking.ranks[name]
        axes.plot([rank, rank], [0, -1 - line], color="lightgrey", linewidth=1, zorder=1)
        axes.plot(rank, 0, "o", color=_colour(name), zorder=3)
        axes.annotate(f" {name} ({rank:.2f})", (rank, -1 - line), va="center", fontsize=8)
    for line, joined in enumerate(same):
        ends = [ranking.ranks[joined[0]], ranking.ranks[joined[-1]]]
        axes.plot(ends, [0.4 + 0.4 * line] * 2, color="black", linewidth=3)
    axes.plot([1, 1 + ranking.difference], [1 + 0.4 * len(same)] * 2, color="grey", marker="|")
    axes.annotate("critical difference", (1, 1.2 + 0.4 * len(same)), fontsize=8)
    axes.set_xlim(1 - 0.1, len(names) * 1.15)
    axes.set_ylim(-1.6 - len(names), 2 + 0.4 * len(same))
    axes.set_yticks([])
    axes.set_xlabel(f"mean rank by error over {ranking.tables} tables (1 is best)")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _points(figures: Figures) -> dict[str, tuple[float, float]]:
    """(Geometric mean of CPU seconds, of the error over the table's least) by contestant."""
    points = {}
    for name in figures.names:
        if not figures.is_complete(name):
            continue
        over = _over_best(figures, name)
        seconds = [figures.mean(name, t, "fit_cpu") for t in figures.tables]
        points[name] = (_geometric([s for s in seconds if s]), _geometric(over))
    return points


def _over_best(figures: Figures, name: str) -> list[float]:
    found = []
    for table in figures.tables:
        errors = {n: figures.mean(n, table, "error") for n in figures.names}
        known = {n: max(e, figures.least(n, table)) for n, e in errors.items() if e is not None}
        if name in known:
            found.append(known[name] / min(known.values()))
    return found


def _geometric(values: list[float]) -> float:
    return math.exp(statistics.mean(map(math.log, values)))


def _times(points: dict[str, tuple[float, float]], path: Path) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name, (seconds, error) in points.items():
        axes.scatter(seconds, error, color=_colour(name), s=40)
        axes.annotate(f" {name}", (seconds, error), fontsize=8, va="center")
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set_xlabel("CPU seconds of a fit, geometric mean over the tables")
    axes.set_ylabel("error over the least of all contestants, geometric mean")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _errors(figures: Figures, path: Path) -> None:
    """Points: each table's error over the least error of all contestants."""
    from matplotlib import pyplot

    names = figures.names[::-1]
    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.4 * len(names)), layout="constrained")
    for line, name in enumerate(names):
        over: list[Any] = _over_best(figures, name)
        axes.scatter(over, [line] * len(over), color=_colour(name), alpha=0.5, s=18)
        axes.plot([_geometric(over)] * 2, [line - 0.3, line + 0.3], color="black", linewidth=2)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("error over the least of all contestants, each table (line: geometric mean)")
    axes.grid(alpha=0.3, axis="x")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
