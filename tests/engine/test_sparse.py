"""Sparse rows as input: the bits of the same rows with zeros, and clear errors."""

from __future__ import annotations

import numpy as np
import pytest
from tests.harness import generator, on_all_thread_counts, same_bits

import fastmlp as fm
from fastmlp import _core
from fastmlp.base.errors import ArgumentError, ArgumentTypeError

sparse = pytest.importorskip("scipy.sparse")

TYPES = [("float32", None), ("float64", None), ("float32", "bfloat16")]
each_type = pytest.mark.parametrize(("dtype", "compute"), TYPES)
WIDTH = 1200  # its weights are several pieces of an update


def table(rows, width=WIDTH, density=0.02, dtype=np.float64):
    """Random numbers, some of them stored zeros; some rows and columns have none."""
    rng = generator("sparse", rows, width)
    x = sparse.random(rows, width, density, "csr", np.float64, random_state=rng)
    x.data = rng.standard_normal(x.nnz).astype(dtype)
    x.data[::7] = 0.0
    return x


def networks(dtype, compute):
    """First layers that are products, narrow products and lane sums; with all kinds of ends."""
    options = {"dtype": dtype, "compute": compute, "seed": 3}
    yield fm.Sequential(fm.Linear(WIDTH, 37), fm.GELU(), fm.Linear(37, 3), **options)
    yield fm.Sequential(fm.Linear(WIDTH, 270, bias=False), fm.ReLU(), fm.Linear(270, 2), **options)
    yield fm.Sequential(fm.Linear(WIDTH, 3), fm.Tanh(), **options)
    yield fm.Sequential(fm.Linear(WIDTH, 1), **options)


@each_type
def test_predictions_have_the_bits_of_dense_rows(dtype, compute, isa):
    x = table(131)
    for net in networks(dtype, compute):
        expected = net.predict(x.toarray())
        (found,) = on_all_thread_counts(lambda net=net: [net.predict(x)], (1, 3))
        assert same_bits(found, expected)


@each_type
@pytest.mark.parametrize("rows", [9, 1100])
def test_gradients_have_the_bits_of_dense_rows(dtype, compute, rows, isa):
    x = table(rows)
    for net in networks(dtype, compute):
        dy = generator("dy", rows).standard_normal((rows, net.out_features))

        def gradients(rows_given, net=net, dy=dy):
            found = []
            for accumulate in (False, True):
                y = net.forward(rows_given, training=True)
                dx = net.backward(dy, accumulate)
                found += [y, net.grads.copy()]
                assert (dx is None) == (rows_given is x)
            return found

        expected = gradients(x.toarray())
        for a, b in zip(expected, on_all_thread_counts(lambda: gradients(x), (1, 3)), strict=True):
            assert same_bits(a, b)


@each_type
@pytest.mark.parametrize("options", [
    {"batch_size": 60}, {"batch_size": 1100, "penalty": fm.L2(1e-3), "shuffle": False},
    {"optimizer": fm.SGD(lr=0.1, clip_norm=0.5), "batch_size": 500}])  # fmt: skip
def test_fits_have_the_bits_of_dense_rows(dtype, compute, options):
    x, y = table(1200), generator("y").integers(0, 3, 1200)
    weights = generator("w").uniform(0.5, 1.5, 1200)

    def fitted(rows):
        net = next(networks(dtype, compute))
        history = fm.fit(net, rows, y, loss=fm.CrossEntropyLoss(), epochs=2, validation=0.1, seed=1,
                         sample_weight=weights, **options)  # fmt: skip
        return [net.params, np.array([history.loss, history.val_loss])]

    expected = fitted(x.toarray())
    for a, b in zip(expected, on_all_thread_counts(lambda: fitted(x), (1, 3, 4)), strict=True):
        assert same_bits(a, b)


def test_lbfgs_has_the_bits_of_dense_rows():
    x, y = table(50), generator("y").standard_normal(50)
    found = []
    for rows in (x, x.toarray()):
        net = fm.Sequential(fm.Linear(WIDTH, 4), fm.Tanh(), fm.Linear(4, 1), seed=0)
        fm.fit(net, rows, y, loss=fm.MSELoss(), optimizer=fm.LBFGS(), epochs=3)
        found.append(net.params)
    assert same_bits(*found)


def test_a_residual_and_a_second_reader_of_the_input():
    x = fm.Input(WIDTH)
    y = fm.ReLU()(fm.Add()(fm.Linear(WIDTH, 20)(x), fm.Linear(WIDTH, 20)(x)))
    net = fm.Graph(x, fm.Linear(20, 2)(y), seed=0)
    rows = table(40)
    assert same_bits(net.predict(rows), net.predict(rows.toarray()))


@pytest.mark.parametrize(
    "kind", ["csr_matrix", "csc_matrix", "coo_matrix", "csr_array", "lil_array"]
)
def test_every_sparse_format_and_number_is_taken(kind):
    net = fm.Sequential(fm.Linear(WIDTH, 5), seed=0)
    for dtype in (np.float32, np.float64, np.int64, bool):
        x = getattr(sparse, kind)(table(6).astype(dtype))
        assert same_bits(net.predict(x), net.predict(x.toarray()))


def test_numbers_of_the_same_element_are_added():
    x = sparse.csr_matrix((np.ones(4), [3, 1, 3, 0], [0, 3, 4]), shape=(2, WIDTH))
    net = fm.Sequential(fm.Linear(WIDTH, 5), seed=0)
    assert same_bits(net.predict(x), net.predict(x.toarray()))
    assert x.nnz == 4  # the caller's matrix stays as it is


