"""RealMLP computes and learns what the published package does, from the same weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from tests.tabular.test_encoding import read

import fastmlp as fm
from fastmlp.tabular.models import RealMLP

REASON = "the published package is a second opinion; it is optional"
ROWS = 96

# The package and PyTorch warn about their own use of each other.
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
