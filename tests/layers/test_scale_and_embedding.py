"""Scale and Embedding against their references, on all threads and instruction sets."""

from __future__ import annotations

import numpy as np
import pytest
from tests.harness import using_threads

import fastmlp as fm
from fastmlp import reference as ref

DTYPES = {"float32": 2e-5, "float64": 1e-12}


def draw(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("shape", [(0, 1), (1, 1), (3, 2), (40, 3), (1500, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("isa", "threads")
def test_embedding_equals_its_reference(dtype, shape):
    ours = fm.Embedding(7, 5, shape[1], dtype=dtype)
    reference = ref.Embedding(ours.W)
    x = np.random.default_rng(1).integers(0, 7, shape)
    dy = draw(shape[0], shape[1] * 5, seed=6, dtype=dtype)
    room = {"rtol": DTYPES[dtype], "atol": DTYPES[dtype] * np.sqrt(shape[0])}
    assert np.array_equal(ours.forward(x), reference.forward(x))
    assert not ours.backward(dy).any()
    reference.backward(dy)
    np.testing.assert_allclose(ours.dW, reference.dW, **room)
    ours.forward(x)
    ours.backward(dy, accumulate=True)
    np.testing.assert_allclose(ours.dW, 2 * reference.dW, **room)


def embedded(dtype="float32"):
    return fm.Sequential(
        fm.Embedding(9, 4, columns=3), fm.Linear(12, 8), fm.ReLU(), fm.Linear(8, 2), dtype=dtype,
        seed=0)  # fmt: skip


def test_bits_with_an_embedding_do_not_depend_on_threads():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, (200, 3)).astype(np.float32), rng.integers(0, 2, 200)
    found = set()
    for threads in (1, 2, 3, 7):
        net = embedded()
        with using_threads(threads):
            trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam(lr=0.1))
            for first in (0, 64, 128):
                trainer.step(x[first : first + 64], y[first : first + 64])
        found.add(net.params.tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("wrong", [-1, 9, 0.5, 1e30, -1e30, float("nan"), float("inf")])
@pytest.mark.usefixtures("isa", "threads")
def test_a_row_number_outside_the_table_is_an_error(wrong):
    net, x, y = embedded(), np.zeros((40, 3), np.float32), np.zeros(40, np.int64)
    x[17, 1] = wrong
    before = net.params.copy()
    for call in (
        lambda: net.predict(x),
        lambda: net.forward(x),
        lambda: fm.Trainer(net, fm.CrossEntropyLoss(), fm.SGD(lr=0.1)).step(x, y),
        lambda: fm.fit(net, x, y, loss=fm.CrossEntropyLoss(), batch_size=4, check_finite=False),
        lambda: net.jacobian(x),
    ):
        with pytest.raises(fm.ArgumentError, match=r"^x: got .*want"):
            call()
    assert np.array_equal(net.params, before)
    x[17, 1] = 8
    net.predict(x)


def test_the_error_says_which_row_number_is_wrong():
    table = fm.Embedding(5, 2, columns=2)
    words = r"^x: got 7 at row 1, column 0; want whole numbers from 0 to 4, the rows of an Embedd"
    with pytest.raises(fm.ArgumentError, match=words):
        table.forward([[0, 4], [7, 9]])
    nodes = [("e", fm.Embedding(5, 2), "b"), ("y", fm.Concat(), ["a", "e"])]
    net = fm.Graph({"a": 1, "b": 1}, ["y"], nodes=nodes)
    with pytest.raises(fm.ArgumentError, match=r"^x\['b'\]: got -1 at row 0, column 0; want"):
        net.predict({"a": [[-1]], "b": [[-1]]})


def test_row_numbers_are_not_part_of_a_gradcheck():
    nodes = [("e", fm.Embedding(5, 2), "b"), ("y", fm.Concat(), ["a", "e"])]
    net = fm.Graph({"a": 1, "b": 1}, ["y"], nodes=nodes, seed=0)
    errors = fm.gradcheck(net, fm.MSELoss(), {"a": [[0.5]], "b": [[3]]}, [[1.0, 2.0, 3.0]])
    assert errors < 1e-6
    assert list(errors.inputs) == ["a"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(2, 1), (3, 17), (40, 64), (1500, 9)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("isa", "threads")
def test_scale_equals_its_reference(bias, dtype, shape):
    ours = fm.Scale(shape[1], bias=bias, dtype=dtype)
    values = [draw(shape[1], seed=1), draw(shape[1], seed=2)][: 1 + bias]
    for view, value in zip(ours.parameters().values(), values, strict=True):
        view[...] = value
    reference = ref.Scale(*ours.parameters().values())
    x, dy = draw(*shape, seed=5, dtype=dtype), draw(*shape, seed=6, dtype=dtype)
    room = {"rtol": DTYPES[dtype], "atol": DTYPES[dtype] * np.sqrt(shape[0])}
    np.testing.assert_allclose(ours.forward(x), reference.forward(x), **room)
    np.testing.assert_allclose(ours.backward(dy), reference.backward(dy), **room)
    for gradient, name in zip(reference.grads, ("dgain", "dshift"), strict=False):
        np.testing.assert_allclose(getattr(ours, name), gradient, **room)


def scaled(dtype="float64", seed=0):
    return fm.Sequential(
        fm.Scale(6), fm.Linear(6, 8), fm.ReLU(), fm.Scale(8, bias=False), fm.Linear(8, 3),
        dtype=dtype, seed=seed)  # fmt: skip


@pytest.mark.usefixtures("isa", "threads")
def test_a_network_with_scales_has_right_gradients():
    errors = fm.gradcheck(scaled(), fm.CrossEntropyLoss(), draw(30, 6), np.arange(30) % 3)
    assert errors < 1e-6, errors.table()
