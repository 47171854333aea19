"""Lines and branches of the Python package that ran, from coverage.py."""

from __future__ import annotations

import json
import sys

from contract import native
from contract.coverage_build import Build
from contract.coverage_c import Coverage, Share
from contract.reasons import place


def measure(build: Build) -> Coverage:
    """Measure the whole package, in all processes of the suite. Only lines need reasons."""
    base = [sys.executable, "-m", "coverage"]
    settings, report = f"--rcfile={build.python_settings}", build.site.parent / "python.json"
    native.run([*base, "combine", settings], cwd=build.root)
    native.run([*base, "json", settings, "-o", str(report)], cwd=build.root)
    found = json.loads(report.read_text())
    totals = found["totals"]
    missed = set()
    for name, file in found["files"].items():
        path = f"src/fastmlp/{name.split('/site/fastmlp/')[-1]}"
        for function, region in file["functions"].items():
            missed |= {place(path, function, number) for number in region["missing_lines"]}
    return Coverage(
        Share(totals["covered_lines"], totals["num_statements"]),
        Share(totals["covered_branches"], totals["num_branches"]),
        frozenset(missed),
    )
