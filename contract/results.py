"""The results file: the last full run of each item, with commit and machine.

``shortfalls.md`` explains each missed goal in one line: item, figure and cause. The figure may be a
pattern for ``fnmatch``.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import fastmlp as fm
from contract.figures import Figure

HERE = Path(__file__).parent
DATA, TABLE, CAUSES = HERE / "results.json", HERE / "results.md", HERE / "shortfalls.md"
# The files that a run depends on; without those that a run writes.
SOURCES = ("../csrc", "../src", "../tests", ".", ":!results.*", ":!corpus", ":!crashes")
_SIGNS = {None: "", True: "yes", False: "**no**"}


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=HERE, capture_output=True, text=True)
    return done.stdout.strip()


def circumstances() -> dict[str, str]:
    """Commit, processor, versions, date."""
    config = fm.show_config()
    changed = " with changes" if _git("status", "--porcelain", "--", *SOURCES) else ""
    return {
        "commit": _git("rev-parse", "--short", "HEAD") + changed,
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "compiler": config["compiler"],
        "instruction sets": " ".join(config["isas"]),
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} processors" if names else platform.machine()


def keep(
    name: str,
    title: str,
    figures: Iterable[Figure],
    circumstances: Mapping[str, str],
    seconds: float,
) -> None:
    """Replace an item's last full run by this one, and write the table again."""
    known: dict[str, Any] = json.loads(DATA.read_text()) if DATA.exists() else {}
    known[name] = {
        "title": title,
        "seconds": round(seconds),
        "circumstances": dict(circumstances),
        "figures": [asdict(figure) for figure in figures],
    }
    DATA.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    TABLE.write_text(table(known))


def causes() -> list[tuple[str, str, str]]:
    """Item, pattern of figures, and the cause of their missed goals."""
    return re.findall(r"^- `(\w+)` `(.+?)`: (.+)$", CAUSES.read_text(), re.MULTILINE)


def cause(item: str, figure: str) -> str | None:
    """The cause of a missed goal; None if none is listed."""
    known = (why for of, name, why in causes() if of == item and fnmatchcase(figure, name))
    return next(known, None)


def table(known: dict[str, Any]) -> str:
    """All items as Markdown, in the contract's order."""
    from contract.items import NAMES

    names = [name for name in NAMES if name in known]
    parts = [
        "# What the contract's scripts found\n",
        "Written by `python -m contract`: each item's last whole run, with its commit.\n",
        _summary({name: known[name]["figures"] for name in names}),
    ]
    for name in names:
        entry = known[name]
        facts = ", ".join(f"{key} {value}" for key, value in entry["circumstances"].items())
        parts.append(f"## {entry['title']} (`{name}`)\n\n{facts}; {entry['seconds']} s.\n")
        rows = ["| figure | value | goal | met | note |", "| --- | --- | --- | --- | --- |"]
        rows += [_row(figure) for figure in entry["figures"]]
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def _summary(figures: Mapping[str, list[dict[str, Any]]]) -> str:
    """The number of goals that are met, and the causes for the others."""
    judged = [figure for each in figures.values() for figure in each if figure["met"] is not None]
    missed = [
        f"- {item}, {figure['name']}: {_shown(figure['value'])}, goal {figure['goal']}. "
        + (cause(item, figure["name"]) or "The cause is not known.")
        for item, each in figures.items()
        for figure in each
        if figure["met"] is False
    ]
    met = f"{len(judged) - len(missed)} of {len(judged)} goals are met."
    return "\n".join([met + (" The others, and why:\n" if missed else ""), *missed]) + "\n"


def _shown(value: float | int | str) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else value


def _row(figure: dict[str, Any]) -> str:
    shown = _shown(figure["value"])
    cells = [figure["name"], shown, figure["goal"], _SIGNS[figure["met"]], figure["note"]]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
