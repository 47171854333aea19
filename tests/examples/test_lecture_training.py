"""The lecture's scripts 12 to 22: the numbers that they state."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp as fm


def test_12_half_a_gradient(lecture, isa):
    row = lecture("12_half_a_gradient")
    net = row.network()
    assert row.by_backward(net, 0.0) == {"w1": 0.0, "w2": 0.5}
    numeric = row.by_central_differences(net, 0.0)
    assert numeric["w1"] == pytest.approx(0.0, abs=1e-12)
    assert numeric["w2"] == pytest.approx(0.5, abs=1e-10)
    assert row.by_central_differences(net, 0.0, h=0.001)["w2"] == pytest.approx(0.5, abs=1e-12)


def test_12_training_leaves_the_point_through_w2(lecture, isa):
    row = lecture("12_half_a_gradient")
    stuck, free = row.after_steps(0.0, target=1.0), row.after_steps(1.0, target=1.0)
    assert stuck["w1"] == 0.0
    assert stuck["w2"] == pytest.approx(2.0)  # w2 * sigmoid(0) = 1
    assert free["w1"] > 0.1


def test_13_deltas_are_the_recursion(lecture, isa):
    row = lecture("13_deltas")
    net = row.network()
    ours, formula = (f(net, row.X, row.TARGET) for f in (row.by_backward, row.by_recursion))
    for found, wanted in zip(ours, formula, strict=True):
        for one, reference in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, reference, rtol=1e-13, atol=1e-16)
    sizes = [np.linalg.norm(delta) for delta, _ in ours]
    assert sizes == sorted(sizes)


def test_14_sigmoid_vanishes_and_relu_does_not(lecture, isa):
    row = lecture("14_vanishing_gradient")
    assert row.largest_slope() == (0.25, pytest.approx(0.0, abs=1e-12))
    sigmoid, relu = row.gradients(fm.Sigmoid)[0], row.gradients(fm.ReLU)[0]
    steps = sigmoid[:-1] / sigmoid[1:]
    assert steps.max() < 0.3
    assert steps.max() / steps.min() < 1.5  # nearly geometric
    assert sigmoid[0] < 1e-6 * sigmoid[-1]
    assert 0.8 < row.factor_per_layer(relu) < 1.25


def test_15_fits_below_the_noise(lecture, isa):
    row = lecture("15_parabola")
    x, y = row.data()
    net, history = row.train(x, y)
    assert x.shape == (100, 1)
    assert len(history) == 10_000
    assert history.loss[-1] < 1.0
    assert history.loss[-1] < row.error_of_the_curve(x, y)
    assert row.distance_from_the_curve(net) < 1.0


def test_16_exact_by_hand_and_near_by_training(lecture):
    row = lecture("16_absolute_value")
    assert row.largest_error(row.exact()) == 0.0
    assert min(row.largest_error(row.trained(2, seed)) for seed in range(8)) < 1e-3
    assert row.largest_error(row.trained(8, seed=0)) < 0.1


def test_17_perceptron_is_the_rule(lecture, isa):
    row = lecture("17_one_layer")
    x, y = row.two_groups(apart=1.8)
    ours, rule = row.perceptron(x, y)
    np.testing.assert_allclose(ours, rule, rtol=1e-13)
    assert (y[:, 0] * (x @ ours[:2] + ours[2]) > 0).all()


def test_17_logistic_regression_finds_the_optimum(lecture, isa):
    row = lecture("17_one_layer")
    net, ours, newton = row.logistic(*row.two_groups(apart=0.8))
    np.testing.assert_allclose(ours, newton, rtol=1e-9)
    score = net.predict([[1.0, 1.0]])
    p = fm.Sigmoid().forward(score)
    np.testing.assert_allclose(np.log(p / (1 - p)), score, rtol=1e-12)


@pytest.mark.parametrize("lam", [0.0, 20.0])
def test_17_training_approaches_the_formula(lecture, lam, isa):
    row = lecture("17_one_layer")
    ours, formula = row.least_squares(*row.regression_data(), lam)
    np.testing.assert_allclose(ours, formula, rtol=1e-9)


def test_18_both_go_through_the_points(lecture, isa):
    row = lecture("18_radial_basis")
    x, y = row.points()
    bumps, mlp = row.sum_of_bumps(x, y), row.perceptron(x, y)
    assert row.largest_miss(bumps, x, y) < 1e-12
    assert row.largest_miss(mlp, x, y) < 1e-2
    assert abs(bumps.predict([50.0])[0]) < 1e-12
    assert fm.gradcheck(bumps, fm.MSELoss(), x + 0.1, y) < 1e-6


@pytest.mark.parametrize(("shape", "least"), [("circle", 0.99), ("moons", 0.95), ("spiral", 0.95)])
def test_19_data_sets_are_learned(lecture, shape, least):
    row = lecture("19_classify2d")
    points = getattr(row, shape)
    net, _ = row.train(*row.data(points))
    assert row.measure(net, points)[0] >= least


def test_19_more_units_fit_more(lecture):
    row = lecture("19_classify2d")
    data = row.data(row.spiral)
    right = [row.measure(row.train(*data, hidden=n)[0], row.spiral)[0] for n in (3, 20)]
    assert right[0] < 0.8 < right[1]


def test_19_stronger_lambda_smooths(lecture):
    row = lecture("19_classify2d")
    data = row.data(row.moons)
    lambdas = (0.0, 0.001, 0.01, 0.1)
    found = [row.measure(row.train(*data, lam=lam)[0], row.moons) for lam in lambdas]
    weights = [one[2] for one in found]
    lengths = [one[3] for one in found]
    assert weights == sorted(weights, reverse=True)
    assert lengths[0] > lengths[1] > lengths[2]
    assert found[1][1] > found[0][1]  # and new points are classified better


def test_19_larger_networks_have_more_parameters(lecture):
    row = lecture("19_classify2d")
    lines, _ = row.compared(row.moons, [{"hidden": 3, "epochs": 1}, {"hidden": 300, "epochs": 1}])
    assert [line[1] for line in lines] == [13, 1201]


def test_19_is_an_animation_too(lecture, tmp_path):
    row = lecture("19_classify2d")
    row.MOMENTS = (2,)
    _, panels = row.animated(tmp_path, row.circle)
    assert len(panels) == 1
    gif = (tmp_path / "19_classify2d_circle.gif").read_bytes()
    assert gif.startswith(b"GIF89a")
    assert gif.count(b"\x21\xf9\x04") >= 2  # one control block for each picture


def test_19_the_callback_sees_the_moments_asked_for(lecture):
    row = lecture("19_classify2d")
    seen: list[int] = []
    watch = row.Watch((2, 5), lambda net, epoch: seen.append(epoch))
    row.train(*row.data(row.circle), callbacks=[watch], epochs=6)
    assert seen == [2, 5]


def test_20_every_splitter_scores(lecture):
    row = lecture("20_splits")
    x, y = row.load_iris(return_X_y=True)
    tried, best, tested = row.three_way(x, y)
    assert tried[best] == max(tried.values())
    assert tested > 0.9
    splitters = row.splitters()
    for name in ("5-fold", "random sampling"):
        assert row.scores(x, y, splitters[name]).mean() > 0.9


def test_20_leave_one_out_is_one_fit_a_point(lecture):
    row = lecture("20_splits")
    x, y = row.load_iris(return_X_y=True)
    some = slice(None, None, 5)
    found = row.scores(x[some], y[some], row.splitters()["leave-one-out"])
    assert found.shape == (30,)
    assert set(found) <= {0.0, 1.0}


def test_21_equal_units_stay_equal(lecture, isa):
    row = lecture("21_initialisation")
    assert row.different_units("zeros")[0] == [1, 1]
    assert row.different_units(fm.initializers.Constant(0.5))[0] == [1, 1]
    units, loss = row.different_units("xavier_normal")
    assert units == [8, 8]
    assert loss < 0.1


def test_21_he_and_xavier_keep_the_variance(lecture, isa):
    row = lecture("21_initialisation")
    for way in (0, 1):
        he = row.spread("he_normal", fm.ReLU)[way]
        xavier = row.spread("xavier_normal", fm.Identity)[way]
        assert max(he) / min(he) < 1.5
        assert max(xavier) / min(xavier) < 1.5
    small, halved = (row.spread(*row.CASES[name])[0] for name in list(row.CASES)[::2])
    assert small[-1] < 1e-6 * small[0]
    # ReLU halves the variance in each layer: (1 / 2) ** (9 / 2) for the standard deviation.
    assert halved[-1] / halved[0] == pytest.approx(0.5**4.5, rel=0.25)


def test_22_momentum_is_faster_and_is_the_formula(lecture, isa):
    row = lecture("22_momentum")
    steps = {}
    for momentum in (0.0, 0.8):
        points, values = row.descend(momentum, 400)
        np.testing.assert_allclose(points, row.by_formula(momentum, 400), rtol=0, atol=1e-13)
        steps[momentum] = row.steps_until(values)
    assert 0 < steps[0.8] < 0.5 * steps[0.0]
