"""Calls of the API in any order, compared with a model (tests/stateful.py)."""

from __future__ import annotations

from hypothesis.stateful import run_state_machine_as_test
from tests.stateful import API, options


def test_any_order_of_calls_keeps_what_must_hold():
    run_state_machine_as_test(API, settings=options(50, 20, fixed=True))
