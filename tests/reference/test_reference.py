"""The oracle itself: derivatives against differences, formulas against PyTorch and the lecture."""

from __future__ import annotations

import itertools
import warnings
from statistics import NormalDist

import numpy as np
import pytest

from fastmlp import reference as ref

SEED = 20240229
ROWS, COLUMNS = 5, 4
KINKS = dict.fromkeys(("ReLU", "LeakyReLU", "ELU", "SELU", "Step"), (0.0,)) | {"Clamp": (-1.0, 1.0)}
LOSS_PARAMS = [
    ("CrossEntropyLoss", ()),
    ("CrossEntropyLoss", (0.1,)),
    ("BCEWithLogitsLoss", ()),
    ("MSELoss", ()),
    ("L1Loss", ()),
    ("HuberLoss", ()),
    ("HuberLoss", (0.3,)),
    ("MultiMarginLoss", ()),
    ("MultiMarginLoss", (0.5,)),
    ("PoissonNLLLoss", ()),
    ("QuantileLoss", ((0.1, 0.8),)),
]


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def params_of(name):
    return tuple(ref.ACTIVATIONS[name].params.values())


def chain(rng, *widths, activation="Sigmoid"):
    """A net Linear, activation, Linear, ... with random parameters; no activation at the end."""
    layers = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [
            ref.Linear(rng.normal(size=(fan_in, fan_out)), rng.normal(size=fan_out)),
            ref.Activation(activation),
        ]
    return ref.Sequential(*layers[:-1])


def make_target(loss, rng, probabilities=False):
    if probabilities:
        return rng.dirichlet(np.ones(COLUMNS), size=ROWS)
    if loss.target == "class":
        return rng.integers(COLUMNS, size=ROWS)
    columns = COLUMNS // 2 if loss.target == "quantile" else COLUMNS
    return rng.uniform(0.0, 1.0, size=(ROWS, columns))


# Activations


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


# Layers


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


# Losses


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "params", "probabilities"),
    [(*row, False) for row in LOSS_PARAMS]
    + [(*row, True) for row in LOSS_PARAMS if row[0] == "CrossEntropyLoss"],
)
def test_loss_gradient_equals_central_differences(
    name, params, probabilities, weighted, reduction, rng
):
    loss = ref.LOSSES[name](*params, reduction=reduction)
    scores = rng.normal(size=(ROWS, COLUMNS))
    target = make_target(loss, rng, probabilities)
    weight = rng.uniform(0.1, 2.0, size=ROWS) if weighted else None
    loss.forward(scores, target, weight)
    gradient = loss.backward()
    differences = ref.central_difference(lambda: loss.forward(scores, target, weight), scores)
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("name", "params"), LOSS_PARAMS)
def test_an_integer_weight_is_a_repeated_row(name, params, rng):
    scores, repeats = rng.normal(size=(ROWS, COLUMNS)), np.array([1, 3, 0, 2, 1])
    for reduction in ("mean", "sum"):
        loss = ref.LOSSES[name](*params, reduction=reduction)
        target = make_target(loss, rng)
        rows = np.repeat(np.arange(ROWS), repeats)
        np.testing.assert_allclose(
            loss.forward(scores, target, repeats), loss.forward(scores[rows], target[rows])
        )


@pytest.mark.parametrize(("name", "params"), LOSS_PARAMS)
def test_weights_that_sum_to_zero_give_zero(name, params, rng):
    loss = ref.LOSSES[name](*params)
    scores = rng.normal(size=(ROWS, COLUMNS))
    assert loss.forward(scores, make_target(loss, rng), np.zeros(ROWS)) == 0.0
    assert not loss.backward().any()


@pytest.mark.parametrize(("name", "params"), LOSS_PARAMS)
def test_loss_of_nan_is_nan_and_of_huge_scores_warns_not(name, params, rng):
    loss = ref.LOSSES[name](*params)
    scores = rng.normal(size=(ROWS, COLUMNS))
    target = make_target(loss, rng)
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error")
        assert loss.forward(scores * 1e4, target) >= 0.0
    scores[1] = np.nan
    assert np.isnan(loss.forward(scores, target))
    assert np.isnan(loss.backward()[1]).any()


def test_every_loss_is_tested():
    assert {name for name, _ in LOSS_PARAMS} == set(ref.LOSSES)


