"""A run of the suite: measures section by section and keeps what it has in one JSON file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import limits, machine, memory
from bench.cells import CELLS, FAMILIES, Cell
from bench.contestants import CONTESTANTS
from bench.datasets import TASKS
from bench.fits import measure_task
from bench.fitters import FITTERS
from bench.measure import QUICK, Effort, measure_cell, measure_family
from bench.pool import Pool, all_threads

Say = Callable[[str], None]


class Run:
    """What to measure and what has been measured.

    Parameters
    ----------
    path : the JSON file; what it holds is kept if it comes from the same commit, packages and
        settings, and measured anew otherwise
    cells, contestants : names to restrict to; a cell counts if its name contains one of the texts
    quick : little time per cell, for a look rather than for a result
    say : told what is being measured
    """

    def __init__(
        self, path: Path, *, cells: Iterable[str] = (), contestants: Iterable[str] = (),
        quick: bool = False, say: Say = print,
    ) -> None:  # fmt: skip
        self.path, self.quick, self.say = path, quick, say
        self.only = list(cells)
        quick_names = [name for name, row in CONTESTANTS.items() if row.quick or not quick]
        self.names = list(contestants) or quick_names
        self.effort = QUICK if quick else Effort()
        identity = {"machine": machine.describe_machine(), "quick": quick}
        self.data: dict[str, Any] = self._kept(identity) or {**identity, "cells": {}}

    def _kept(self, identity: dict[str, Any]) -> dict[str, Any] | None:
        """What an earlier run left, if it is a part of this one."""
        if not self.path.is_file():
            return None
        data = json.loads(self.path.read_text(encoding="utf-8"))
        facts = {**data["machine"], "date": identity["machine"]["date"]}
        return data if (facts, data["quick"]) == (*identity.values(),) else None

    def save(self) -> None:
        """Write the file, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".tmp")
        draft.write_text(json.dumps(self.data, indent=1), encoding="utf-8")
        os.replace(draft, self.path)

    def measure(self) -> None:
        """Measure everything that is not there yet."""
        self._once("limits", self._limits)
        with Pool() as pool:
            for cell in self._chosen(CELLS):
                self._cell(pool, cell)
            self._families(pool)
        if self.only:
            return
        for task in TASKS.values():
            names = [name for name in FITTERS if name in self.names]
            settings = {"rounds": 1, "epochs": 2} if self.quick else {}
            self._once("fits", lambda t=task: measure_task(t, names, **settings), task.name)
        self._once("imports", lambda: machine.measure_imports(3 if self.quick else 9))
        self._once("wheel", machine.wheel_bytes)
        self._once("memory", lambda: memory.measure_memory(self.names))
        # Again at the end: a machine that slowed down meanwhile shows.
        self._once("limits at the end", self._limits)

    def _limits(self) -> dict[str, float]:
        isa = self.data["machine"]["instruction set"]
        return limits.measure_limits(isa, sorted({1, all_threads()}))

    def _chosen(self, cells: Iterable[Cell]) -> list[Cell]:
        return [c for c in cells if not self.only or any(text in c.name for text in self.only)]

    def _cell(self, pool: Pool, cell: Cell) -> None:
        known = self.data["cells"].get(cell.name, {}).get("results", {})
        names = [name for name in self.names if cell.kind in CONTESTANTS[name].kinds]
        if set(names) <= set(known):
            return
        self.say(cell.name)
        results = measure_cell(pool, cell, names, self.effort)
        facts = {**asdict(cell), "flops": cell.flops}
        self.data["cells"][cell.name] = {"cell": facts, "results": results}
        self.save()

    def _families(self, pool: Pool) -> None:
        for name, cells in FAMILIES.items():
            if not self.only or any(text in name for text in self.only):
                self._once("families", lambda c=cells: self._family(pool, c), name)

    def _family(self, pool: Pool, cells: list[Cell]) -> list[dict[str, Any]]:
        found = measure_family(pool, cells, self.effort)
        return [{"name": c.name, "flops": c.flops, **found[c.name]} for c in cells]

    def _once(self, section: str, action: Callable[[], Any], key: str | None = None) -> None:
        place, slot = (self.data, section) if key is None else (self._section(section), key)
        if slot in place:
            return
        self.say(section if key is None else f"{section}: {key}")
        place[slot] = action()
        self.save()

    def _section(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.data.setdefault(name, {})
        return found
