"""Whole training runs, step by step, against the reference and, if installed, PyTorch.

In float64 both sides differ only by rounding in the last place; 20 steps of these small networks
keep the difference below ``TOLERANCE`` of the largest parameter.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests import loss_problems as problems
from tests.harness import (
    LOSSES,
    OPTIMIZERS,
    check,
    generator,
    loss_reference,
    net_reference,
    optimizer_reference,
    penalty_reference,
    same_bits,
)

import fastmlp as fm
from fastmlp import reference as ref

STEPS, ROWS, TOLERANCE = 20, 24, 1e-12

OPTIMIZER_CASES = [
    fm.SGD(lr=0.1),
    fm.SGD(lr=0.1, momentum=0.9),
    fm.SGD(lr=0.1, momentum=0.9, nesterov=True),
    fm.SGD(lr=0.1, weight_decay=0.01),
    fm.SGD(lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.01, clip_norm=0.2),
    fm.Adam(lr=0.01),
    fm.Adam(lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.01),
    fm.Adam(lr=0.01, clip_norm=0.1),
    fm.AdamW(lr=0.01),
    fm.AdamW(lr=0.01, weight_decay=0.1, clip_norm=0.2),
    fm.RMSprop(lr=0.01),
    fm.RMSprop(lr=0.01, alpha=0.9, momentum=0.5, eps=1e-4, weight_decay=0.01),
    fm.Adagrad(lr=0.1),
    fm.Adagrad(lr=0.1, lr_decay=0.1, eps=1e-4, weight_decay=0.01),
]
# Overlapping selectors, a frozen array, and all three ways to select.
GROUPS = {
    "bias": {"lr": 0.1, "weight_decay": 0},
    "0": {"lr": 2.0},
    "0.b": {"lr": 0.5},
    "weight": {"weight_decay": 3.0},
    "3.W": {"lr": 0},
}
GROUP_CASES = [
    type(optimizer)(**{**optimizer.arguments(), "groups": GROUPS}) for optimizer in OPTIMIZER_CASES
]
LOSS_CASES = [
    fm.CrossEntropyLoss(label_smoothing=0.1),
    fm.BCEWithLogitsLoss(),
    fm.MSELoss(reduction="sum"),
    fm.L1Loss(),
    fm.HuberLoss(0.3),
    fm.MultiMarginLoss(),
    fm.PoissonNLLLoss(),
    fm.QuantileLoss([0.1, 0.5, 0.9]),
    fm.FocalLoss(1.5),
    fm.SigmoidFocalLoss(),
    fm.KLDivLoss(reduction="batchmean"),
    fm.CosineSimilarityLoss(),
    fm.BehaviourCloningLoss(0.1),
    *(problems.cases([name])[-1] for name in problems.FIELDS),
]
PENALTY_CASES = [
    [fm.L2(1e-2)],
    [fm.L1(1e-2)],
    [fm.Lp(1.5, 1e-2)],
    [fm.L2(1e-3), fm.L1(1e-3), fm.Lp(3.0, 1e-3)],
]


def network(*middle, outputs=3):
    last = fm.Linear(7, outputs)
    layers = [fm.Linear(5, 8), fm.Tanh(), *middle, fm.Linear(8, 7), fm.GELU(), last]
    return fm.Sequential(*layers, dtype="float64", seed=5)


def data(loss):
    rng = generator("data")
    x = rng.normal(size=(ROWS, 5))
    return x, problems.targets(loss, ROWS, problems.width_of(loss, 3), rng)


def batch(step, x, y, weight):
    """A part of the data, with another size in each step."""
    rows = (np.arange(5 + step) * 7 + step) % ROWS
    return x[rows], y[rows], None if weight is None else weight[rows]


def follow(net, loss, optimizer, penalties=(), weighted=False):
    """Compare every step with the reference's."""
    before = net.params.copy()
    references = net_reference(net), loss_reference(loss), optimizer_reference(optimizer, net)
    theirs = ref.Trainer(
        *references, [penalty_reference(p) for p in penalties], optimizer.clip_norm or 0.0
    )
    ours = fm.Trainer(net, loss, optimizer, penalty=list(penalties))
    x, y = data(loss)
    weight = generator("weight").uniform(size=ROWS) if weighted else None
    for step in range(STEPS):
        part = batch(step, x, y, weight)
        value, expected = ours.step(*part), theirs.step(*part)
        check(np.float64(value), expected, TOLERANCE, 1.0 + abs(expected), f"loss of step {step}")
        params = ref.flatten(references[0].params)
        check(net.params, params, TOLERANCE, np.abs(params).max(), f"step {step}")
    assert np.abs(net.params - before).max() > 1e-3


