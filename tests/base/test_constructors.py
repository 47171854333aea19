"""Every parameter of every constructor with every bad value of its kind.

The cases come from tables: one gives the kind of each parameter, one the bad values of each kind.
"""

from __future__ import annotations

import inspect

import pytest
from tests.bad_values import KINDS, NEEDED, clear_error
from tests.parameters import CLASSES_BY_NAME, kind_of


def constructor_cases():
    for name, cls in sorted(CLASSES_BY_NAME.items()):
        for parameter in inspect.signature(cls).parameters:
            for label, value in KINDS[kind_of(name, parameter)].items():
                yield pytest.param(name, parameter, value, id=f"{name}-{parameter}-{label}")


@pytest.mark.parametrize("name", sorted(CLASSES_BY_NAME))
def test_constructors_take_what_is_needed(name):
    CLASSES_BY_NAME[name](**NEEDED.get(name, {}))


@pytest.mark.parametrize(("name", "parameter", "value"), list(constructor_cases()))
def test_constructors(name, parameter, value):
    given = {**NEEDED.get(name, {}), parameter: value}
    # A number instead of the network is a learning rate: SGD(0.1).
    also = "lr:" if parameter == "net" else "!"
    clear_error(lambda: CLASSES_BY_NAME[name](**given), parameter, also)
