"""`fastmlp train`: fit a network on a table, tell how it goes, write the model and a picture."""

from __future__ import annotations

import errno
import io
import json
import os
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from tqdm import tqdm

import fastmlp as fm
from fastmlp import _core, plot
from fastmlp.cli.datasets import BUILT_IN, Split, split
from fastmlp.cli.tables import Row, print_table
from fastmlp.errors import ArgumentError
from fastmlp.io import write_atomically

PATIENCE = 20  # epochs without a better validation loss before training stops
DOTS_PER_INCH = 150


@dataclass(frozen=True)
class Settings:
    """The options of `fastmlp train`, as parsed."""

    data: str
    hidden: tuple[int, ...]
    activation: str
    dropout: float
    epochs: int
    batch_size: int
    lr: float
    seed: int
    dtype: str
    threads: int | None
    progress: bool
    output: Path | None

    @property
    def model_path(self) -> Path:
        return self.output or Path(f"{self.data}.safetensors")

    @property
    def picture_path(self) -> Path:
        return self.model_path.with_suffix(".png")


@dataclass(frozen=True)
class Result:
    """A trained network with its history, its test predictions and the seconds it took."""

    net: fm.Sequential
    history: fm.History
    true: NDArray[Any]
    predicted: NDArray[Any]
    seconds: float


class EpochLines:
    """Callback: a line per epoch, and a progress bar below the lines when stderr is a terminal."""

    def __init__(self, epochs: int, score_name: str) -> None:
        self._bar = tqdm(total=epochs, desc="training", unit="epoch", leave=False, disable=None)
        self._bar.write(f"epoch  train loss  validation loss  validation {score_name}")
        self._score_width = len(f"validation {score_name}")

    def on_epoch_end(self, state: Any) -> None:
        score = f"{state.val_score:.4f}".rjust(self._score_width)
        self._bar.write(
            f"{state.epoch + 1:5d}  {state.loss:10.4f}  {state.val_loss:15.4f}  {score}"
        )
        self._bar.update()

    def close(self) -> None:
        self._bar.close()


def train(settings: Settings) -> None:
    """Train on a built-in data set; write the model file and the picture; print a table."""
    _check_outputs(settings)
    data = split(BUILT_IN[settings.data](), settings.seed, settings.dtype)
    threads = nullcontext() if settings.threads is None else fm.threads(settings.threads)
    with threads:
        result = _fit(settings, data)
        used = fm.get_num_threads()
    rows = _scores(data, result)
    result.net.save(settings.model_path, _metadata(data, rows))
    write_atomically(settings.picture_path, [_picture(data, result, rows[0])])
    print_table(f"{settings.data}: {data.table.task}", [
        *rows,
        ("training time", f"{result.seconds:.2f} s, {used} thread{'s' * (used > 1)}"),
        ("epochs", _epochs(result.history)),
        ("parameters", f"{result.net.params.size:,}"),
        ("model", str(settings.model_path)),
        ("picture", str(settings.picture_path)),
    ])  # fmt: skip


def _epochs(history: fm.History) -> str:
    if history.best_epoch is None:
        return f"{len(history)} (no epoch had a finite loss)"
    return f"{len(history)} (kept the weights of epoch {history.best_epoch + 1})"


def _check_outputs(settings: Settings) -> None:
    """Refuse paths that cannot be written before time goes into training, not after."""
    if settings.model_path.is_dir() or settings.picture_path.is_dir():
        raise ArgumentError(f"output {settings.model_path} must not name a directory")
    if settings.model_path == settings.picture_path:
        raise ArgumentError(f"output {settings.model_path} must not end in .png: the picture does")
    folder = settings.model_path.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such directory", str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, "directory is not writable", str(folder))


