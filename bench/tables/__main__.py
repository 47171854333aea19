"""The benchmark on tables: `python -m bench.tables --help`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.pool import ROOT
from bench.tables.cases import chosen_cases, described_cases, usual_cases
from bench.tables.contestants import CONTESTANTS, chosen_contestants
from bench.tables.figures import Figures
from bench.tables.plots import draw
from bench.tables.report import report
from bench.tables.run import Plan, missing_reasons, run
from bench.tables.store import Store, newest_versions, of_any_version

RESULTS = ROOT / "bench" / "results"
SEEDS = 3
QUICK_TABLES = 2


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    cases = described_cases(options.folder) if options.folder else []
    cases += usual_cases(options.more) if options.more else []
    tables = [case.name for case in chosen_cases(cases, options.tables)]
    rows = chosen_contestants(options.only)
    seeds = list(range(options.seeds))
    if options.quick:
        tables, seeds = tables[:QUICK_TABLES], seeds[:1]
    store = Store(options.out / "tables.jsonl")
    absent = missing_reasons(rows)
    if not options.report_only:
        plan = Plan(
            _text(options.folder), _text(options.more), tables,
            [row for row in rows if row.name not in absent], seeds, options.seconds,
            options.any_version, options.remeasure_busy,
        )  # fmt: skip
        run(plan, store)
    write_report(store, options.out, missing_reasons(CONTESTANTS.values()), options.any_version)


def write_report(store: Store, folder: Path, absent: dict[str, str], any_version: bool) -> None:
    """Write tables.md and its pictures from all stored results."""
    from bench.machine import describe_machine

    found = (of_any_version if any_version else newest_versions)(store.all())
    figures = Figures(found, list(CONTESTANTS))
    versions = {row["contestant"]: row["version"] for row in found}
    failed = {f"{row['contestant']}, {row['table']}, seed {row['seed']}": row["failed"]
              for row in found if "failed" in row}  # fmt: skip
    unmeasured = {name: why for name, why in absent.items() if name not in versions}
    facts = {key: value for key, value in describe_machine().items() if value != "not installed"}
    text = report(figures, versions, facts, {**unmeasured, **failed}, draw(figures, folder))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tables.md").write_text(text, "utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("folder", nargs="?", type=_folder, help="folder with manifest.json and the tables")
    add("--more", type=_folder, help="folder with the files of letter, California and MNIST-10k")
    add("--tables", nargs="+", help="names of tables; by default all")
    add("--only", nargs="+", metavar="CONTESTANT", help=f"some of: {', '.join(CONTESTANTS)}")
    add("--seeds", type=int, default=SEEDS, help="number of splits (default: %(default)s)")
    add("--quick", action="store_true", help=f"the first {QUICK_TABLES} tables, one seed")
    add("--seconds", type=float, default=1800.0, help="longest time of a fit")
    add(
        "--any-version",
        action="store_true",
        help="stored results count, whatever version of a library made them",
    )
    add(
        "--remeasure-busy",
        action="store_true",
        help="repeat fits during which other programs computed",
    )
    add("--report-only", action="store_true", help="write the report from stored results")
    add("--out", type=Path, default=RESULTS, help="folder of tables.jsonl and tables.md")
    options = parser.parse_args(arguments)
    if not (options.folder or options.more or options.report_only):
        parser.error("want a folder of tables, --more, or both")
    return options


def _folder(text: str) -> Path:
    path = Path(text).resolve()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return path


def _text(folder: Path | None) -> str:
    return "" if folder is None else str(folder)


if __name__ == "__main__":
    main()
