"""The goals of the presets and of RealMLP, and whether the results reach them."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from bench.tables.figures import Figures

PRESETS = ("fastmlp fast", "fastmlp balanced", "fastmlp best")
FAST, BALANCED, BEST = PRESETS
REALMLP = "fastmlp RealMLP"
HGB, LIGHTGBM, CATBOOST = "HistGradientBoosting", "LightGBM", "CatBoost"
SCIKIT, PYTABKIT = "scikit-learn MLP", "pytabkit RealMLP-TD"
SHARE_OF_WINS = 0.8


@dataclass(frozen=True)
class Goal:
    """A goal, the figure that was reached, if there is one, and whether that is enough."""

    name: str
    wanted: str
    reached: str
    verdict: str


def all_goals(figures: Figures) -> list[Goal]:
    """Every goal; "not measured" where results are missing."""
    return [
        _mean(figures, FAST, HGB, "error", 1.0),
        _mean(figures, FAST, HGB, "fit_wall", 1.0),
        _mean(figures, BALANCED, LIGHTGBM, "error", 1.0),
        _mean(figures, BALANCED, HGB, "error", 1.0),
        _mean(figures, BALANCED, CATBOOST, "error", 1.02),
        _median_time(figures, BALANCED, CATBOOST),
        _mean(figures, BEST, CATBOOST, "error", 0.97),
        _first(figures, BEST, "error"),
        _mean(figures, BEST, CATBOOST, "log_loss", 0.97),
        _first(figures, BEST, "log_loss"),
        *(_wins(figures, preset) for preset in PRESETS),
        _mean(figures, REALMLP, PYTABKIT, "fit_wall", 0.1),
        _mean(figures, REALMLP, PYTABKIT, "error", 1.01),
    ]


_NAMES = {"error": "error", "log_loss": "log loss", "fit_wall": "wall time of a fit"}


def _verdict(reached: float | None, enough: Callable[[float], bool]) -> str:
    if reached is None:
        return "not measured"
    return "pass" if enough(reached) else "FAIL"


def _mean(figures: Figures, name: str, peer: str, what: str, most: float) -> Goal:
    ratio = figures.ratio(name, peer, what, quiet=what == "fit_wall")
    reached = None if ratio is None else ratio.mean
    # "Below" is strict where the goal is 1.
    verdict = _verdict(reached, lambda value: value < most if most == 1.0 else value <= most)
    text = "" if ratio is None else f"{ratio.mean:.3f} on {ratio.tables} tables"
    wanted = f"{'below' if most == 1.0 else 'at most'} {most:g} times {peer}"
    return Goal(f"{name}: {_NAMES[what]}, geometric mean", wanted, text, verdict)


def _median_time(figures: Figures, name: str, peer: str) -> Goal:
    ratios = figures.ratios(name, peer, "fit_wall", quiet=True)
    reached = statistics.median(ratios) if ratios else None
    text = "" if reached is None else f"{reached:.2f} on {len(ratios)} tables"
    verdict = _verdict(reached, lambda value: value <= 1.0)
    return Goal(f"{name}: {_NAMES['fit_wall']}, median", f"at most that of {peer}", text, verdict)


def _first(figures: Figures, name: str, what: str) -> Goal:
    complete = [other for other in figures.names if figures.is_complete(other)]
    ranking = figures.ranking(complete, what) if name in complete else None
    goal = f"{name}: mean rank by {_NAMES[what]}"
    if ranking is None:
        return Goal(goal, "first", "", "not measured")
    place = 1 + sum(rank < ranking.ranks[name] for rank in ranking.ranks.values())
    text = f"{ranking.ranks[name]:.2f}, place {place} of {len(complete)}"
    return Goal(goal, "first", text, _verdict(place, lambda value: value == 1))


def _wins(figures: Figures, name: str) -> Goal:
    ratio = figures.ratio(name, SCIKIT)
    text = "" if ratio is None else f"{ratio.wins} of {ratio.tables}"
    share = None if ratio is None else ratio.wins / ratio.tables
    verdict = _verdict(share, lambda value: value >= SHARE_OF_WINS)
    return Goal(f"{name}: tables with less error than {SCIKIT}", "at least 80 %", text, verdict)