def _fit(settings: Settings, data: Split) -> Result:
    net = _network(settings, data)
    loss = fm.CrossEntropyLoss() if data.table.classes else fm.MSELoss()
    callbacks: list[Any] = [fm.EarlyStopping(patience=PATIENCE)]
    lines = (
        EpochLines(settings.epochs, "accuracy" if data.table.classes else "R2")
        if settings.progress
        else None
    )
    start = time.perf_counter()
    try:
        history = fm.fit(
            net,
            data.train.x,
            data.train.y,
            loss=loss,
            optimizer=fm.Adam(lr=settings.lr),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            validation=(data.validation.x, data.validation.y),
            callbacks=[*callbacks, lines] if lines else callbacks,
            seed=settings.seed,
            progress=False,
        )
    finally:
        if lines:
            lines.close()
    seconds = time.perf_counter() - start
    true, predicted = _predictions(net, data)
    return Result(net, history, true, predicted, seconds)


def _network(settings: Settings, data: Split) -> fm.Sequential:
    activation = _find_activation(settings.activation)
    layers: list[Any] = []
    width = data.train.x.shape[1]
    for hidden in settings.hidden:
        layers += [fm.Linear(width, hidden), activation()]
        if settings.dropout:
            layers.append(fm.Dropout(settings.dropout))
        width = hidden
    layers.append(fm.Linear(width, len(data.table.classes) or 1))
    return fm.Sequential(*layers, dtype=settings.dtype, seed=settings.seed)


def _find_activation(name: str) -> Any:
    """Find an activation by its class name in any case, ``leaky_relu`` or ``LeakyReLU``."""
    known = {row["name"].lower(): row["name"] for row in _core.activations()}
    key = name.lower().replace("_", "").replace("-", "")
    if key not in known:
        raise ArgumentError(f"activation {name!r} is unknown, expected one of {', '.join(known)}")
    return getattr(fm, known[key])


def _predictions(net: fm.Sequential, data: Split) -> tuple[NDArray[Any], NDArray[Any]]:
    """True and predicted classes, or values in the target's own unit, of the test part."""
    scores, true = net.predict(data.test.x), data.test.y
    if data.target is None:
        return true, scores.argmax(axis=1)
    return data.target.undo(true)[:, 0], data.target.undo(scores.astype(np.float64))[:, 0]


def _scores(data: Split, result: Result) -> list[Row]:
    true, predicted = result.true, result.predicted
    if data.table.classes:
        right = int((true == predicted).sum())
        return [("test accuracy", f"{100 * right / true.size:.2f} % ({right} of {true.size})")]
    squares = np.square(true - predicted)
    r2 = 1 - squares.sum() / np.square(true - true.mean()).sum()
    return [("test R2", f"{r2:.4f}"), ("test RMSE", f"{np.sqrt(squares.mean()):.4g}")]


def _metadata(data: Split, scores: list[Row]) -> dict[str, str]:
    """What a later prediction needs to take raw rows and to name its answers."""
    table = data.table
    return {
        "data": table.name,
        "task": table.task,
        "features": json.dumps(table.features),
        "classes": json.dumps(table.classes),
        "input_scaling": json.dumps(data.inputs.describe()),
        "target_scaling": json.dumps(data.target.describe() if data.target else None),
        **dict(scores),
    }


def _picture(data: Split, result: Result, score: Row) -> bytes:
    """Loss curves beside the confusion matrix or the predictions, as the bytes of a PNG."""
    figure = plot.figure(11.0, 4.8)
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    plot.loss_curves(result.history, ax=left)
    _draw_predictions(data, result, right)
    unit = "cross-entropy (nats)" if data.table.classes else "mean squared error (target scaled)"
    left.set_ylabel(unit)
    figure.suptitle(f"{data.table.name}: {score[0]} {score[1]}", fontweight="bold")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return buffer.getvalue()


def _draw_predictions(data: Split, result: Result, ax: Axes) -> None:
    if data.table.classes:
        plot.confusion_matrix(result.true, result.predicted, labels=data.table.classes, ax=ax)
    else:
        plot.predicted_against_true(result.true, result.predicted, ax=ax)