def test_labels_are_one_hot_probabilities(rng):
    scores, labels = rng.normal(size=(ROWS, COLUMNS)), rng.integers(COLUMNS, size=ROWS)
    loss = ref.CrossEntropyLoss(label_smoothing=0.2)
    by_label = loss.forward(scores, labels)
    assert by_label == loss.forward(scores, ref.one_hot(labels, COLUMNS))


def test_a_masked_class_does_not_spoil_cross_entropy():
    loss = ref.CrossEntropyLoss()
    assert loss.forward([[0.0, -np.inf, 0.0]], [0]) == pytest.approx(np.log(2.0))
    np.testing.assert_allclose(loss.backward(), [[-0.5, 0.0, 0.5]])


def test_confident_binary_loss_keeps_its_tail():
    value = ref.BCEWithLogitsLoss().forward([[50.0], [-50.0]], [1.0, 0.0])
    assert value == pytest.approx(np.exp(-50.0), rel=1e-14)


def test_quantile_columns():
    scores, narrow = np.zeros((1, 4)), np.array([[1.0, -2.0]])
    loss = ref.QuantileLoss([0.1, 0.9], reduction="sum")
    assert loss.forward(scores, narrow) == pytest.approx(0.1 + 0.9 + 2 * 0.9 + 2 * 0.1)
    np.testing.assert_allclose(loss.backward(), [[-0.1, -0.9, 0.9, 0.1]])
    assert loss.forward(scores, np.repeat(narrow, 2, axis=1)) == loss.forward(scores, narrow)
    with pytest.raises(ValueError, match="3 columns for 2 quantiles"):
        loss.forward(np.zeros((1, 3)), narrow)


@pytest.mark.parametrize("name", ["L1Loss", "HuberLoss", "MSELoss", "QuantileLoss"])
def test_gradient_is_zero_on_the_target(name):
    loss = ref.LOSSES[name]((0.3,)) if name == "QuantileLoss" else ref.LOSSES[name]()
    assert loss.forward([[1.5]], [[1.5]]) == 0.0
    assert not loss.backward().any()


def test_hinge_margin_of_exactly_zero_has_no_gradient():
    loss = ref.MultiMarginLoss()
    assert loss.forward([[2.0, 1.0, 2.0]], [0]) == 1.0
    np.testing.assert_array_equal(loss.backward(), [[-1.0, 0.0, 1.0]])


def test_unknown_reduction_is_an_error():
    with pytest.raises(ValueError, match="reduction"):
        ref.MSELoss(reduction="none")


# Penalties


@pytest.mark.parametrize(
    "penalty", [ref.L2(0.3), ref.L1(0.3), ref.Lp(3, 0.3), ref.Lp(1.5, 0.3), ref.Lp(0.5, 0.3)]
)
def test_penalty_gradient_equals_central_differences(penalty, rng):
    W = rng.uniform(0.1, 1.0, size=(3, 4)) * rng.choice([-1.0, 1.0], size=(3, 4))
    differences = ref.central_difference(lambda: penalty.value(W), W)
    np.testing.assert_allclose(penalty.gradient(W), differences, rtol=1e-7)
    np.testing.assert_array_equal(penalty.gradient(np.zeros((2, 2))), np.zeros((2, 2)))


def test_lp_contains_l1_and_l2(rng):
    W = rng.normal(size=(3, 4))
    for p, same in [(1, ref.L1(0.3)), (2, ref.L2(0.3))]:
        assert ref.Lp(p, 0.3).value(W) == pytest.approx(same.value(W), rel=1e-14)
        np.testing.assert_allclose(ref.Lp(p, 0.3).gradient(W), same.gradient(W), rtol=1e-14)
    assert set(ref.PENALTIES) == {"L1", "L2", "Lp"}


# Optimizers


def after_two_steps(optimizer):
    params = np.array([1.0])
    for gradient in (2.0, -1.0):
        optimizer.step(params, np.array([gradient]))
    return params[0]


def test_sgd_by_hand():
    assert after_two_steps(ref.SGD(lr=0.1)) == pytest.approx(1.0 - 0.2 + 0.1)
    assert after_two_steps(ref.SGD(lr=0.1, momentum=0.5)) == pytest.approx(1.0 - 0.2 - 0.0)
    nesterov = 1.0 - 0.1 * (2.0 + 0.5 * 2.0) - 0.1 * (-1.0 + 0.5 * 0.0)
    assert after_two_steps(ref.SGD(lr=0.1, momentum=0.5, nesterov=True)) == pytest.approx(nesterov)


