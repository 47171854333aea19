"""``python -m contract --all`` or the names of items; ``--quick`` runs only what the suite runs."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from contract import items, results
from contract.figures import Scale, Unavailable, exactly


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m contract", description=__doc__)
    parser.add_argument("items", nargs="*", metavar="item", help=", ".join(items.NAMES))
    parser.add_argument("--all", action="store_true", help="every item, for some hours")
    parser.add_argument("--quick", action="store_true", help="the suite's share; writes no results")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.items) - set(items.NAMES))
    if unknown:
        parser.error(f"got {', '.join(unknown)}; want some of {', '.join(items.NAMES)}")
    names = items.NAMES if given.all else given.items
    if not names:
        parser.error("want items, or --all")
    return max(_run(name, not given.quick) for name in names)


def _run(name: str, full: bool) -> int:
    """1 if a goal was missed or the run failed, otherwise 0."""
    item = items.load(name)
    print(f"{name}: {item.TITLE}")
    start, circumstances = time.monotonic(), results.circumstances()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            figures = item.run(Scale(full, Path(scratch)))
        except Unavailable as missing:
            figures = [exactly("the run", "cannot be made here", "whole", str(missing))]
        except Exception as error:  # the next items run all the same
            traceback.print_exc()
            note = f"{type(error).__name__}: {error!s:.300}"
            figures = [exactly("the run", "broke off", "whole", note)]
    for figure in figures:
        verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
        print(f"  {figure.name}: {figure.value}  {figure.goal}  {verdict}  {figure.note}".rstrip())
    if full:
        results.keep(name, item.TITLE, figures, circumstances, time.monotonic() - start)
    return int(any(figure.met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
