"""The command line with NumPy alone: `info`, and a hint what to install for the rest."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from fastmlp.cli import INSTALL_HINT
from fastmlp.cli.info import describe_build, describe_model
from fastmlp.cli.tables import error_line, print_table


def run(arguments: Sequence[str]) -> int:
    """Run `info` or `info MODEL`; for any other command say what to install (exit code 2)."""
    if not 1 <= len(arguments) <= 2 or arguments[0] != "info" or arguments[-1].startswith("-"):
        print(f"Error: this command needs more packages: {INSTALL_HINT}", file=sys.stderr)
        return 2
    try:
        title, rows = describe_build() if len(arguments) == 1 else describe_model(arguments[1])
    except (ValueError, OSError) as error:
        print(f"Error: {error_line(error)}", file=sys.stderr)
        return 1
    print_table(title, rows)
    return 0
