"""Losses of densities, pairs, policies and values against PyTorch, where it is installed.

Where PyTorch has the loss, with its own; otherwise with the formula of the paper, written in
PyTorch's distributions and differentiated by it.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference.problems import OTHER_LOSSES, other_problem

# PyTorch advises "batchmean" for the divergence.
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")


def column(t, index):
    return t[:, index]


def focal(torch, loss, s, t):
    log_p = torch.log_softmax(s, 1).gather(1, t[:, None])[:, 0]
    return (-((1 - log_p.exp()) ** loss.gamma) * log_p).mean()


def sigmoid_focal(torch, loss, s, t):
    """``torchvision.ops.sigmoid_focal_loss``."""
    p = torch.sigmoid(s)
    cost = torch.nn.functional.binary_cross_entropy_with_logits(s, t, reduction="none")
    p_t = p * t + (1 - p) * (1 - t)
    value = cost * (1 - p_t) ** loss.gamma
    if loss.alpha >= 0:
        value = (loss.alpha * t + (1 - loss.alpha) * (1 - t)) * value
    return value.mean()


def gaussian_nll(torch, loss, s, t):
    mean, spread = s.chunk(2, 1)
    variance = torch.exp((2 if loss.log_std else 1) * spread)
    return torch.nn.GaussianNLLLoss(full=loss.full, eps=loss.eps)(mean, t, variance)


def gaussian_crps(torch, loss, s, t):
    mean, log_std = s.chunk(2, 1)
    z = (t - mean) / log_std.exp()
    normal = torch.distributions.Normal(0.0, 1.0)
    density = torch.exp(normal.log_prob(z))
    value = z * (2 * normal.cdf(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)
    return (log_std.exp() * value).mean()


def mixture_nll(torch, loss, s, t):
    d, k = torch.distributions, loss.components
    mean, log_std = s[:, k:].reshape(len(s), 2, k, -1).unbind(1)
    parts = d.Independent(d.Normal(mean, log_std.exp()), 1)
    return -d.MixtureSameFamily(d.Categorical(logits=s[:, :k]), parts).log_prob(t).mean()


def contrastive(torch, loss, s, t):
    a, b = s.chunk(2, 1)
    distance, y = torch.linalg.norm(a - b, dim=1), column(t, 0)
    far = torch.clamp(loss.margin - distance, min=0)
    return (0.5 * (y * distance**2 + (1 - y) * far**2)).mean()


def policy(torch, loss, s, t):
    """Every policy loss; the class's name says which."""
    name, has_value = type(loss).__name__, loss.value_coef > 0
    scores = s[:, :-1] if has_value else s
    if name.startswith("Gaussian"):
        mean, log_std = scores.chunk(2, 1)
        dist = torch.distributions.Independent(torch.distributions.Normal(mean, log_std.exp()), 1)
        action, rest = t[:, : mean.shape[1]], t[:, mean.shape[1] :]
    else:
        dist = torch.distributions.Categorical(logits=scores)
        action, rest = column(t, 0), t[:, 1:]
    log_p = dist.log_prob(action)
    if name.endswith("PPOLoss"):
        ratio, advantage = torch.exp(log_p - column(rest, 0)), column(rest, 1)
        clipped = torch.clamp(ratio, 1 - loss.clip, 1 + loss.clip)
        value, rest = -torch.min(ratio * advantage, clipped * advantage), rest[:, 2:]
    else:
        value, rest = -column(rest, 0) * log_p, rest[:, 1:]
    value = value - loss.entropy_coef * dist.entropy()
    if has_value:
        v, target = s[:, -1], column(rest, 0)
        error = (v - target) ** 2
        if loss.clip_value > 0:
            old = column(rest, 1)
            near = old + torch.clamp(v - old, -loss.clip_value, loss.clip_value)
            error = torch.max(error, (near - target) ** 2)
        value = value + loss.value_coef * error
    return value.mean()


def cloning(torch, loss, s, t):
    dist = torch.distributions.Categorical(logits=s)
    return (-dist.log_prob(t) - loss.entropy_coef * dist.entropy()).mean()


def dqn(torch, loss, s, t):
    chosen = s.gather(1, t[:, :1].long())[:, 0]
    return torch.nn.functional.huber_loss(chosen, t[:, 1], delta=loss.delta)


def triplet(torch, loss, s, t):
    theirs = torch.nn.TripletMarginLoss(loss.margin, eps=loss.eps, swap=loss.swap)
    return theirs(*s.chunk(3, 1))


THEIRS = {
    "FocalLoss": focal,
    "SigmoidFocalLoss": sigmoid_focal,
    "KLDivLoss": lambda torch, loss, s, t: torch.nn.KLDivLoss(log_target=loss.log_target)(s, t),
    "GaussianNLLLoss": gaussian_nll,
    "GaussianCRPSLoss": gaussian_crps,
    "MixtureNLLLoss": mixture_nll,
    "ContrastiveLoss": contrastive,
    "TripletMarginLoss": triplet,
    "CosineEmbeddingLoss": lambda torch, loss, s, t: torch.nn.CosineEmbeddingLoss(loss.margin)(
        *s.chunk(2, 1), torch.sign(t[:, 0])
    ),
    "CosineSimilarityLoss": lambda torch, loss, s, t: (
        1 - torch.nn.functional.cosine_similarity(s, t, eps=loss.eps)
    ).mean(),
    "PolicyGradientLoss": policy,
    "GaussianPolicyGradientLoss": policy,
    "PPOLoss": policy,
    "GaussianPPOLoss": policy,
    "BehaviourCloningLoss": cloning,
    "DQNLoss": dqn,
    "CriticLoss": lambda torch, loss, s, t: ((s - t) ** 2).sum(1).mean(),
}


@pytest.mark.parametrize("row", OTHER_LOSSES, ids=lambda row: f"{row[0]}{row[1] or ''}")
def test_it_equals_pytorch(row, torch, rng):
    loss, scores, target = other_problem(row, rng)
    theirs = torch.tensor(scores, requires_grad=True)
    value = THEIRS[row[0]](torch, loss, theirs, torch.tensor(target))
    value.backward()
    assert loss.forward(scores, target) == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(loss.backward(), theirs.grad.numpy(), rtol=1e-9, atol=1e-13)


def test_the_limit_of_the_variance_equals_pytorch(torch):
    from fastmlp import reference as ref

    scores, t = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[0.0], [1.0]])
    loss = ref.GaussianNLLLoss(eps=0.5)
    theirs = torch.tensor(scores, requires_grad=True)
    value = gaussian_nll(torch, loss, theirs, torch.tensor(t))
    value.backward()
    assert loss.forward(scores, t) == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(loss.backward(), theirs.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "batchmean"])
def test_reductions_of_the_divergence_equal_pytorch(reduction, torch, rng):
    from fastmlp import reference as ref

    scores, t = np.log(rng.dirichlet(np.ones(4), size=5)), rng.dirichlet(np.ones(4), size=5)
    expected = torch.nn.KLDivLoss(reduction=reduction)(torch.tensor(scores), torch.tensor(t))
    assert ref.KLDivLoss(reduction=reduction).forward(scores, t) == pytest.approx(expected.item())
