"""RealMLP and TabM compute and learn what the published packages do, from the same weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from tests.tabular.test_encoding import read

import fastmlp as fm
from fastmlp.tabular.models import RealMLP, TabM

REASON = "the published packages are a second opinion; they are optional"
ROWS = 96

# The packages and PyTorch warn about their own use of each other.
pytestmark = pytest.mark.filterwarnings("ignore")


def columns() -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    return {
        "a": random.normal(size=ROWS).astype(np.float32),
        "b": random.exponential(size=ROWS).astype(np.float32),
        "few": random.integers(0, 3, ROWS),
        "two": random.integers(0, 2, ROWS),
        "many": np.arange(ROWS) % 12,
    }


def targets(classes: int) -> np.ndarray:
    random = np.random.default_rng(8)
    return random.integers(0, classes, ROWS) if classes else random.normal(3.0, 2.0, ROWS)


# ---- RealMLP, from pytabkit ----


def published_realmlp(classes: int, simple: bool, epochs: int) -> Any:
    """Train pytabkit's network on whole batches, without dropout, and return its estimator."""
    pytabkit = pytest.importorskip("pytabkit", reason=REASON)
    import pandas as pd

    kind = "Classifier" if classes else "Regressor"
    cls = getattr(pytabkit, f"RealMLP_TD_{'S_' if simple else ''}{kind}")
    more = {} if simple else {"p_drop": 0.0}
    found = cls(device="cpu", random_state=0, n_threads=1, n_epochs=epochs, batch_size=ROWS,
                val_fraction=0.0, hidden_sizes=[16, 16], **more)  # fmt: skip
    frame = pd.DataFrame(columns())
    for name in ("few", "two", "many"):
        frame[name] = frame[name].map("{:02d}".format).astype("category")
    return found.fit(frame, targets(classes).astype(np.float32 if not classes else np.int64)), frame


def published_weights(estimator: Any, simple: bool) -> dict[str, np.ndarray]:
    """The weights of pytabkit's network, named and shaped like ours."""
    net = estimator.alg_interface_.model.model
    raw = {str(p.context.scope): p.detach().numpy()[0] for p in net.parameters()}
    layers = "/net/first_layer/layer-0", "/net/middle_layer/layer-1", "/net/last_layer/layer-2"
    found = {"scale.gain": raw[f"{layers[0]}/scale"][0]}
    for name, layer in zip(("linear 1", "linear 2", "y"), layers, strict=True):
        w = raw[f"{layer}/weight"]
        found[f"{name}.W"] = w / math.sqrt(len(w))
        found[f"{name}.b"] = raw[f"{layer}/bias"][0]
        if f"{layer}/act" in raw:
            found[f"activation {name[-1]}.alpha"] = raw[f"{layer}/act"][0]
    if simple:
        return found
    found["angles.gain"] = 2.0 * math.pi * raw["/plr/weight_1"].ravel()
    found["angles.shift"] = raw["/plr/bias_1"].ravel()
    found["periodic.W"] = raw["/plr/weight_2"].reshape(32, 3)
    found["periodic.b"] = raw["/plr/bias_2"].ravel()
    # Theirs has the row of missing values first, ours last.
    found["levels.W"] = np.roll(raw["/tfms/emb"], -1, axis=0)
    # Columns: theirs are embedded numbers, numbers, flags, levels; ours have the plain ones first.
    order = np.r_[6:8, 8:12, 0:6, 12:20]
    found["scale.gain"] = found["scale.gain"][order]
    found["linear 1.W"] = found["linear 1.W"][order]
    return found


@pytest.mark.parametrize("simple", [False, True])
@pytest.mark.parametrize("classes", [3, 0])
def test_realmlp_is_the_published_one(classes: int, simple: bool) -> None:
    # The first step has learning rate 0: one epoch gives the first weights.
    theirs, frame = published_realmlp(classes, simple, epochs=1)
    train, y = read(**columns()), targets(classes)
    model = RealMLP(hidden=(16, 16), dropout=0.0, epochs=4, batch_size=ROWS, simple=simple)
    encoder = model.encoder().fit(train)
    # pytabkit's codes are those of sorted levels, which are the reader's here.
    x, head = encoder.transform(train), model.head(y, classes)
    net = model.network(encoder, x, head, seed=0)
    for name, value in published_weights(theirs, simple).items():
        layer, array = name.split(".")
        getattr(net[layer], array)[...] = value
    expected = theirs.predict_proba(frame) if classes else theirs.predict(frame)
    np.testing.assert_allclose(head.outputs(net.predict(x)), expected, rtol=2e-5, atol=2e-5)

    fm.fit(net, x, head.target(y, np.float32), progress=False, **model.settings(net, ROWS, classes))
    trained, _ = published_realmlp(classes, simple, epochs=4)
    before, after = (published_weights(one, simple) for one in (theirs, trained))
    for name, value in after.items():
        layer, array = name.split(".")
        # Adam's first steps have the size of the rate, however small a gradient is: where rounding
        # errors or its epsilon decide, weights go another way. So it is with single ones; and with
        # the last bias if all outputs are 0 and the targets have mean 0.
        if simple and not classes and layer == "y":
            continue
        moved = np.abs(value - before[name]).mean()
        error = np.median(np.abs(getattr(net[layer], array) - value))
        assert error < 1e-3 * moved, f"{name}: {error} of {moved}"