def test_adam_by_hand():
    optimizer = ref.Adam(lr=0.1, beta1=0.5, beta2=0.5, eps=0.0)
    # m: 1, then 0, so the second step stands still.
    assert after_two_steps(optimizer) == pytest.approx(1.0 - 0.1)
    m_hat, v_hat = (0.9 * 0.2 - 0.1) / 0.19, (0.999 * 0.004 + 0.001) / (1.0 - 0.999**2)
    expected = 1.0 - 0.1 * (2.0 / (2.0 + 1e-8)) - 0.1 * m_hat / (np.sqrt(v_hat) + 1e-8)
    assert after_two_steps(ref.Adam(lr=0.1)) == pytest.approx(expected, rel=1e-14)
    hat = ref.Adam(lr=0.1, beta1=0.5, beta2=0.75, eps=3.0, eps_hat=True)
    params = np.array([1.0])
    hat.step(params, np.array([2.0]))
    # sqrt(v) = 1, sqrt(1 - beta2) = 0.5
    assert params == pytest.approx(1.0 - 0.1 * 2.0 / ((1.0 + 3.0) / 0.5))


def test_adamw_decays_the_parameters_not_the_gradient():
    params, optimizer = np.array([2.0]), ref.AdamW(lr=0.1, weight_decay=0.5, eps=0.0)
    optimizer.step(params, np.array([3.0]))
    assert params[0] == pytest.approx(2.0 * 0.95 - 0.1)


def test_rmsprop_by_hand():
    v1 = 0.01 * 4.0
    v2 = 0.99 * v1 + 0.01
    step1, step2 = 2.0 / (np.sqrt(v1) + 1e-8), -1.0 / (np.sqrt(v2) + 1e-8)
    assert after_two_steps(ref.RMSprop(lr=0.1)) == pytest.approx(1.0 - 0.1 * (step1 + step2))
    with_momentum = 1.0 - 0.1 * (step1 + 0.5 * step1 + step2)
    assert after_two_steps(ref.RMSprop(lr=0.1, momentum=0.5)) == pytest.approx(with_momentum)


def test_adagrad_by_hand():
    expected = 1.0 - 0.1 * 2.0 / np.sqrt(4.0) + 0.1 / np.sqrt(5.0)
    assert after_two_steps(ref.Adagrad(lr=0.1)) == pytest.approx(expected)


def test_clip_by_norm(rng):
    grads = rng.normal(size=50)
    norm = np.linalg.norm(grads)
    np.testing.assert_array_equal(ref.clip_by_norm(grads, 2.0 * norm), grads)
    np.testing.assert_allclose(
        ref.clip_by_norm(grads, 0.5), grads * (0.5 / (norm + 1e-6)), rtol=1e-15
    )


# Against PyTorch


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is the second opinion; it is optional")


