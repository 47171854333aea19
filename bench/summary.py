"""The README's speed table, and the list of reports.

`python -m bench.summary [FOLDER]` writes both from the files in `bench/results`. The table is made
of the results in FOLDER, by default those that the README shows now.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from bench.cells import LARGE, MNIST, SMALL, SQUARE, WIDE_MNIST, Cell
from bench.contestants import OURS
from bench.figures import fastest_peer, ratio_to_fastest, seconds_of
from bench.markdown import table
from bench.pool import ROOT

README = ROOT / "README.md"
# The table's ten rows.
ROWS = [
    Cell("train", 1, SMALL),
    Cell("train", 128, MNIST),
    Cell("train", 512, WIDE_MNIST),
    Cell("train", 256, SQUARE),
    Cell("train", 1024, LARGE),
    Cell("train", 1024, LARGE, "bfloat16"),
    Cell("predict", 1, SMALL),
    Cell("predict", 128, MNIST),
    Cell("predict", 1024, LARGE),
    Cell("predict", 64, MNIST, "frozen"),
]
_MARKS = ("<!-- Written by python -m bench.summary: -->\n", "<!-- end -->\n")
_BLOCK = re.compile(
    "(?<=" + re.escape(_MARKS[0]) + ").*(?=" + re.escape(_MARKS[1]) + ")", re.DOTALL
)
_LINK = re.compile(r"\(bench/results/([^/)]+)/report\.md\)")


def speed_section(folder: Path) -> str:
    """The README's words and table about the results in a folder."""
    found = json.loads((folder / "results.json").read_text("utf-8"))
    machine, cells = found["machine"], found["cells"]
    words = (
        f"Microseconds on {machine['threads']} cores of {machine['processor']}, medians of one "
        f"interleaved run (commit {machine['commit'][:7]}). fastmlp may use all cores; each other "
        "library uses one or all, whichever is faster. The name says the batch size and the "
        "widths of the layers."
    )
    rows = [_row(found, cell.name) for cell in ROWS if OURS in cells.get(cell.name, {})]
    head = ["cell", "fastmlp", "fastest other library", "PyTorch", "ratio to the fastest"]
    link = f"[The report](bench/results/{folder.name}/report.md) has all {len(cells)} cells, whole "
    link += "fits, memory and the goals that were missed.\n"
    return f"{textwrap.fill(words, 120)}\n\n{table(head, rows)}\n{link}"


def _row(found: dict[str, Any], name: str) -> list[str]:
    results = found["cells"][name]
    peer, ratio = fastest_peer(results), ratio_to_fastest(found, name)
    torch = seconds_of(found, name, "torch")
    return [
        name,
        _micros(seconds_of(found, name, OURS)),
        f"{_micros(peer[1])} ({peer[0]})" if peer else "",
        _micros(torch),
        f"{ratio:.2f}x" if ratio else "",
    ]


def _micros(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{1e6 * seconds:,.0f}" if seconds >= 1e-4 else f"{1e6 * seconds:.1f}"


def results_shown(readme: str) -> str:
    """The folder of the results that the README shows."""
    match = _LINK.search(readme)
    if match is None:
        raise SystemExit("README.md has no link to a report in bench/results")
    return match[1]


def with_section(readme: str, section: str) -> str:
    return _BLOCK.sub(lambda _: section, readme)


def report_list(results: Path) -> str:
    """The page that lists the reports."""
    rows = []
    for file in sorted(results.glob("*/results*.json")):
        machine = json.loads(file.read_text("utf-8"))["machine"]
        page = f"{file.parent.name}/{file.name.replace('results', 'report', 1)}".removesuffix(
            "json"
        )
        facts = [machine[name] for name in ("instruction set", "threads", "commit", "date")]
        rows.append([f"[{machine['processor']}]({page}md)", *facts])
    head = ["report", "instruction set", "threads", "commit", "date"]
    return f"# Results\n\nWritten by `python -m bench.summary`.\n\n{table(head, rows, len(head))}"


def write_summaries(results: Path, folder: Path) -> None:
    """Renew the README's table and the list of reports."""
    (results / "README.md").write_text(report_list(results), "utf-8")
    if (folder / "results.json").exists():
        readme = README.read_text("utf-8")
        README.write_text(with_section(readme, speed_section(folder)), "utf-8")


def main(folder: str | None = None) -> None:
    results = ROOT / "bench" / "results"
    write_summaries(results, results / (folder or results_shown(README.read_text("utf-8"))))


if __name__ == "__main__":
    main(*sys.argv[1:])
