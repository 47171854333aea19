"""The results file: the last full run of each item, with commit and machine."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.contract.figures import Figure

import fastmlp as fm

HERE = Path(__file__).parent
DATA, TABLE = HERE / "results.json", HERE / "results.md"
_SIGNS = {None: "", True: "yes", False: "**no**"}


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=HERE, capture_output=True, text=True)
    return done.stdout.strip()


def circumstances() -> dict[str, str]:
    """Commit, processor, versions, date."""
    config = fm.show_config()
    changed = (
        " with changes" if _git("status", "--porcelain", "--", "../../csrc", "../../src") else ""
    )
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


def keep(name: str, title: str, figures: Iterable[Figure], seconds: float) -> None:
    """Enter an item's full run in the place of its last one, and write the table anew."""
    known: dict[str, Any] = json.loads(DATA.read_text()) if DATA.exists() else {}
    known[name] = {
        "title": title,
        "seconds": round(seconds),
        "circumstances": circumstances(),
        "figures": [asdict(figure) for figure in figures],
    }
    DATA.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    TABLE.write_text(table(known))


def table(known: dict[str, Any]) -> str:
    """All items as Markdown, in the contract's order."""
    from tests.contract.items import NAMES

    parts = [
        "# What the contract's scripts found\n\nWritten by `python -m tests.contract --all`.\n"
    ]
    for name in (name for name in NAMES if name in known):
        entry = known[name]
        facts = ", ".join(f"{key} {value}" for key, value in entry["circumstances"].items())
        parts.append(f"## {entry['title']} (`{name}`)\n\n{facts}; {entry['seconds']} s.\n")
        rows = ["| figure | value | goal | met | note |", "| --- | --- | --- | --- | --- |"]
        rows += [_row(figure) for figure in entry["figures"]]
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def _row(figure: dict[str, Any]) -> str:
    value = figure["value"]
    shown = f"{value:,}" if isinstance(value, int) else value
    shown = f"{shown:.4g}" if isinstance(shown, float) else shown
    cells = [figure["name"], shown, figure["goal"], _SIGNS[figure["met"]], figure["note"]]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
