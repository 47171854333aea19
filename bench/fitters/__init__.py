"""The registry of those who make whole fits. A new one is one row here and one small class.

A class offers ``__init__(data, threads)``, where it may compile (``compile_seconds`` tells how
long), ``fit(seed)``, which starts from fresh weights and is timed (the seed decides the order of
the batches), and ``predict(x)``: scores or
labels.
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
    """Who makes fits where these contestants make steps; our estimators come with our steps."""
    return [name for name in FITTERS if (OURS if name == OUR_ESTIMATORS else name) in contestants]
