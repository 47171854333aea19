"""What is raised when a table cannot be read, or when a package for it is missing."""

from __future__ import annotations

from importlib import import_module

from fastmlp.base.errors import FastMLPError, MissingPackageError

INSTALL_HINT = 'pip install "fastmlp[tabular]"'


class TableError(FastMLPError, ValueError):
    """A table cannot be read, or nothing can be learnt from it.

    Messages write Python arguments in backticks; the command line replaces them by its options.
    """


def require(package: str) -> None:
    """Raise an error that names the extra if a package is not installed."""
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise MissingPackageError(f"tables need {package}: {INSTALL_HINT}", name=package) from error
