"""The state of the process before and after the import and every kind of public call.

Runs in a separate process, see ``report``.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tests import host_state

# The modules that the calls import, by package.
PACKAGES = {
    "rich": ("rich.console",),
    "sklearn": ("sklearn.base", "sklearn.metrics", "sklearn.model_selection"),
    "matplotlib": ("matplotlib.figure", "matplotlib.backends.backend_agg"),
}


def _use_others(packages: Collection[str]) -> None:
    """Import and use other packages first, because fastmlp is not responsible for their changes.

    rich draws from Python's random state when it is imported; tqdm's first bar starts a thread that
    watches all bars; Matplotlib keeps font files open.
    """
    for module in ("scipy.optimize", *(name for package in packages for name in PACKAGES[package])):
        importlib.import_module(module)
    if installed("tqdm"):
        importlib.import_module("tqdm").tqdm(file=io.StringIO()).close()
    if "matplotlib" in packages:
        _draw_text()


def _draw_text() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = Figure()
    for weight in ("normal", "bold"):
        picture.text(0.5, 0.5, "text", weight=weight)
    FigureCanvasAgg(picture).draw()


def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _flags() -> dict[str, list[str]]:
    """Exception flags that calls on ready arrays raised or cleared; the core must do neither."""
    import fastmlp as fm

    net = fm.Sequential(fm.Linear(4, 8), fm.Sigmoid(), fm.Linear(8, 4), seed=0)
    trainer = fm.Trainer(net, fm.MSELoss(), nan="ignore")
    x = np.full((300, 4), 1e38, np.float32)
    x[::3] = 1e-40
    net.predict(x)
    trainer.step(x, x)
    changed = {
        "predict": host_state.changed_flags(lambda: net.predict(x)),
        "step": host_state.changed_flags(lambda: trainer.step(x, x)),
    }
    return {
        name: [f"flags raised {raised:#x}, cleared {cleared:#x}"]
        for name, (raised, cleared) in changed.items()
        if raised or cleared
    }


def _calls(folder: Path, packages: Collection[str], every_entry: bool) -> Iterator[Any]:
    """Public calls by name; the objects of each are made just before it."""
    from contract import processes_calls

    yield from processes_calls.calls(folder)
    for package in packages:
        yield from processes_calls.OF_PACKAGES[package](folder)
    if every_entry:
        from contract import processes_entries

        yield from processes_entries.calls(folder, "sklearn" in packages)


def report(packages: Collection[str], every_entry: bool = False) -> None:
    """Print the number of calls, and what each one changed in the process."""
    _use_others(packages)
    before = host_state.read()
    importlib.import_module("fastmlp")
    changed: dict[str, Any] = {"import": host_state.changes(before, host_state.read())}
    importlib.import_module("contract.processes_calls")
    if every_entry:
        importlib.import_module("contract.processes_entries")
    before = host_state.read()
    with tempfile.TemporaryDirectory() as folder:
        for name, call in _calls(Path(folder), packages, every_entry):
            assert name not in changed, f"two calls of the name {name}"
            for _ in range(2):
                call()
            now = host_state.read()
            changed[name] = host_state.changes(before, now)
            before = now
    count = len(changed)
    changed |= {f"{name} (flags)": found for name, found in _flags().items()}
    print(json.dumps({"calls": count, "changed": {k: v for k, v in changed.items() if v}}))
