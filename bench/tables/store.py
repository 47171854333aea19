"""The file of results: a line of JSON for each fit, written as soon as it is there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# What tells results apart; a later line replaces an earlier one with the same values.
KEY = ("contestant", "version", "table", "seed")
# While other programs use more processors than this, wall times mean nothing.
QUIET = 0.1


class Store:
    """Results in a file; several programs may add to it at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, result: dict[str, Any]) -> None:
        """Append a result in one write."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")

    def all(self) -> list[dict[str, Any]]:
        """All results in the order in which they came, only the last one of each key."""
        if not self.path.exists():
            return []
        lines = self.path.read_text("utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.strip()]
        return list({tuple(row[name] for name in KEY): row for row in found}.values())


def newest_versions(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each contestant, the results of the version that was measured last."""
    results = list(results)
    newest = {row["contestant"]: row["version"] for row in results}
    return [row for row in results if row["version"] == newest[row["contestant"]]]


def of_any_version(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each contestant, table and seed the last result, whatever the version."""
    return list({(r["contestant"], r["table"], r["seed"]): r for r in results}.values())


def is_quiet(result: dict[str, Any]) -> bool:
    """Whether the fit's wall time was measured on a machine that did nothing else."""
    return bool(result.get("others", 1.0) <= QUIET)