def test_only_the_sign_of_a_zero_can_differ():
    """A chain that is -0 stays so where the dense chain adds a zero of the other sign."""
    net = fm.Sequential(fm.Linear(20, 5, init="zeros"))
    net[0].W[...], net[0].b[...] = 1.0, -0.0
    x = sparse.csr_matrix((1, 20))
    found, expected = net.predict(x), net.predict(x.toarray())
    assert (found == expected).all()
    assert np.signbit(found).all()
    assert not np.signbit(expected).any()


def test_weights_that_are_not_finite_count_only_where_they_are_multiplied():
    net = fm.Sequential(fm.Linear(20, 5, init="zeros"))
    net[0].W[7] = np.nan
    x = sparse.csr_matrix(np.eye(20)[[3, 7]])
    assert np.isnan(net.predict(x)).any(axis=1).tolist() == [False, True]


def test_the_gradient_is_that_of_central_differences():
    x, y = table(5).astype(np.float64), [0, 2, 1, 1, 0]
    net = fm.Sequential(fm.Linear(WIDTH, 3), fm.Tanh(), fm.Linear(3, 3), dtype="float64", seed=0)
    loss = fm.CrossEntropyLoss()
    loss.forward(net.forward(x), y)
    net.backward(loss.backward())
    gradient, step = net.grads.copy(), 1e-6
    for at in (*(net.parameter_slices()["0.W"].start + 3 * x.indices[:4] + 1), net.params.size - 1):
        values = []
        for sign in (1, -1):
            net.params[at] += sign * step
            values.append(loss.forward(net.predict(x), y))
            net.params[at] -= sign * step
        assert gradient[at] == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-8)


def test_changes_of_a_matrix_after_the_forward_pass_do_not_reach_backward():
    x = table(9)
    net = fm.Sequential(fm.Linear(WIDTH, 5), seed=0)
    net.forward(x)
    net.backward(np.ones((9, 5)))
    expected = net.grads.copy()
    net.forward(x)
    x.indices[...] = 10**6
    x.indptr[...] = -(10**6)
    net.backward(np.ones((9, 5)))
    assert same_bits(net.grads, expected)


@pytest.mark.parametrize(("start", "column"), [
    ([0, 1], [-1]), ([0, 1], [4]), ([0, 2], [2, 1]), ([0, 2], [1, 1]), ([0, 2], [1]), ([1, 0], [1]),
    ([-1, 1], [1]), ([], [1]), ([0, 3, 1], [1])])  # fmt: skip
def test_rows_that_are_no_csr_form_are_refused(start, column):
    with pytest.raises(ArgumentError, match="sparse matrix"):
        _core.SparseRows(np.array(start, np.int64), column, np.ones(len(column), np.float32), 4)


def test_wrong_matrices_are_refused():
    net = fm.Sequential(fm.Linear(WIDTH, 5), seed=0)
    with pytest.raises(ArgumentError, match=f"x: got 7 columns; want {WIDTH}"):
        net.predict(table(3, 7, 0.5))
    with pytest.raises(ArgumentTypeError, match="x: got dtype complex128"):
        net.predict(table(3).astype(complex))
    x = table(3)
    x.data[2] = np.nan
    row, column = (int(place[2]) for place in x.nonzero()) if x.data.all() else (0, x.indices[2])
    with pytest.raises(ArgumentError, match=rf"x: got nan at index \({row}, {column}\)"):
        fm.fit(net, x, np.ones((3, 5)), loss=fm.MSELoss(), epochs=1)


def test_networks_and_calls_that_take_no_sparse_rows_say_so():
    x = table(3)
    for net in (
        fm.Sequential(fm.Dropout(0.1), fm.Linear(WIDTH, 5), in_features=WIDTH),
        fm.Sequential(fm.LayerNorm(WIDTH), fm.Linear(WIDTH, 5)),
        fm.Sequential(fm.Linear(WIDTH, 6, groups=2), fm.ReLU()),
        fm.Sequential(fm.Linear(WIDTH // 2, 3, fold=2), fm.ReLU()),
    ):
        for call in (net.predict, net.forward):
            with pytest.raises(ArgumentError, match="want an array: only Linear"):
                call(x)
    net = fm.Sequential(fm.Linear(WIDTH, 5))
    for call in (net.jacobian, lambda x: net.forward(x, keep=True), fm.freeze(net).predict):
        with pytest.raises((ArgumentError, ArgumentTypeError), match="sparse"):
            call(x)


def test_a_checkpoint_knows_its_sparse_rows(tmp_path):
    x, y = table(30), generator("y").standard_normal((30, 2))

    def fit(rows, epochs):
        net = fm.Sequential(fm.Linear(WIDTH, 2), seed=0)
        saving = fm.Checkpoint(tmp_path / "fit", resume=True)
        fm.fit(net, rows, y, loss=fm.MSELoss(), epochs=epochs, callbacks=[saving], seed=0)
        return net.params

    fit(x, 2)
    resumed = fit(x.copy(), 4)
    net = fm.Sequential(fm.Linear(WIDTH, 2), seed=0)
    fm.fit(net, x.toarray(), y, loss=fm.MSELoss(), epochs=4, seed=0)
    assert same_bits(resumed, net.params)
    with pytest.raises(ArgumentError, match="x"):
        fit(x * 2, 5)
