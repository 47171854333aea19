"""The reference's activations and layers: derivatives against differences, limits, precision."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from tests.reference.problems import KINKS, ROWS, chain, params_of

from fastmlp import reference as ref


@pytest.mark.parametrize("name", ref.ACTIVATIONS)
def test_derivative_equals_central_differences(name, rng):
    row, params = ref.ACTIVATIONS[name], params_of(name)
    z = rng.uniform(-6.0, 6.0, size=200)
    h = 1e-5
    differences = (row.f(z + h, *params) - row.f(z - h, *params)) / (2.0 * h)
    for kink in KINKS.get(name, ()):
        assert np.abs(z - kink).min() > h
    np.testing.assert_allclose(row.df(z, *params), differences, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", ref.ACTIVATIONS)
def test_activation_is_finite_for_huge_and_has_limits_at_infinity(name):
    row, params = ref.ACTIVATIONS[name], params_of(name)
    z = np.array([-1e308, -1e200, -800.0, -40.0, 40.0, 800.0, 1e200, 1e308])
    infinite = np.array([-np.inf, np.inf])
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error")
        assert np.isfinite(row.f(z, *params)).all()
        assert np.isfinite(row.df(z, *params)).all()
        if name == "Cos":  # the one without limits
            assert np.isnan([row.f(infinite), row.df(infinite)]).all()
            return
        assert not np.isnan(row.f(infinite, *params)).any()
        np.testing.assert_allclose(row.df(infinite, *params), row.df(z[[0, -1]], *params))


@pytest.mark.parametrize("name", ref.ACTIVATIONS)
def test_nan_propagates(name):
    row, params = ref.ACTIVATIONS[name], params_of(name)
    np.testing.assert_array_equal(np.isnan(row.f([np.nan, 1.0], *params)), [True, False])
    constant_slope = name in {"Identity", "Step"}
    np.testing.assert_array_equal(
        np.isnan(row.df([np.nan, 1.0], *params)), [not constant_slope, False]
    )


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("ReLU", (), 0.0),
        ("LeakyReLU", (0.3,), 0.3),
        ("ELU", (2.0,), 2.0),
        ("Step", (), 0.0),
        ("Clamp", (0.0, 1.0), 1.0),
        ("Clamp", (-1.0, 0.0), 1.0),
    ],
)
def test_derivative_at_the_kink(name, params, expected):
    assert ref.ACTIVATIONS[name].df([0.0], *params)[0] == expected


@pytest.mark.parametrize(
    ("name", "z", "expected"),
    [
        ("GELU", -10.0, -7.619853024160526e-23),
        ("Sigmoid", -700.0, 9.859676543759771e-305),
        ("Softplus", -50.0, 1.928749847963918e-22),
        ("SiLU", -50.0, -50.0 * 1.928749847963918e-22),
        ("Mish", -50.0, -50.0 * 1.928749847963918e-22),
    ],
)
def test_tails_keep_relative_accuracy(name, z, expected):
    np.testing.assert_allclose(ref.ACTIVATIONS[name].f([z]), [expected], rtol=2e-14)


def test_tanh_derivative_does_not_cancel():
    np.testing.assert_allclose(
        ref.ACTIVATIONS["Tanh"].df([20.0]), [4.0 * np.exp(-40.0)], rtol=1e-14
    )


OTHER_LAYERS = ["Softmax", "Dropout", "no bias", "Square", "Sum", "LayerNorm", "BatchNorm"]


@pytest.mark.parametrize("name", [*ref.ACTIVATIONS, *OTHER_LAYERS])
def test_backward_of_a_chain_equals_central_differences(name, rng):
    middle = {
        "Softmax": ref.Softmax(),
        "Dropout": ref.Dropout(0.4, seed=3, node=1),
        "no bias": ref.Linear(rng.normal(size=(4, 4))),
        "Square": ref.Square(),
        "Sum": ref.Sum(),
        "LayerNorm": ref.LayerNorm(rng.normal(size=4), rng.normal(size=4)),
        "BatchNorm": ref.BatchNorm(rng.normal(size=4), rng.normal(size=4)),
    }.get(name) or ref.Activation(name)
    net = ref.Sequential(
        ref.Linear(rng.normal(size=(3, 4)), rng.normal(size=4)),
        middle,
        ref.Linear(rng.normal(size=(1 if name == "Sum" else 4, 2)), rng.normal(size=2)),
    )
    x, dy = rng.normal(size=(ROWS, 3)), rng.normal(size=(ROWS, 2))

    def value():
        if name == "Dropout":
            middle.step = 0  # the same mask every time
        return float(np.sum(dy * net.forward(x, training=True)))

    value()
    dx = net.backward(dy)
    for analytic, array in zip([*net.grads, dx], [*net.params, x], strict=True):
        np.testing.assert_allclose(
            analytic, ref.central_difference(value, array), rtol=1e-6, atol=1e-8
        )


def test_dropout_scales_what_it_keeps_and_counts_training_forwards():
    layer = ref.Dropout(0.25, seed=5, node=3)
    x = np.ones((100, 100))
    np.testing.assert_array_equal(layer.forward(x), x)
    first, second = layer.forward(x, training=True), layer.forward(x, training=True)
    np.testing.assert_array_equal(np.unique(first), [0.0, 1.0 / 0.75])
    assert abs(first.mean() - 1.0) < 0.03
    assert (first != second).any()
    expected = ref.dropout_mask(x.size, 0.25, seed=5, stream=14, step=1).reshape(x.shape)
    np.testing.assert_array_equal(second != 0.0, expected)
    np.testing.assert_array_equal(layer.backward(x), second)


def test_dropout_of_everything_gives_zeros():
    layer = ref.Dropout(1.0)
    assert not layer.forward(np.ones((3, 4)), training=True).any()
    assert not layer.backward(np.ones((3, 4))).any()


def test_softmax_rows_sum_to_one_even_for_huge_scores(rng):
    y = ref.Softmax().forward(rng.normal(size=(ROWS, 6)) * 1e4)
    np.testing.assert_allclose(y.sum(axis=1), 1.0, rtol=1e-15)


def test_flatten_and_assign_are_inverse(rng):
    net = chain(rng, 3, 4, 2)
    flat = ref.flatten(net.params)
    assert flat.shape == (3 * 4 + 4 + 4 * 2 + 2,)
    ref.assign(net.params, 2.0 * flat)
    np.testing.assert_array_equal(ref.flatten(net.params), 2.0 * flat)
    assert ref.flatten([]).shape == (0,)
