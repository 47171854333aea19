"""Fixed training runs with promised results, bit by bit, and their hashes.

The library's own generator draws the data; docs/numerics.md defines it, so they do not depend on
the version of NumPy. Each run takes another path through the engine; together they use every
activation, optimizer and penalty. Each loss has a hash by itself.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tests import harness, loss_problems

import fastmlp as fm
from fastmlp import _core

FILE = Path(__file__).with_name("hashes.json")
NUMERICS = Path(__file__).parents[2] / "docs" / "numerics.md"
DTYPES = ("float32", "float64")
DATA_STREAM = 2**31


class Run(NamedTuple):
    """A network, its number of rows, and how it is trained."""

    layers: Callable[[], list[fm.Layer] | fm.Graph]
    rows: int
    batch_size: int
    loss: fm.Loss
    optimizer: fm.Optimizer
    penalty: tuple[fm.Penalty, ...] = ()
    weighted: bool = False
    epochs: int = 2
    compute: str | None = None
    shards: int = 1


def dense(*widths: int, between: Callable[[], fm.Layer] = fm.ReLU) -> list[fm.Layer]:
    """Linear layers with an activation between them."""
    layers: list[fm.Layer] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [fm.Linear(fan_in, fan_out), between()]
    return layers[:-1]


def every_activation() -> list[fm.Layer]:
    """All activations except those with a separate run."""
    makers = [getattr(fm, row["name"], None) for row in _core.activations()]
    layers = [make() for make in makers if make not in {None, fm.Step, fm.Clamp, fm.Cos}]
    layers.append(fm.GELU(approximate="tanh"))
    linears = [fm.Linear(17, 17) for _ in layers]
    pairs = [layer for pair in zip(linears, layers, strict=True) for layer in pair]
    return [*pairs, fm.Linear(17, 5)]


def every_join(compute: str | None = None) -> fm.Graph:
    """Residual, dense and split paths; products of values; a parameter that every row reads."""
    x = fm.Input(21)
    h = fm.Copy()(fm.GELU()(fm.Linear(21, 24)(x)))
    h = fm.ReLU()(fm.Linear(24, 24)(h) + h)
    h = fm.LayerNorm(24)(h + fm.Parameter(24))
    a, b = fm.BatchNorm(24)(fm.Linear(24, 24)(h)), fm.Maxout(2)(fm.Linear(24, 48)(h))
    both = fm.Concat()(fm.Maximum()(a, b), a * b, x)
    matrix = fm.MatMul()(fm.Parameter(4, 12), fm.Linear(69, 12)(both))
    energy = fm.Sum()(fm.Square()(fm.Tanh()(matrix)))
    return fm.Graph(x, fm.Linear(70, 5)(fm.Concat()(both, energy)), seed=12345, compute=compute)


RUNS = {
    "few outputs, by lane sums": Run(
        lambda: dense(67, 19, 3, between=fm.Tanh), 100, 32,
        fm.CrossEntropyLoss(), fm.SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)),
    "wide layers, packed": Run(
        lambda: dense(130, 520, 1024, 10, between=fm.GELU), 200, 96,
        fm.CrossEntropyLoss(label_smoothing=0.1), fm.Adam(lr=1e-3, clip_norm=0.5), epochs=1),
    "weight gradients made transposed": Run(
        lambda: dense(300, 10, 12, between=fm.SiLU), 150, 50,
        fm.MSELoss(), fm.RMSprop(lr=1e-3, momentum=0.5, weight_decay=1e-3)),
    "more rows than a chunk": Run(
        lambda: dense(11, 20, 1, between=fm.Sigmoid), 2600, 2500,
        fm.HuberLoss(0.3), fm.AdamW(lr=0.01), weighted=True),
    "few rows, cut by columns": Run(
        lambda: dense(33, 70, 40, 6, between=fm.ELU), 10, 5,
        fm.MultiMarginLoss(), fm.SGD(lr=0.01, momentum=0.9)),
    "every activation": Run(
        every_activation, 90, 30, fm.BCEWithLogitsLoss(), fm.Adagrad(lr=0.05, lr_decay=0.1)),
    "a step": Run(lambda: dense(9, 30, 4, between=fm.Step), 40, 20, fm.L1Loss(), fm.SGD(lr=0.1)),
    "dropout, softmax, penalties, clipping": Run(
        lambda: [fm.Dropout(0.1), *dense(20, 90, 70), fm.Dropout(0.5), fm.Softmax(),
                 fm.Linear(70, 9)], 120, 40,
        fm.QuantileLoss([0.1, 0.5, 0.9]), fm.AdamW(lr=0.01, clip_norm=0.1),
        (fm.L2(1e-3), fm.L1(1e-3), fm.Lp(1.5, 1e-3)), weighted=True),
    "counts": Run(
        lambda: dense(8, 257, 3, between=fm.Softplus), 64, 64,
        fm.PoissonNLLLoss(reduction="sum"), fm.Adam(lr=1e-3), weighted=True, epochs=5),
    "scales and a table": Run(
        lambda: [fm.Scale(13), fm.Linear(13, 6), fm.Step(), fm.Embedding(2, 5, columns=6),
                 fm.Scale(30, bias=False), fm.Linear(30, 4)], 110, 50,
        fm.MSELoss(), fm.Adam(lr=0.01), (fm.L2(1e-3),)),
    "columns and strengths": Run(
        lambda: [fm.GatherColumns([*range(14), 3, 3, 0, *range(2, 12)]),
                 fm.ParametricActivation(fm.Mish(), 27), fm.Linear(27, 20),
                 fm.ParametricActivation(fm.SELU(), 20), fm.GatherColumns([5, 19, 5, 0, 1, 7]),
                 fm.Linear(6, 4), fm.ParametricActivation(fm.ReLU(), 4)], 110, 50,
        fm.MSELoss(), fm.Adam(lr=0.01, groups={"alpha": {"lr": 0.1}})),
    "limits": Run(
        lambda: dense(10, 40, 6, between=lambda: fm.Clamp(-0.3, 0.2)), 60, 25,
        fm.MSELoss(), fm.SGD(lr=0.1)),
    "cosines and limits": Run(
        lambda: [fm.Linear(10, 40, bias_init=fm.initializers.Constant(1e5)), fm.Cos(),
                 fm.Linear(40, 30), fm.Clamp(), fm.Linear(30, 7), fm.Cos(), fm.Linear(7, 3)],
        90, 40, fm.MSELoss(), fm.Adam(lr=0.01)),
    "groups and folds": Run(
        lambda: [fm.Linear(24, 40, groups=8), fm.GELU(), fm.Linear(10, 35, fold=4), fm.Tanh(),
                 fm.Linear(140, 28, groups=7), fm.ReLU(), fm.Linear(28, 4)], 130, 60,
        fm.CrossEntropyLoss(), fm.Adam(lr=0.01)),
    "every join and norm": Run(
        every_join, 130, 60, fm.MSELoss(), fm.Adam(lr=1e-2), (fm.L2(1e-4),)),
    "products in bfloat16": Run(
        lambda: dense(131, 520, 65, 12, 3, between=fm.GELU), 2600, 1100,
        fm.CrossEntropyLoss(), fm.Adam(lr=1e-3), compute="bfloat16"),
    "groups and folds in bfloat16": Run(
        lambda: [fm.Linear(96, 64, groups=4), fm.GELU(), fm.Linear(16, 35, fold=4), fm.Tanh(),
                 fm.Linear(140, 12, groups=4)], 130, 60,
        fm.MSELoss(), fm.Adam(lr=0.01), compute="bfloat16"),
    "joins in bfloat16": Run(
        lambda: every_join("bfloat16"), 130, 60, fm.MSELoss(), fm.Adam(lr=1e-2),
        compute="bfloat16"),
    "joins and norms in shards": Run(
        every_join, 130, 60, fm.MSELoss(), fm.Adam(lr=1e-2, clip_norm=0.3), (fm.L2(1e-4),),
        shards=8),
    "tables and dropout in shards": Run(
        lambda: [fm.Scale(13), fm.Dropout(0.2), fm.Linear(13, 6), fm.Step(),
                 fm.Embedding(2, 5, columns=6), fm.Linear(5, 8, fold=6),
                 fm.Linear(48, 40, groups=4)],
        110, 50, fm.CrossEntropyLoss(), fm.Adam(lr=0.01), weighted=True, shards=4),
    "shards of more rows than a chunk": Run(
        lambda: dense(11, 20, 1, between=fm.Sigmoid), 5000, 4900,
        fm.HuberLoss(0.3), fm.AdamW(lr=0.01), weighted=True, shards=2),
    "more shards than rows, in bfloat16": Run(
        lambda: dense(40, 70, 6, between=fm.ELU), 20, 6,
        fm.MultiMarginLoss(), fm.SGD(lr=0.01, momentum=0.9), compute="bfloat16", shards=16),
}  # fmt: skip
# Only float32 has products in bfloat16.
CASES = [
    (name, dtype)
    for name, run in RUNS.items()
    for dtype in (DTYPES if run.compute is None else DTYPES[:1])
]


def uniform(shape: tuple[int, ...], number: int) -> Any:
    draws = _core.random_uniform(int(np.prod(shape)), 7, DATA_STREAM + number)
    return draws.reshape(shape)


def network(run: Run, dtype: str) -> fm.Sequential | fm.Graph:
    layers = run.layers()
    if isinstance(layers, fm.Graph):
        return layers.copy(dtype=dtype)
    widths = [layer.in_features for layer in layers if isinstance(layer, fm.Linear)]
    return fm.Sequential(*layers, dtype=dtype, seed=12345, in_features=widths[0],
                         compute=run.compute)  # fmt: skip


def data(run: Run, net: fm.Network) -> tuple[Any, Any, Any]:
    """Inputs, targets and weights."""
    x = 2.0 * uniform((run.rows, net.in_features), 0) - 1.0
    y = uniform((run.rows, net.out_features), 1)
    if harness.LOSSES[type(run.loss).__name__][1]["target"] == "class":
        y = (y[:, 0] * net.out_features).astype(np.int64)
    return x, y, uniform((run.rows,), 2) if run.weighted else None


def digest(*arrays: Any) -> str:
    """SHA-256 of the arrays' bytes, little-endian."""
    found = hashlib.sha256()
    for array in arrays:
        array = np.asarray(array)
        found.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()