OPTIMIZER_SETTINGS = [
    ("SGD", {}, {}),
    ("SGD", {"momentum": 0.9}, {"weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1}),
    ("Adam", {}, {}),
    ("Adam", {"beta1": 0.8, "beta2": 0.95}, {"weight_decay": 0.1, "eps": 1e-3}),
    ("AdamW", {}, {}),
    ("AdamW", {"beta1": 0.8, "beta2": 0.95}, {"weight_decay": 0.1}),
    ("RMSprop", {}, {}),
    ("RMSprop", {}, {"alpha": 0.9, "momentum": 0.5, "weight_decay": 0.1}),
    ("Adagrad", {}, {}),
    ("Adagrad", {}, {"lr_decay": 0.1, "weight_decay": 0.1}),
]


def torch_settings(ours, common):
    settings = {**ours, **common}
    betas = (settings.pop("beta1", 0.9), settings.pop("beta2", 0.999))
    return {**settings, "betas": betas} if betas != (0.9, 0.999) else settings


@pytest.mark.parametrize(("name", "ours", "common"), OPTIMIZER_SETTINGS)
def test_optimizer_equals_pytorch(name, ours, common, torch, rng):
    params = rng.normal(size=20)
    theirs = torch.tensor(params, requires_grad=True)
    optimizer = ref.OPTIMIZERS[name](lr=0.05, **ours, **common)
    other = getattr(torch.optim, name)([theirs], lr=0.05, **torch_settings(ours, common))
    for _ in range(20):
        grads = rng.normal(size=20)
        optimizer.step(params, grads)
        theirs.grad = torch.tensor(grads)
        other.step()
    np.testing.assert_allclose(params, theirs.detach().numpy(), rtol=1e-11, atol=1e-12)


def test_default_hyperparameters_equal_pytorch(torch):
    for name, make in ref.OPTIMIZERS.items():
        theirs = getattr(torch.optim, name)([torch.zeros(1)]).defaults
        ours = dict(vars(make()))
        if "betas" in theirs:
            assert (ours["beta1"], ours["beta2"]) == theirs["betas"]
        for key in {"lr", "momentum", "weight_decay", "alpha", "eps", "lr_decay"} & set(theirs):
            assert ours[key] == theirs[key], (name, key)


def test_clipping_equals_pytorch(torch, rng):
    grads = rng.normal(size=50)
    theirs = torch.zeros(50, dtype=torch.float64)
    theirs.grad = torch.tensor(grads)
    torch.nn.utils.clip_grad_norm_([theirs], 0.5)
    np.testing.assert_allclose(ref.clip_by_norm(grads, 0.5), theirs.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", sorted(set(ref.ACTIVATIONS) - {"Identity", "Step"}))
def test_activation_equals_pytorch(name, torch, rng):
    make = {
        "Cos": lambda: torch.cos,
        "Clamp": lambda: lambda z: torch.clamp(z, -1.0, 1.0),
        "GELUTanh": lambda: torch.nn.GELU(approximate="tanh"),
        "LeakyReLU": lambda: torch.nn.LeakyReLU(0.1),
        "Softplus": lambda: torch.nn.Softplus(threshold=100),
    }.get(name) or getattr(torch.nn, name)
    z = np.append(rng.uniform(-8.0, 8.0, size=100), [0.0, -1.0, 1.0])
    theirs = torch.tensor(z, requires_grad=True)
    y = make()(theirs)
    y.sum().backward()
    row, params = ref.ACTIVATIONS[name], params_of(name)
    np.testing.assert_allclose(row.f(z, *params), y.detach().numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(row.df(z, *params), theirs.grad.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("name", "params"), [row for row in LOSS_PARAMS if row[0] != "QuantileLoss"]
)
def test_loss_equals_pytorch(name, params, reduction, torch, rng):
    loss = ref.LOSSES[name](*params, reduction=reduction)
    keyword = {"CrossEntropyLoss": "label_smoothing", "HuberLoss": "delta"}.get(name, "margin")
    settings = {keyword: params[0]} if params else {}
    scores, target = rng.normal(size=(ROWS, COLUMNS)), make_target(loss, rng)
    theirs = torch.tensor(scores, requires_grad=True)
    value = getattr(torch.nn, name)(reduction=reduction, **settings)(theirs, torch.tensor(target))
    value.backward()
    times = COLUMNS if name == "MultiMarginLoss" else 1  # PyTorch divides the hinges by C
    assert loss.forward(scores, target) == pytest.approx(times * value.item(), rel=1e-12)
    np.testing.assert_allclose(loss.backward(), times * theirs.grad.numpy(), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_probabilities_equals_pytorch(smoothing, torch, rng):
    scores, target = rng.normal(size=(ROWS, COLUMNS)), rng.uniform(size=(ROWS, COLUMNS))
    theirs = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
    expected = theirs(torch.tensor(scores), torch.tensor(target)).item()
    assert ref.CrossEntropyLoss(smoothing).forward(scores, target) == pytest.approx(expected)


# Random numbers


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4,
            (0xFFFFFFFF, 0xFFFFFFFF),
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_known_answers(counter, key, expected):
    assert ref.philox4x32(counter, key).tolist() == expected


@pytest.mark.parametrize("element", [0, 15, 16, 63, 64, 1000, 2**36 + 77])
def test_every_element_has_its_place_in_a_block(element):
    seed, stream, step = 0x0123456789ABCDEF, 6, 9
    block, word = element // 64 * 16 + element % 16, element % 64 // 16
    counter = [block & 0xFFFFFFFF, block >> 32, step, stream]
    expected = ref.philox4x32(counter, (0x89ABCDEF, 0x01234567))[word]
    assert ref.random_u32([element], seed, stream, step)[0] == expected


def test_elements_do_not_depend_on_how_many_are_asked_for():
    np.testing.assert_array_equal(ref.uniform(1000, 7, 4)[:70], ref.uniform(70, 7, 4))
    for other in [(8, 4, 0), (7, 5, 0), (7, 4, 1), (7 + 2**32, 4, 0)]:
        assert (ref.uniform(70, *other) != ref.uniform(70, 7, 4, 0)).all()


def test_uniform_and_normal_moments():
    u, z = ref.uniform(20000, seed=1, stream=0), ref.normal(20000, seed=1, stream=1)
    assert 0.0 < u.min() < u.max() < 1.0
    assert abs(u.mean() - 0.5) < 0.01
    assert abs(u.var() - 1.0 / 12.0) < 0.002
    assert abs(z.mean()) < 0.03
    assert abs(z.std() - 1.0) < 0.02


def test_inverse_normal_in_centre_tail_and_far_tail():
    u = np.array([1e-300, 1e-20, 2.0**-33, 0.01, 0.075, 0.3, 0.5, 0.6, 0.925, 0.99, 1 - 2.0**-33])
    expected = [NormalDist().inv_cdf(value) for value in u]
    np.testing.assert_allclose(ref.inverse_normal(u), expected, rtol=1e-14)
    # The symmetry that `min(u, 1 - u)` brings.
    np.testing.assert_array_equal(ref.inverse_normal(0.25), -ref.inverse_normal(0.75))


def test_dropout_mask_keeps_about_the_right_share():
    assert ref.dropout_mask(100, 0.0, 0, 2, 0).all()
    assert not ref.dropout_mask(100, 1.0, 0, 2, 0).any()
    mask = ref.dropout_mask(20000, 0.3, 0, 2, 0)
    assert mask.dtype == np.uint8
    assert abs(mask.mean() - 0.7) < 0.01


def test_permutation_holds_every_index_once():
    for n in (0, 1, 2, 65, 500):
        assert sorted(ref.permutation(n, seed=3, epoch=0)) == list(range(n))
    assert (ref.permutation(500, 3, 0) != ref.permutation(500, 3, 1)).any()
    assert (ref.permutation(500, 3, 0) != ref.permutation(500, 4, 0)).any()


def test_permutation_is_uniform():
    orders = [tuple(ref.permutation(3, seed, epoch=0)) for seed in range(1200)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert min(counts) > 150
    assert max(counts) < 250


# Training


def test_fit_is_the_loop_written_out(rng):
    x, y = rng.normal(size=(10, 3)), rng.normal(size=(10, 2))
    weight = rng.uniform(0.5, 2.0, size=10)
    start = chain(rng, 3, 4, 2)
    net = ref.Sequential(
        ref.Linear(*start.layers[0].params),
        ref.Activation("Sigmoid"),
        ref.Linear(*start.layers[2].params),
    )
    history = ref.fit(
        net,
        x,
        y,
        loss=ref.MSELoss(),
        optimizer=ref.SGD(lr=0.1),
        epochs=2,
        batch_size=4,
        penalties=[ref.L2(0.01), ref.L1(0.02)],
        clip_norm=0.5,
        sample_weight=weight,
        seed=11,
    )
    W1, b1, W2, b2 = start.params
    losses = []
    for epoch in range(2):
        order = ref.permutation(10, 11, epoch)
        for batch in (order[:4], order[4:8], order[8:]):
            a, w = x[batch], weight[batch] / weight[batch].sum()
            h = 1.0 / (1.0 + np.exp(-(a @ W1 + b1)))
            d = h @ W2 + b2 - y[batch]
            data = np.sum(w * np.mean(d * d, axis=1))
            penalty = sum(0.01 * np.sum(W**2) + 0.02 * np.sum(abs(W)) for W in (W1, W2))
            losses.append(data * weight[batch].sum() / weight.sum() + penalty * len(batch) / 10)
            ds = d * w[:, np.newaxis]  # 2 / (2 columns)
            dz = ds @ W2.T * h * (1.0 - h)
            grads = [a.T @ dz, dz.sum(axis=0), h.T @ ds, ds.sum(axis=0)]
            grads[0] += 0.02 * W1 + 0.02 * np.sign(W1)
            grads[2] += 0.02 * W2 + 0.02 * np.sign(W2)
            norm = np.sqrt(sum(np.sum(g * g) for g in grads))
            for param, g in zip((W1, b1, W2, b2), grads, strict=True):
                param -= 0.1 * g * min(1.0, 0.5 / (norm + 1e-6))
    np.testing.assert_allclose(history, [sum(losses[:3]), sum(losses[3:])], rtol=1e-12)
    np.testing.assert_allclose(ref.flatten(net.params), ref.flatten(start.params), rtol=1e-12)


def test_epoch_yields_rows_and_follows_the_learning_rates():
    net = ref.Sequential(ref.Linear([[0.0]]))
    trainer = ref.Trainer(net, ref.MSELoss(), ref.SGD(lr=9.0))
    x = np.ones((5, 1))
    steps = trainer.epoch(x, x, np.arange(5), 2, lrs=[0.5, 0.0, 0.0])
    assert list(steps) == [(2, 1.0), (2, 0.0), (1, 0.0)]


# The lecture


def test_bias_trick_and_collapse_of_linear_layers(rng):
    x, W1, b1 = rng.normal(size=(6, 3)), rng.normal(size=(3, 4)), rng.normal(size=4)
    W2 = rng.normal(size=(4, 2))
    trick = ref.Linear(np.vstack([W1, b1])).forward(np.hstack([x, np.ones((6, 1))]))
    np.testing.assert_allclose(trick, ref.Linear(W1, b1).forward(x), rtol=1e-13)
    two = ref.Sequential(ref.Linear(W1), ref.Linear(W2)).forward(x)
    np.testing.assert_allclose(two, ref.Linear(W1 @ W2).forward(x), rtol=1e-12)


def test_sigmoid_circuit():
    net = ref.Sequential(ref.Linear([[2.0], [-3.0]], [-3.0]), ref.Activation("Sigmoid"))
    assert net.forward([[-1.0, -2.0]]).round(2) == 0.73
    dx = net.backward([[1.0]])
    dW, db = net.grads
    np.testing.assert_array_equal(dx.round(2), [[0.39, -0.59]])
    np.testing.assert_array_equal(dW.round(2), [[-0.20], [-0.39]])
    np.testing.assert_array_equal(db.round(2), [0.20])


def test_sum_of_squares_of_a_product():
    layer = ref.Linear(np.transpose([[0.1, 0.5], [-0.3, 0.8]]))  # W.x is x W^T
    loss = ref.MSELoss(reduction="sum")
    q = layer.forward([[0.2, 0.4]])
    np.testing.assert_allclose(q, [[0.22, 0.26]])
    assert loss.forward(q, np.zeros((1, 2))) == pytest.approx(0.116)
    np.testing.assert_allclose(loss.backward(), [[0.44, 0.52]])
    np.testing.assert_allclose(layer.backward(loss.backward()), [[-0.112, 0.636]])
    np.testing.assert_allclose(layer.dW.T, [[0.088, 0.176], [0.104, 0.208]])


def test_matrix_multiply_never_needs_the_jacobian(rng):
    layer = ref.Linear(rng.normal(size=(3, 4)))
    x, dy = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    layer.forward(x)
    np.testing.assert_array_equal(layer.backward(dy), dy @ layer.W.T)
    np.testing.assert_array_equal(layer.dW, x.T @ dy)


def test_two_layers_of_relu_and_a_sum_of_squares(rng):
    x, W1, W2 = rng.normal(size=(6, 3)), rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
    net = ref.Sequential(ref.Linear(W1), ref.Activation("ReLU"), ref.Linear(W2))
    y = net.forward(x)
    net.backward(2.0 * y)
    h1 = np.maximum(x @ W1, 0.0)
    dW1, dW2 = net.grads
    np.testing.assert_allclose(dW2, h1.T @ (2.0 * h1 @ W2), rtol=1e-12)
    np.testing.assert_allclose(dW1, x.T @ ((2.0 * h1 @ W2) @ W2.T * (x @ W1 > 0.0)), rtol=1e-12)


@pytest.mark.parametrize("loss", [ref.MultiMarginLoss(), ref.CrossEntropyLoss()])
def test_swapping_the_loss_changes_one_line(loss, rng):
    x, labels, penalty = rng.normal(size=(6, 3)), rng.integers(3, size=6), ref.L2(0.1)
    layer = ref.Linear(rng.normal(size=(3, 3)))

    def value():
        return loss.forward(layer.forward(x), labels) + penalty.value(layer.W)

    value()
    layer.backward(loss.backward())
    np.testing.assert_allclose(
        layer.dW + penalty.gradient(layer.W), ref.central_difference(value, layer.W), rtol=1e-6
    )


def test_svm_loss_of_three_images():
    scores = [[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]]  # cat, car, frog
    loss = ref.MultiMarginLoss()
    each = [loss.forward([row], [label]) for label, row in enumerate(scores)]
    np.testing.assert_allclose(each, [2.9, 0.0, 12.9], atol=1e-14)
    assert loss.forward(scores, [0, 1, 2]) == pytest.approx(15.8 / 3.0)


def test_two_layer_net_by_hand_falls_step_for_step(rng):
    x, y = rng.normal(size=(16, 30)), rng.normal(size=(16, 5))
    W1, W2 = rng.normal(size=(30, 12)), rng.normal(size=(12, 5))
    net = ref.Sequential(ref.Linear(W1), ref.Activation("Sigmoid"), ref.Linear(W2))
    trainer = ref.Trainer(net, ref.MSELoss(reduction="sum"), ref.SGD(lr=1e-4))
    by_net, by_hand = [], []
    for _ in range(200):
        by_net.append(trainer.step(x, y))
        h = 1.0 / (1.0 + np.exp(-(x @ W1)))
        d = h @ W2 - y
        by_hand.append(np.sum(d * d))
        dW1, dW2 = x.T @ ((2.0 * d) @ W2.T * h * (1.0 - h)), h.T @ (2.0 * d)
        W1 -= 1e-4 * dW1
        W2 -= 1e-4 * dW2
    np.testing.assert_allclose(by_net, by_hand, rtol=1e-11)
    assert (np.diff(by_net) < 0.0).all()


def test_zero_weights_stop_the_first_gradient():
    net = ref.Sequential(ref.Linear([[0.0]]), ref.Activation("Sigmoid"), ref.Linear([[0.0]]))

    def output():
        return float(net.forward([[0.0]])[0, 0])

    output()
    net.backward([[1.0]])
    for grad, param, expected in zip(net.grads, net.params, (0.0, 0.5), strict=True):
        assert grad == expected
        np.testing.assert_allclose(ref.central_difference(output, param), grad, atol=1e-10)


def test_gradients_vanish_through_sigmoids_not_through_relus(rng):
    assert ref.ACTIVATIONS["Sigmoid"].df(np.linspace(-5.0, 5.0, 101)).max() == 0.25
    shrinkage = {}
    for name in ("Sigmoid", "ReLU"):
        layers = []
        for _ in range(10):
            W = rng.normal(size=(32, 32)) * np.sqrt(2.0 / 32)
            layers += [ref.Linear(W, np.zeros(32)), ref.Activation(name)]
        net = ref.Sequential(*layers)
        net.forward(rng.normal(size=(8, 32)))
        net.backward(rng.normal(size=(8, 32)))
        norms = [np.linalg.norm(layer.dW) for layer in net.linears]
        shrinkage[name] = norms[0] / norms[-1]
    assert shrinkage["Sigmoid"] < 1e-3
    assert shrinkage["ReLU"] > 0.1


def test_delta_recursion_on_three_layers(rng):
    net = chain(rng, 2, 2, 2, 2)
    x, dy = rng.normal(size=(1, 2)), rng.normal(size=(1, 2))
    net.forward(x)
    net.backward(dy)
    first, second, third = net.linears
    sigmoid = ref.ACTIVATIONS["Sigmoid"]
    f1 = x @ first.W + first.b
    f2 = sigmoid.f(f1) @ second.W + second.b
    delta3 = dy.T
    delta2 = sigmoid.df(f2).T * (third.W @ delta3)
    delta1 = sigmoid.df(f1).T * (second.W @ delta2)
    np.testing.assert_allclose(third.dW, sigmoid.f(f2).T @ delta3.T, rtol=1e-14)
    np.testing.assert_allclose(second.dW, sigmoid.f(f1).T @ delta2.T, rtol=1e-14)
    np.testing.assert_allclose(first.dW, x.T @ delta1.T, rtol=1e-14)
    for layer, delta in zip(net.linears, (delta1, delta2, delta3), strict=True):
        np.testing.assert_allclose(layer.db, delta.ravel(), rtol=1e-14)
