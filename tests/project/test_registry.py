"""The core's registries, the NumPy reference and the public classes contain the same items."""

from __future__ import annotations

import inspect

import pytest
from tests.harness import ACTIVATIONS, LOSSES, OPTIMIZERS

import fastmlp as fm
from fastmlp import _core
from fastmlp import reference as ref
from fastmlp.base.node import Node

# Arguments that are not in the registry's row, because they are not part of the formula.
COMMON = {"fold", "lr", "reduction"}
# Losses with parameters that the user must give.
GIVEN = {"QuantileLoss": {"quantiles": [0.1, 0.5, 0.9]}}


def arguments(cls):
    """The constructor's own arguments and their defaults."""
    parameters = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in COMMON}


def public(base):
    """Names of the public subclasses of a base."""
    found = {name: getattr(fm, name) for name in fm.__all__ if inspect.isclass(getattr(fm, name))}
    return {name for name, cls in found.items() if issubclass(cls, base) and cls is not base}


def public_activation(name):
    return fm.GELU(approximate="tanh") if name == "GELUTanh" else getattr(fm, name)()


def test_the_names_are_the_same():
    assert set(ACTIVATIONS) == set(ref.ACTIVATIONS)
    assert set(LOSSES) == set(ref.LOSSES) == public(fm.Loss)
    assert set(OPTIMIZERS) == set(ref.OPTIMIZERS) == public(fm.Optimizer) - {"LBFGS"}
    assert set(ref.PENALTIES) == public(fm.Penalty)


def test_the_layers_are_the_same():
    in_reference = {name for name in dir(ref) if inspect.isclass(getattr(ref, name))}
    bases = (*ref.Layer.__subclasses__(), *ref.Join.__subclasses__())
    in_reference &= {cls.__name__ for base in bases for cls in (base, *base.__subclasses__())}
    in_reference -= {"Sequential"}
    # A parameter as a value computes nothing, custom nodes have no reference, and a square is a
    # product.
    plain = {name.lower() for name in in_reference - {"Square"}} | {"parameter", "custom"}
    # Linear has two operations.
    operations = {name.replace("_", "") for name in _core.operations()} - {"groupedlinear"}
    assert plain == operations
    # Copy is Identity under another name.
    # What only frozen networks have is no layer.
    others = in_reference - {"Activation", "QuantizedLinear"} | {"Copy"}
    # GELUTanh is GELU(approximate="tanh").
    assert public(fm.Layer) - {"Custom"} == others | set(ACTIVATIONS) - {"GELUTanh"}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    kind, row = ACTIVATIONS[name]
    assert dict(row["params"]) == dict(ref.ACTIVATIONS[name].params)
    expected = tuple(value for _, value in row["params"])
    assert {"z": inspect.Parameter.empty, **dict(row["params"])} == arguments(
        ref.ACTIVATIONS[name].f
    )
    node = public_activation(name).node((-1,), (3,))
    assert node == Node("activation", (-1,), 3, 3, kind, expected)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "GELUTanh"])
def test_the_class_of_an_activation_agrees_with_its_row(name):
    row, kind = ACTIVATIONS[name][1], getattr(fm, name)
    given = {"approximate": "none"} if name == "GELU" else dict(row["params"])
    assert arguments(kind) == {**given, "dtype": None, "seed": None}
    assert {parameter: getattr(kind(), parameter) for parameter in given} == given
    assert kind.init_before == (None if name == "Identity" else row["init"])
    if name != "GELU":  # its docstring explains Phi and phi separately
        assert f"``f(z) = {row['formula']}``" in kind.__doc__
        assert f"``f'(z) = {row['slope']}``" in kind.__doc__


def test_a_subclass_of_an_activation_computes_what_its_base_does():
    class Tanh(fm.ReLU):
        pass

    assert Tanh().forward([-1.0, 2.0]).tolist() == [0.0, 2.0]


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name):
    kind, row = LOSSES[name]
    reference, given = ref.LOSSES[name], GIVEN.get(name, {})
    own = {key: value for key, value in arguments(reference).items() if key not in given}
    assert own == dict(row["params"])
    assert reference.target == row["target"]
    loss = getattr(fm, name)(**given)
    values = tuple(next(iter(given.values()))) if given else tuple(v for _, v in row["params"])
    assert loss.core_spec() == (kind, values, "mean", 1)
    assert loss.arguments().keys() == {*arguments(reference), "reduction", "fold"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name):
    kind, row = OPTIMIZERS[name]
    reference, optimizer = ref.OPTIMIZERS[name], getattr(fm, name)()
    assert arguments(reference) == dict(row["hyper"])
    assert optimizer.core_spec() == (kind, tuple(value for _, value in row["hyper"]))
    assert optimizer.lr == reference().lr


@pytest.mark.parametrize("name", ref.PENALTIES)
def test_penalty(name):
    assert arguments(getattr(fm, name)) == arguments(ref.PENALTIES[name])


@pytest.mark.parametrize("name", {**ACTIVATIONS, **LOSSES})
def test_tolerances_are_a_few_units_in_the_last_place(name):
    _, row = {**ACTIVATIONS, **LOSSES}[name]
    assert 0.0 <= row["tolerance"][0] <= 5e-6
    assert 0.0 <= row["tolerance"][1] <= 5e-15