def initial(name: str, dtype: str) -> str:
    """The hash of a run's first parameters."""
    return digest(network(RUNS[name], dtype).params)


def fitted(name: str, dtype: str) -> tuple[fm.Sequential | fm.Graph, fm.History]:
    run = RUNS[name]
    net = network(run, dtype)
    x, y, weight = data(run, net)
    history = fm.fit(net, x, y, loss=run.loss, optimizer=run.optimizer, epochs=run.epochs,
                     batch_size=run.batch_size, penalty=run.penalty, sample_weight=weight,
                     progress=False, shards=run.shards)  # fmt: skip
    return net, history


def trained(name: str, dtype: str) -> str:
    """The hash of a run's last parameters, its predictions and the losses on the way."""
    net, history = fitted(name, dtype)
    x = data(RUNS[name], net)[0]
    return digest(net.params, net.predict(x), np.array(history.loss))


def losses(dtype: str) -> dict[str, str]:
    """The hash of value and gradient of each loss, with the arguments that enable every part."""
    found = {}
    for number, (name, (kind, row)) in enumerate(harness.LOSSES.items()):
        loss = loss_problems.cases([name])[-1]
        width = loss_problems.width_of(loss, 21)
        scores = (4.0 * uniform((37, width), 3 + number) - 2.0).astype(dtype)
        target = uniform((37, width + 4), 3 + number)
        if row["target"] == "class":
            target = (target[:, 0] * width).astype(np.int64)
        else:
            fields = loss.layout(width) if row["target"] == "fields" else ()
            if fields and fields[0].end:
                target[:, 0] = np.floor(target[:, 0] * width / 2)
            columns = loss_problems.columns(loss, width) if fields else width
            target = np.ascontiguousarray(target[:, :columns], dtype)
        weight = uniform((37,), 2).astype(dtype)
        _, params, reduction, _ = loss.core_spec()
        value, slope = _core.loss_forward(kind, params, reduction, scores, target, weight)
        found[f"{name}, {dtype}"] = digest(np.float64(value), slope)
    return found


def family(isa: str) -> str:
    """Instruction sets with fused multiply-add share their bits; portable has its own."""
    return "portable" if isa == "portable" else "fma"


def version() -> int:
    """The version of the rules, in the title of docs/numerics.md."""
    found = re.match(r"# Numerics, version (\d+)", NUMERICS.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{NUMERICS}: want the title '# Numerics, version N'")
    return int(found[1])


def recorded() -> dict[str, Any]:
    """The recorded hashes."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


def measured() -> dict[str, Any]:
    """The current hashes, in the layout of the record."""
    result: dict[str, Any] = {"version": version()}
    result["initial"] = {f"{name}, {dtype}": initial(name, dtype) for name, dtype in CASES}
    for isa in ("portable", best_fused()):
        _core.use_isa(isa)
        hashes = {f"{name}, {dtype}": trained(name, dtype) for name, dtype in CASES}
        result[family(isa)] = hashes
        every = [losses(dtype) for dtype in DTYPES]
        result[f"losses, {family(isa)}"] = {key: one[key] for one in every for key in one}
    return result


def best_fused() -> str:
    names = [isa for isa in _core.config()["isas"] if family(isa) == "fma"]
    if not names:
        raise RuntimeError("this processor has no fused multiply-add")
    return str(names[-1])
