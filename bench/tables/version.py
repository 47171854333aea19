"""Which fastmlp was measured: a hash of the installed package, so that unrelated commits count."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

# Parts of the package that no fit of a table runs.
ASIDE = {"cli", "drawing", "plot", "playground", "sklearn", "export", "distributed", "reference"}


@cache
def version_of_fastmlp(tuned: bool = False) -> str:
    """The version and a hash of the sources and the compiled core that take part in fits.

    With `tuned`, those of the search for hyperparameters are among them.
    """
    import fastmlp
    from fastmlp import _core

    package = Path(fastmlp.__file__).parent
    found = hashlib.sha256(Path(_core.__file__).read_bytes())
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] not in ASIDE or (tuned and name.parts[:2] == ("distributed", "tuning")):
            found.update(f"{name}\n".encode() + path.read_bytes())
    return f"{fastmlp.__version__}+{found.hexdigest()[:8]}"
