"""What runs this process: a terminal, a notebook, or neither."""

from __future__ import annotations

import sys
from typing import Any


def in_notebook() -> bool:
    """Whether this process is the kernel of a Jupyter notebook."""
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    return shell is not None and "IPKernelApp" in getattr(shell, "config", ())


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; None is none."""
    return stream is not None and hasattr(stream, "isatty") and bool(stream.isatty())