def test_every_row_of_the_registries_is_followed():
    assert {type(optimizer).__name__ for optimizer in OPTIMIZER_CASES} == set(OPTIMIZERS)
    assert {type(loss).__name__ for loss in LOSS_CASES} == set(LOSSES)
    assert {type(p).__name__ for case in PENALTY_CASES for p in case} == set(ref.PENALTIES)


@pytest.mark.parametrize("optimizer", OPTIMIZER_CASES, ids=repr)
def test_optimizers(optimizer, isa):
    follow(network(), fm.CrossEntropyLoss(), optimizer)
    follow(network(fm.Dropout(0.2)), fm.MSELoss(), optimizer, PENALTY_CASES[-1], weighted=True)


@pytest.mark.parametrize("optimizer", GROUP_CASES, ids=repr)
def test_parameter_groups(optimizer, isa):
    net = network(fm.ReLU())
    before = net[3].W.copy()
    follow(net, fm.CrossEntropyLoss(), optimizer, PENALTY_CASES[-1])
    assert same_bits(net[3].W, before)


@pytest.mark.parametrize("loss", LOSS_CASES, ids=repr)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses(loss, weighted):
    net = network(outputs=problems.width_of(loss, 3))
    follow(net, loss, fm.SGD(lr=0.02, momentum=0.9), weighted=weighted)


@pytest.mark.parametrize("penalties", PENALTY_CASES, ids=repr)
def test_penalties(penalties):
    follow(network(), fm.CrossEntropyLoss(), fm.SGD(lr=0.1), penalties)


@pytest.mark.parametrize("layer", [fm.Dropout(0.5), fm.Softmax(), fm.Dropout(0.0)], ids=repr)
def test_layers(layer):
    follow(network(layer), fm.CrossEntropyLoss(), fm.Adam(lr=0.01))


@pytest.mark.parametrize("shuffle", [False, True])
def test_fit(shuffle, threads):
    """Epochs in one call: order, smaller last batch, means of the losses."""
    loss, optimizer = fm.CrossEntropyLoss(), fm.Adam(lr=0.01, clip_norm=0.5)
    penalties = [fm.L2(1e-3)]
    net, (x, y) = network(fm.Dropout(0.2)), data(loss)
    weight = generator("weight").uniform(size=ROWS)
    reference = net_reference(net)
    expected = ref.fit(
        reference, x, y, loss=loss_reference(loss), optimizer=optimizer_reference(optimizer),
        epochs=5, batch_size=7, penalties=[penalty_reference(p) for p in penalties], clip_norm=0.5,
        sample_weight=weight, shuffle=shuffle, seed=9,
    )  # fmt: skip
    history = fm.fit(net, x, y, loss=loss, optimizer=optimizer, epochs=5, batch_size=7,
                     penalty=penalties, sample_weight=weight, shuffle=shuffle, seed=9,
                     progress=False)  # fmt: skip
    check(np.array(history.loss), expected, TOLERANCE, None, "losses")
    params = ref.flatten(reference.params)
    check(net.params, params, TOLERANCE, np.abs(params).max(), "parameters")


@pytest.mark.parametrize("optimizer", [fm.Adam(lr=0.01, weight_decay=0.1), fm.AdamW(lr=0.01)])
def test_settings_of_each_step(optimizer, threads):
    """One epoch in which each step has its own rate, decay, dropout and label smoothing."""
    loss = fm.CrossEntropyLoss(label_smoothing=0.3)
    net, (x, y) = network(fm.Dropout(0.4)), data(loss)
    steps = {name: np.linspace(*ends, 5) for name, ends in {
        "lrs": (0.02, 0.01), "weight_decays": (0.5, 0.0), "dropouts": (0.0, 2.5),
        "label_smoothings": (0.4, 0.0)}.items()}  # fmt: skip
    theirs = ref.Trainer(net_reference(net), loss_reference(loss), optimizer_reference(optimizer))
    order = generator("order").permutation(ROWS)
    expected = [value for _, value in theirs.epoch(x, y, order, 5, **steps)]
    ours, losses = fm.Trainer(net, loss, optimizer), np.empty((5, 2))
    rates = steps.pop("lrs")
    ours.epoch(ours.checked_data(x, y, None), order, 5, rates, losses=losses, **steps)
    check(losses[:, 0], expected, TOLERANCE, None, "losses")
    params = ref.flatten(theirs.net.params)
    check(net.params, params, TOLERANCE, np.abs(params).max(), "parameters")


