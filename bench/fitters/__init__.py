"""The registry of fitters, which make whole fits. A new one needs one row here and one small class.

A class has three methods. ``__init__(data, threads)`` may compile (``compile_seconds`` tells how
long). ``fit(seed)`` starts from fresh weights and is timed; the seed decides the order of the
batches. ``predict(x)`` returns scores or labels.
"""

from __future__ import annotations

from collections.abc import Collection

from bench.contestants import OURS, Row

_HERE = "bench.fitters"
OUR_ESTIMATORS = f"{OURS}.sklearn"
FITTERS: dict[str, Row] = {
    row.name: row
    for row in (
        Row(OURS, f"{_HERE}.ours:FastMLP", ("fastmlp",)),
        Row(OUR_ESTIMATORS, f"{_HERE}.scikit:FastMLP", ("fastmlp", "sklearn")),
        Row("scikit-learn", f"{_HERE}.scikit:Scikit", ("sklearn",)),
        Row("torch", f"{_HERE}.pytorch:Loop", ("torch",)),
        Row("jax", f"{_HERE}.jaxscan:Scan", ("jax",)),
    )
}


def fitters_of(contestants: Collection[str]) -> list[str]:
    """The fitters that belong to these contestants; our estimators belong to our contestant."""
    return [name for name in FITTERS if (OURS if name == OUR_ESTIMATORS else name) in contestants]
