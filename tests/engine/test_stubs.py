"""Types: the stub of the compiled module matches it, and a typed script runs."""

from __future__ import annotations

import ast
import inspect
from importlib import resources

import pytest
from tests import typed_script

from fastmlp import _core
from fastmlp.layers import activations

STUB = ast.parse((resources.files("fastmlp") / "_core.pyi").read_text("utf-8"))


def is_public(name: str) -> bool:
    return not name.startswith("_") or name == "__init__"


def stubbed(body):
    """Functions and classes by name, and names of attributes."""
    found = {n.name: n for n in body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    return found | {n.target.id: n for n in body if isinstance(n, ast.AnnAssign)}


def compiled_names():
    return {
        name
        for name, value in vars(_core).items()
        if is_public(name) and getattr(value, "__module__", None) == _core.__name__
    }


STUBBED = {name: node for name, node in stubbed(STUB.body).items() if is_public(name)}
FUNCTIONS = [name for name, node in STUBBED.items() if isinstance(node, ast.FunctionDef)]
TYPES = [name for name, node in STUBBED.items() if isinstance(node, ast.ClassDef)]


def test_activations_are_classes_that_a_type_checker_can_read():
    tree = ast.parse(inspect.getsource(activations))
    written = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert set(activations.ACTIVATIONS) == written - {"Activation"}


def test_the_script_that_type_checkers_read_runs():
    typed_script.main()


def test_the_module():
    assert set(STUBBED) - {"Node"} == compiled_names()


@pytest.mark.parametrize("name", TYPES)
def test_classification_model_predicts_classes(name):
    members = {name for name in vars(getattr(_core, name)) if is_public(name)}
    assert {member for member in stubbed(STUBBED[name].body) if is_public(member)} == members


def signature_of(node):
    """(name, has a default?) of each argument."""
    arguments, defaults = node.args.args, len(node.args.defaults)
    plain = len(arguments) - defaults
    return [(argument.arg, i >= plain) for i, argument in enumerate(arguments)]


def compiled_signature(function):
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.default is not inspect.Parameter.empty) for p in parameters]


def methods():
    for owner in TYPES:
        for name, node in stubbed(STUBBED[owner].body).items():
            if isinstance(node, ast.FunctionDef) and not name.startswith("__"):
                yield owner, name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_of_a_function(name):
    assert signature_of(STUBBED[name]) == compiled_signature(getattr(_core, name))


@pytest.mark.parametrize(("owner", "name"), list(methods()))
def test_arguments_of_a_method(owner, name):
    node = stubbed(STUBBED[owner].body)[name]
    assert signature_of(node) == compiled_signature(getattr(getattr(_core, owner), name))
