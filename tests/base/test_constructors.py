"""Every parameter of every constructor against every bad value of its kind.

The cases are made, not typed: tables say what kind each parameter is and which values are bad for
a kind.
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
    # A number in the place of the network is the learning rate: SGD(0.1).
    also = "lr:" if parameter == "net" else "!"
    clear_error(lambda: CLASSES_BY_NAME[name](**given), parameter, also)
