"""The report's two pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.cells import CELLS
from bench.contestants import OURS, PEERS
from bench.figures import ratio_to_fastest, share_of_limit

GOAL = 1.25
COLOURS = {"train": "#1f6fb4", "predict": "#d9822b"}


def draw(found: dict[str, Any], folder: Path, suffix: str) -> list[str]:
    """Write the PNG files; return their names, or nothing if Matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("Agg")
    names = [f"ratios{suffix}.png", f"limits{suffix}.png"]
    made = zip((_ratios, _shares), names, strict=True)
    return [name for function, name in made if function(found, folder / name)]


def _ratios(found: dict[str, Any], path: Path) -> bool:
    """Bars: how many times faster than the fastest peer, for each cell."""
    from matplotlib import pyplot

    ratios = {cell: ratio_to_fastest(found, cell.name) for cell in CELLS}
    shown = [(cell, ratio) for cell, ratio in ratios.items() if ratio is not None][::-1]
    if not shown:
        return False
    figure, axes = pyplot.subplots(figsize=(8, 1.5 + 0.22 * len(shown)), layout="constrained")
    labels = [cell.name for cell, _ in shown]
    colours = [COLOURS[cell.kind] for cell, _ in shown]
    bars = axes.barh(labels, [ratio for _, ratio in shown], color=colours)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=7)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.axvline(GOAL, color="grey", linewidth=1, linestyle="--")
    axes.set_xscale("log")
    axes.margins(x=0.1, y=0.01)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel(f"times faster than the fastest peer (dashed: {GOAL:g})")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return True


def _shares(found: dict[str, Any], path: Path) -> bool:
    """Points: fraction of the multiply-add peak against the work of a step."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name in (OURS, *PEERS):
        shares = [(cell.flops, share_of_limit(found, cell, name)) for cell in CELLS]
        known = sorted((work, share) for work, share in shares if share is not None)
        if known:
            work, share = zip(*known, strict=True)
            size = 40 if name == OURS else 14
            axes.scatter(work, share, s=size, label=name, zorder=3 if name == OURS else 2)
    drawn = bool(axes.collections)
    if drawn:
        axes.set_xscale("log")
        axes.set_ylim(0, 1)
        axes.set_xlabel("FLOP of a step or prediction")
        axes.set_ylabel("share of the multiply-add peak")
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return drawn
