"""The command line: `fastmlp` and `python -m fastmlp`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

INSTALL_HINT = 'pip install "fastmlp[cli]"'


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; those of the process by default.

    Returns
    -------
    int
        0 for success, 1 for a failed command, 2 for wrong usage or a missing package, 130 for
        Ctrl-C.

    Examples
    --------
    >>> main(["info", "missing.safetensors"])
    1
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        from fastmlp.cli.commands import run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        from fastmlp.cli.minimal import run
    with _any_text(sys.stdout), _any_text(sys.stderr):
        return run(arguments)


@contextmanager
def _any_text(stream: Any) -> Iterator[None]:
    """Let a console print "?" for a letter that it cannot encode, where it would fail."""
    usual = getattr(stream, "errors", None)
    if usual != "strict" or not hasattr(stream, "reconfigure"):
        yield
        return
    stream.reconfigure(errors="replace")
    try:
        yield
    finally:
        stream.reconfigure(errors=usual)
