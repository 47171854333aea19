"""The report on the build and on the processor that it runs on."""

from __future__ import annotations

from typing import Any

from fastmlp import _core


def show_config() -> dict[str, Any]:
    """Return version, instruction set in use, instruction sets available, threads and compiler.

    Returns
    -------
    dict
        ``version``, ``isa``, ``isas``, ``threads``, ``openmp``, ``compiler``.

    Examples
    --------
    >>> import fastmlp as fm
    >>> config = fm.show_config()
    >>> config["isa"] in config["isas"]
    True
    """
    # The package sets its version before it imports this module.
    from fastmlp import __version__

    return {"version": __version__, **_core.config()}
