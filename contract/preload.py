"""Libraries that are loaded before the C library and make its functions fail on request."""

from __future__ import annotations

import sys
from pathlib import Path

from contract import native
from contract.figures import Unavailable


def build(source: str, folder: Path) -> dict[str, str]:
    """Build such a library; return the environment for processes that load it."""
    if not sys.platform.startswith("linux"):
        raise Unavailable("LD_PRELOAD is needed, as GNU/Linux has it")
    library = (folder / source).with_suffix(".so")
    path = Path(__file__).with_name(source)
    compiler = native.program("cc", "gcc", "clang")
    try:
        native.run([compiler, "-O2", "-shared", "-fPIC", "-Wl,-z,defs", "-o", str(library),
                    str(path), "-ldl"])  # fmt: skip
    except RuntimeError as error:
        raise Unavailable(f"the C library is another one: {error}") from None
    return {"LD_PRELOAD": str(library)}
