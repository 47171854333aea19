"""The reference against PyTorch, where it is installed."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference.problems import COLUMNS, LOSS_PARAMS, ROWS, make_target, params_of

from fastmlp import reference as ref

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
