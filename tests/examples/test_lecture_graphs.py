"""The lecture's scripts on scores, activations, circuits and losses give the stated numbers."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp as fm

threadpoolctl = pytest.importorskip("threadpoolctl")
pytest.importorskip("resource")  # needed by script 08; missing on Windows

SCRIPTS = Path(__file__).parents[2] / "examples" / "lecture"
EPS = np.finfo(np.float64).eps
HALF_A_DIGIT = 0.005  # for numbers that the lecture gives with two decimals


@pytest.mark.parametrize("widths", [[3072, 10], [3072, 100, 10], [3072, 100, 50, 10], [9] * 12])
def test_scores_equal_the_formula(lecture, widths, isa):
    # Scores near 1 are sums of 3072 products, whose roundings mostly cancel.
    assert lecture("01_linear_scores").difference_from_formula(widths) < math.sqrt(3072) * 8 * EPS


def test_the_bias_trick_equals_a_bias(lecture, isa):
    explicit, trick = lecture("01_linear_scores").bias_trick()
    assert explicit.shape == trick.shape == (5, 10)
    np.testing.assert_allclose(trick, explicit, rtol=0, atol=math.sqrt(3072) * 8 * EPS)


def test_the_forward_code_of_three_layers(lecture, isa):
    ours, code = lecture("01_linear_scores").sigmoid_net()
    np.testing.assert_allclose(ours, code, rtol=16 * EPS)


def test_straight_lines_as_activations_collapse_too(lecture, isa):
    ours, product = lecture("02_linear_layers_collapse").straight_line(A=3.0)
    np.testing.assert_allclose(ours, product, rtol=0, atol=9 * 50 * EPS * np.abs(product).max())


def test_only_linear_layers_collapse(lecture, isa):
    script = lecture("02_linear_layers_collapse")
    assert script.largest_difference(fm.Identity()) < 50 * EPS  # sums of 50 products
    assert script.bend(fm.Identity())[0] < 50 * EPS
    assert script.largest_difference(fm.ReLU()) > 0.1
    assert script.bend(fm.ReLU())[0] > 0.1


FORMULAS = {
    "ReLU": lambda x: max(0, x),
    "LeakyReLU": lambda x: max(0.1 * x, x),
    "ELU": lambda x: x if x > 0 else math.exp(x) - 1,
    "GELU": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "SiLU": lambda x: x / (1 + math.exp(-x)),
    "Sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "Tanh": math.tanh,
    "Step": lambda x: float(x > 0),
    "Identity": lambda x: x,
}


def test_activations_and_their_derivatives(lecture, isa):
    script = lecture("03_activations")
    assert [activation.__name__ for activation in script.ACTIVATIONS] == list(FORMULAS)
    x = np.linspace(-4, 4, 33)
    for activation in script.ACTIVATIONS:
        formula = [FORMULAS[activation.__name__](value) for value in x.tolist()]
        # Both cancel near 0 or in a tail, with terms of at most 4.
        np.testing.assert_allclose(activation().forward(x), formula, rtol=0, atol=16 * EPS)
        # Values of up to 4, right within 9 EPS of theirs, divided by 2h.
        assert script.derivative_error(activation) < 4 * 2 * 9 * EPS / 2e-5 + 1e-10


def test_maxout_follows_the_larger_piece(lecture, isa):
    script = lecture("03_activations")
    net = script.maxout([1.0, -2.0], 0.5, [-1.0, 1.0], 0.0)
    for x, y, dx in (([2.0, 1.0], 0.5, [1.0, -2.0]), ([-1.0, 3.0], 4.0, [-1.0, 1.0])):
        assert net.forward(x).tolist() == [y]
        assert net.backward([1.0]).tolist() == dx
    assert fm.gradcheck(net, fm.MSELoss(), [[2.0, 1.0], [-1.0, 3.0]], [[0.0], [0.0]]) < 1e-6


@pytest.mark.parametrize("alpha", [1.0, 0.5, 2.0])
def test_elu_has_a_kink_unless_alpha_is_one(lecture, isa, alpha):
    slopes = lecture("03_activations").slopes_of_elu_at_0(alpha)
    np.testing.assert_allclose(slopes, [alpha, 1.0], rtol=1e-8)


def test_ties_take_the_left_slope_or_the_first_input(lecture, isa):
    assert lecture("03_activations").gradients_at_ties() == {
        "ReLU": 0.0, "LeakyReLU": 0.1, "Step": 0.0, "Maxout": [1.0, 0.0], "Maximum": [1.0, 0.0],
    }  # fmt: skip


def test_circuit(lecture, isa):
    script = lecture("04_circuit")
    values, gradients = script.values_and_gradients(script.circuit())
    assert values == {"q": 3, "f": -12}
    assert gradients == {"q": -4, "x": -4, "y": -4, "z": 3}


def test_sigmoid_circuit(lecture, isa):
    script = lecture("05_sigmoid_circuit")
    gates = script.circuit(script.elementary_gates())
    f, gradients = script.value_and_gradients(gates)
    assert f == pytest.approx(0.73, abs=HALF_A_DIGIT)
    expected = {"w0": -0.20, "x0": 0.39, "w1": -0.39, "x1": -0.59, "w2": 0.20}
    assert gradients == pytest.approx(expected, abs=HALF_A_DIGIT)
    values = {"-x": -1.0, "exp": 0.37, "1+x": 1.37, "1/x": 0.73}
    slopes = {"-x": -0.20, "exp": -0.53, "1+x": -0.53, "1/x": 1.0}
    assert {n: gates[n].output.item() for n in values} == pytest.approx(values, abs=HALF_A_DIGIT)
    assert {n: gates[n].grad.item() for n in slopes} == pytest.approx(slopes, abs=HALF_A_DIGIT)


def test_one_sigmoid_gate_is_the_same(lecture, isa):
    script = lecture("05_sigmoid_circuit")
    f, gradients = script.value_and_gradients(script.circuit(script.elementary_gates()))
    one_f, one_gradients = script.value_and_gradients(script.circuit({"sigmoid": fm.Sigmoid()}))
    assert one_f == pytest.approx(f, rel=8 * EPS)
    assert one_gradients == pytest.approx(gradients, rel=8 * EPS)


def test_flat_code_is_the_circuit(lecture, isa):
    script = lecture("05_sigmoid_circuit")
    f, gradients = script.value_and_gradients(script.circuit({"sigmoid": fm.Sigmoid()}))
    value, by_hand = script.flat(2.0, -1.0, -3.0, -2.0, -3.0)
    assert value == pytest.approx(f, rel=8 * EPS)
    assert by_hand == pytest.approx(gradients, rel=8 * EPS)


def test_gates(lecture, isa):
    script = lecture("06_gates")
    outputs, gradients = script.forward_and_backward(script.gates(), script.INPUTS)
    assert outputs == {"add": 7, "multiply": 6, "copy 1": 7, "copy 2": 7, "max": 5}
    assert gradients == {"a1": 2, "b1": 2, "a2": 15, "b2": 10, "c": 6, "a3": 0, "b3": 9}
    tie = script.INPUTS | {"a3": 5.0, "b3": 5.0}
    gradients = script.forward_and_backward(script.gates(), tie)[1]
    assert (gradients["a3"], gradients["b3"]) == (9, 0)


def test_matrix_circuit(lecture, isa):
    script = lecture("07_matrix_circuit")
    expected = {
        "q": [0.22, 0.26],
        "f": 0.116,
        "df/dq": [0.44, 0.52],
        "df/dW": [[0.088, 0.176], [0.104, 0.208]],
        "df/dx": [-0.112, 0.636],
    }
    for found in (script.by_backward(script.circuit()), script.by_formula()):
        assert list(found) == list(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=0, atol=2 * EPS, err_msg=name)


def test_matrix_multiply_needs_no_jacobian(lecture, isa):
    script = lecture("08_matrix_multiply")
    assert script.jacobian_bytes(64, 4096, 4096)[0] == 256 * script.GIB
    assert max(script.difference_from_jacobians()) < 16 * EPS
    x, dy, layer, dx = script.forward_and_backward(64, 300, 400)
    for found, a, b in ((dx, dy, layer.W.T), (layer.dW, x.T, dy)):
        exact = a.astype(np.float64) @ b.astype(np.float64)
        bound = a.shape[1] * 2.0**-24 * (np.abs(a) @ np.abs(b))
        assert np.all(np.abs(found - exact) <= bound)


def test_matrix_multiply_of_the_lecture(lecture, isa):
    y, dx, dW = lecture("08_matrix_multiply").small_example()
    assert y.tolist() == [[-1, -1, 2, 6], [5, 2, 11, 7]]
    assert dx.tolist() == [[0, 16, -9], [-24, 9, -30]]
    assert dW.tolist() == [[28, 3, -18, 0], [-30, 7, 13, 33], [-22, -7, 17, -15]]


def test_matrix_multiply_takes_far_less_than_a_gigabyte(tmp_path):
    # Started by a shell, because on Linux a process inherits the peak memory of its parent.
    script = SCRIPTS / "08_matrix_multiply.py"
    command = ["sh", "-c", '"$0" "$1" "$2"; exit $?', sys.executable, script, tmp_path]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    peak = re.search(r"peak memory of this process: (\d+) MiB", result.stdout)
    assert int(peak[1]) < 512
    assert "forward (64, 4096) -> (64, 4096)" in result.stdout
    assert (tmp_path / "08_matrix_multiply.png").read_bytes().startswith(b"\x89PNG")


def test_two_layer_gradients(lecture, isa):
    script = lecture("09_two_layer_gradients")
    net, x = script.network(), script.inputs()
    ours, step = script.by_backward(net, x), 1e-5
    value = script.value(net, x)
    for a, b in zip(ours, script.by_formula(net, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=16 * EPS * np.abs(b).max())
    # L is quadratic in each weight, so only the rounding of L is left.
    for a, b in zip(ours, script.by_central_differences(net, x, step), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=8 * EPS * value / step)
    assert fm.gradcheck(net, fm.MSELoss(reduction="sum"), x, np.zeros((6, 3))) < 1e-6


@pytest.mark.scripts
def test_net_in_twenty_lines_step_for_step(lecture):
    script = lecture("10_net_in_twenty_lines")
    start = script.random_start()
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        theirs = script.train_numpy(*start)
    ours = script.train_fastmlp(*start)
    assert ours.shape == theirs.shape == (2000,)
    assert script.largest_relative_difference(ours, theirs) < 2000 * EPS
    assert np.all(np.diff(ours) < 0)
    assert ours[-1] < 1e-3 * ours[0]


def test_losses_of_the_animals(lecture, isa):
    script = lecture("11_losses")
    assert script.losses_of_the_animals("SVM") == pytest.approx([2.9, 0, 12.9], rel=8 * EPS)
    s, y = script.SCORES, script.LABELS
    softmax = np.log(np.exp(s).sum(axis=1)) - s[np.arange(3), y]
    assert script.losses_of_the_animals("softmax") == pytest.approx(softmax, rel=64 * EPS)
    squared = np.sum((s - np.eye(3)) ** 2, axis=1)
    assert script.losses_of_the_animals("squared") == pytest.approx(squared, rel=8 * EPS)


def test_losses_of_equal_scores(lecture, isa):
    script = lecture("11_losses")
    assert script.loss_of_equal_scores("SVM", 10) == 9
    assert script.loss_of_equal_scores("softmax", 10) == pytest.approx(math.log(10), rel=8 * EPS)


@pytest.mark.parametrize("name", ["SVM", "softmax", "squared"])
def test_losses_have_right_gradients_and_train(lecture, name, isa):
    script = lecture("11_losses")
    assert script.gradient_error(script.LOSSES[name]()) < 1e-6
    totals, share = script.train(script.LOSSES[name]())
    assert totals[-1] < totals[0] / 2
    assert share > 0.95


def test_the_penalty_adds_twice_lambda_times_the_weights(lecture, isa):
    ours, formula = lecture("11_losses").penalty_gradients()
    np.testing.assert_allclose(ours, formula, rtol=2 * EPS)
