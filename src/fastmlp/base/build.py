"""The report on the build and on the processor that it runs on."""

from __future__ import annotations

from typing import Any

from fastmlp import _core


def show_config() -> dict[str, Any]:
    """Return the version, and what it was built for and runs on.

    Returns
    -------
    dict
        ``version``; ``isa``, the instruction set in use, and ``isas``, those available;
        ``bfloat16``, ``"native"`` if that instruction set has instructions for
        ``compute="bfloat16"``, else ``"emulated"`` (the same results, but no faster than float32);
        ``threads``, ``openmp``, ``compiler``.

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