# ---- TabM, from tabm and rtdl_num_embeddings ----


@pytest.fixture(scope="module")
def torch() -> Any:
    pytest.importorskip("tabm", reason=REASON)
    pytest.importorskip("rtdl_num_embeddings", reason=REASON)
    return pytest.importorskip("torch", reason=REASON)


def published_tabm(torch: Any, model: TabM, x: np.ndarray, classes: int) -> Any:
    import rtdl_num_embeddings
    import tabm

    embeddings = None
    if model.bins:
        bins = rtdl_num_embeddings.compute_bins(torch.tensor(x[:, :2]), n_bins=model.bins)
        embeddings = rtdl_num_embeddings.PiecewiseLinearEmbeddings(
            bins, model.embedding, activation=False, version="B"
        )
    return tabm.TabM.make(
        n_num_features=2, cat_cardinalities=[3, 2, 12], d_out=classes or 1,
        num_embeddings=embeddings, k=model.members, d_block=16, n_blocks=2, dropout=0.0,
        arch_type="tabm-mini" if model.mini else "tabm",
    )  # fmt: skip


def tabm_pairs(theirs: Any, net: fm.Graph, model: TabM) -> dict[str, tuple[Any, Any]]:
    """Each of their parameters, shaped like ours, with our array."""
    found: dict[str, tuple[Any, Any]] = {}
    if model.bins:
        embed, line = theirs.num_module, net["line"]
        found["line.gain"] = embed.linear0.weight.reshape(-1), line.gain
        found["line.shift"] = embed.linear0.bias.reshape(-1), line.shift
        found["slopes"] = embed.linear.weight.reshape(-1, model.embedding), net["slopes"].W
    if model.mini:
        found["r"] = theirs.backbone.affine.weight.reshape(-1), net["r 1"].gain
    for number, block in enumerate(theirs.backbone.blocks, 1):
        linear = block[0]
        found[f"W {number}"] = linear.weight.T, net[f"linear {number}"].W
        if model.mini:
            found[f"b {number}"] = linear.bias, net[f"linear {number}"].b
            continue
        found[f"r {number}"] = linear.r.reshape(-1), net[f"r {number}"].gain
        found[f"s {number}"] = linear.s.reshape(-1), net[f"s {number}"].gain
        found[f"b {number}"] = linear.bias.reshape(-1), net[f"s {number}"].shift
    output = theirs.output
    found["heads"] = output.weight.reshape(-1, output.weight.shape[2]), net["y"].W
    found["head biases"] = output.bias.reshape(-1), net["y"].b
    return found


@pytest.mark.parametrize(("bins", "mini"), [(6, False), (0, False), (0, True)])
@pytest.mark.parametrize("classes", [3, 0])
def test_tabm_is_the_published_one(torch: Any, bins: int, mini: bool, classes: int) -> None:
    train, y = read(**columns()), targets(classes)
    model = TabM(members=4, hidden=(16, 16), bins=bins, mini=mini, dropout=0.0, epochs=1,
                 batch_size=ROWS)  # fmt: skip
    encoder = model.encoder().fit(train)
    x, head = encoder.transform(train), model.head(y, classes)
    net = model.network(encoder, x, head, seed=0)
    theirs = published_tabm(torch, model, x, classes)
    for value, ours in tabm_pairs(theirs, net, model).values():
        ours[...] = value.detach().numpy()
    codes = np.stack([columns()[name] for name in ("few", "two", "many")], axis=1)
    inputs = torch.tensor(x[:, :2]), torch.tensor(codes)
    scores = theirs(*inputs)
    expected = scores.detach().numpy().reshape(ROWS, -1)
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-4, atol=1e-5)

    optimizer = torch.optim.AdamW(theirs.parameters(), lr=model.lr, weight_decay=3e-4)
    target = torch.tensor(head.target(y, np.float32))
    flat = scores.flatten(0, 1)
    loss = (
        torch.nn.functional.cross_entropy(flat, target.repeat_interleave(4))
        if classes
        else torch.nn.functional.mse_loss(flat, target.repeat_interleave(4, 0))
    )
    loss.backward()
    torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
    optimizer.step()
    before = {name: value.copy() for name, (_, value) in tabm_pairs(theirs, net, model).items()}
    fm.fit(net, x, head.target(y, np.float32), progress=False, **model.settings(net, ROWS, classes))
    for name, (value, ours) in tabm_pairs(theirs, net, model).items():
        moved = np.abs(ours - before[name]).max()
        error = np.median(np.abs(ours - value.detach().numpy()))
        assert error < 1e-3 * moved, f"{name}: {error} of {moved}"