# ---- PyTorch as a second reference ----


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed (pip install torch)")


def torch_network(torch, net):
    """The same network, in PyTorch's (out, in) layout of weights."""
    layers = {"Tanh": torch.nn.Tanh, "GELU": torch.nn.GELU, "ReLU": torch.nn.ReLU}
    made = []
    for layer in net:
        if not isinstance(layer, fm.Linear):
            made.append(layers[type(layer).__name__]())
            continue
        other = torch.nn.Linear(layer.in_features, layer.out_features, dtype=torch.float64)
        with torch.no_grad():
            other.weight.copy_(torch.tensor(layer.W.T.copy()))
            other.bias.copy_(torch.tensor(layer.b.copy()))
        made.append(other)
    return torch.nn.Sequential(*made)


def torch_parameters(net):
    """In the order of ``net.params``."""
    flat = [(p.detach().numpy().T if p.ndim == 2 else p.detach().numpy()) for p in net.parameters()]
    return np.concatenate([array.ravel() for array in flat])


def torch_optimizer(torch, optimizer, net):
    settings = {**optimizer.arguments(), "lr": optimizer.lr}
    groups = settings.pop("groups")
    del settings["clip_norm"]
    settings.pop("eps_hat", None)  # a form that PyTorch does not have
    parameters = net.parameters() if groups is None else torch_groups(optimizer, net)
    return getattr(torch.optim, type(optimizer).__name__)(parameters, **settings)


def torch_groups(optimizer, net):
    """One of PyTorch's param_groups for each array; a frozen array gets no gradient."""
    reference, found, start = optimizer_reference(optimizer, network(fm.ReLU())), [], 0
    for parameter in net.parameters():
        lr, decay = (float(np.ravel(part)[start]) for part in (reference.rate, reference.decay))
        parameter.requires_grad_(lr > 0.0)
        found.append({"params": [parameter], "lr": lr, "weight_decay": decay})
        start += parameter.numel()
    return found


def torch_loss(torch, loss):
    settings = loss.arguments()
    del settings["fold"]  # PyTorch has no folded losses
    extra = {"log_input": True} if isinstance(loss, fm.PoissonNLLLoss) else {}
    return getattr(torch.nn, type(loss).__name__)(**settings, **extra)


def follow_torch(torch, loss, optimizer):
    net, (x, y) = network(fm.ReLU()), data(loss)
    theirs, criterion = torch_network(torch, net), torch_loss(torch, loss)
    updater = torch_optimizer(torch, optimizer, theirs)
    ours = fm.Trainer(net, loss, optimizer)
    for step in range(STEPS):
        rows, target, _ = batch(step, x, y, None)
        value = ours.step(rows, target)
        updater.zero_grad()
        expected = criterion(theirs(torch.tensor(rows)), torch.tensor(target))
        expected.backward()
        if optimizer.clip_norm:
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), optimizer.clip_norm)
        updater.step()
        check(np.float64(value), expected.item(), TOLERANCE, 1.0 + expected.item(), f"step {step}")
        params = torch_parameters(theirs)
        check(net.params, params, TOLERANCE, np.abs(params).max(), f"step {step}")


@pytest.mark.parametrize("optimizer", OPTIMIZER_CASES, ids=repr)
def test_optimizers_of_pytorch(optimizer, torch):
    follow_torch(torch, fm.CrossEntropyLoss(), optimizer)


@pytest.mark.parametrize("optimizer", GROUP_CASES, ids=repr)
def test_parameter_groups_of_pytorch(optimizer, torch):
    follow_torch(torch, fm.CrossEntropyLoss(), optimizer)


# Its MultiMarginLoss divides by the number of classes, and it has no quantile loss.
@pytest.mark.parametrize("loss", [*LOSS_CASES[:5], LOSS_CASES[6]], ids=repr)
def test_losses_of_pytorch(loss, torch):
    follow_torch(torch, loss, fm.SGD(lr=0.02, momentum=0.9))
