"""The registry of contestants. A new one needs one row here and one small class.

A class has ``__init__(context)`` (`bench.tables.contestants.base.Context`), which imports what it
needs, ``fit(frame, y)``, and ``predict(frame)``, which returns probabilities (N, classes) or
numbers (N,). All settings are those that a library ships with.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.tables.version import version_of_fastmlp

_HERE = "bench.tables.contestants"
OURS = "fastmlp"


@dataclass(frozen=True)
class Row:
    """The class of a contestant, the packages that it needs (the first has its version)."""

    name: str
    place: str
    packages: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    usual: bool = True  # whether it runs without being named

    @property
    def ours(self) -> bool:
        return self.packages[0] == OURS

    def missing(self) -> str:
        """The reason why it cannot run here; empty if it can."""
        absent = [name for name in self.packages if importlib.util.find_spec(name) is None]
        return f"not installed: {', '.join(absent)}" if absent else ""

    def version(self) -> str:
        if self.ours:
            return version_of_fastmlp("optuna" in self.packages)
        distribution = {"sklearn": "scikit-learn"}.get(self.packages[0], self.packages[0])
        return importlib.metadata.version(distribution)

    def load(self) -> Any:
        module, _, name = self.place.partition(":")
        return getattr(importlib.import_module(module), name)


CONTESTANTS: dict[str, Row] = {
    row.name: row
    for row in (
        Row("fastmlp fast", f"{_HERE}.ours:Estimator", (OURS,), {"preset": "fast"}),
        Row("fastmlp balanced", f"{_HERE}.ours:Estimator", (OURS,), {"preset": "balanced"}),
        Row("fastmlp best", f"{_HERE}.ours:Estimator", (OURS,), {"preset": "best"}),
        # One network of each kind, as pytabkit fits one.
        Row("fastmlp RealMLP", f"{_HERE}.ours:Estimator", (OURS,), {"alone": "RealMLP"}),
        Row("fastmlp TabM", f"{_HERE}.ours:Estimator", (OURS,), {"alone": "TabM"}),
        # Ten minutes a table, or one; only if named.
        Row("fastmlp tuned", f"{_HERE}.ours:Tuned", (OURS, "optuna"), {"time_budget": 600.0},
            usual=False),
        Row("fastmlp tuned 60 s", f"{_HERE}.ours:Tuned", (OURS, "optuna"), {"time_budget": 60.0},
            usual=False),
        Row("scikit-learn MLP", f"{_HERE}.networks:ScikitMLP", ("sklearn",)),
        Row("HistGradientBoosting", f"{_HERE}.trees:HistGradientBoosting", ("sklearn",)),
        Row("LightGBM", f"{_HERE}.trees:LightGBM", ("lightgbm",)),
        Row("CatBoost", f"{_HERE}.trees:CatBoost", ("catboost",)),
        Row("pytabkit RealMLP-TD", f"{_HERE}.networks:Pytabkit", ("pytabkit", "torch"),
            {"model": "RealMLP_TD"}),
        Row("pytabkit TabM", f"{_HERE}.networks:Pytabkit", ("pytabkit", "torch"),
            {"model": "TabM_D"}),
    )
}  # fmt: skip


def chosen_contestants(names: Iterable[str] | None) -> list[Row]:
    """The rows with these names, by default the usual ones; an unknown name ends the program."""
    usual = [name for name, row in CONTESTANTS.items() if row.usual]
    wanted = usual if names is None else list(names)
    if unknown := [name for name in wanted if name not in CONTESTANTS]:
        raise SystemExit(f"unknown contestants {unknown}; want some of {', '.join(CONTESTANTS)}")
    return [CONTESTANTS[name] for name in wanted]
