"""More calls for ``processes_state.py``: those that other items of the contract have lists of."""

from __future__ import annotations

import itertools
from pathlib import Path

from tests.contract import bad_input_entries, bits_configurations, bits_training, memory_cases
from tests.contract.processes_calls import Calls

FITS = 60  # of thirteen choices each; the first ones have most of the pairs of choices in them


def calls(folder: Path, estimators: bool) -> Calls:
    """Entry points that take arrays, calls that are tried without memory, configurations."""
    for name, entry in bad_input_entries.entries().items():
        if estimators or not name.startswith("MLP"):
            yield f"entry {name}", lambda e=entry: e.call(e.make("float64"), e.good)
    for case in memory_cases.cases():
        if estimators or case.name != "estimator":
            yield f"case {case.name}", lambda c=case: c.prepare(c.make(), folder)()
    for configuration in itertools.islice(bits_configurations.configurations(0), FITS):
        yield f"fit of {configuration}", lambda c=configuration: bits_training.trained(c)
