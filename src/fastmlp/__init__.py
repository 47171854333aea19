"""fastmlp: multilayer perceptrons, described in Python and computed in C.

>>> import fastmlp as fm
>>> net = fm.Sequential(fm.Linear(2, 8), fm.Tanh(), fm.Linear(8, 1), seed=0)
>>> x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
>>> history = fm.fit(net, x, y, loss=fm.BCEWithLogitsLoss(), optimizer=fm.Adam(lr=0.05),
...                  epochs=300, progress=False)
>>> (net.predict(x).ravel() > 0).tolist()
[False, True, True, False]
"""

from __future__ import annotations

from os import PathLike
from typing import Any

__version__ = "0.1.0"

# First: it loads the core, and sets how long OpenMP's threads spin while they wait for work.
from fastmlp.base import loading as _loading  # noqa: F401

# isort: split

from fastmlp.base.build import show_config
from fastmlp.base.errors import (
    ArgumentError,
    ArgumentTypeError,
    FastMLPError,
    MissingPackageError,
    OutOfMemoryError,
    StateError,
)
from fastmlp.base.threads import get_num_threads, set_num_threads, threads
from fastmlp.layers import (
    Add,
    BatchNorm,
    Concat,
    Copy,
    Custom,
    Dropout,
    Input,
    Layer,
    LayerNorm,
    Linear,
    MatMul,
    Maximum,
    Maxout,
    Multiply,
    Parameter,
    Softmax,
    Square,
    Sum,
    Symbol,
    initializers,
)
from fastmlp.layers import activations as _activations
from fastmlp.layers.activations import *  # noqa: F403  (the activations are listed there alone)
from fastmlp.losses import (
    L1,
    L2,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    Loss,
    Lp,
    MSELoss,
    MultiMarginLoss,
    Penalty,
    PoissonNLLLoss,
    QuantileLoss,
)
from fastmlp.networks import Graph, Network, Sequential
from fastmlp.optim import (
    LBFGS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    ConstantLR,
    CosineLR,
    ExponentialLR,
    OneCycleLR,
    Optimizer,
    ReduceLROnPlateau,
    RMSprop,
    Schedule,
    StepLR,
)
from fastmlp.training import (
    Checkpoint,
    EarlyStopping,
    FitState,
    History,
    ProgressBar,
    Trainer,
    fit,
    gradcheck,
)

# Imported at the first use, because they take time to import.
_LAZY = ("io", "plot", "reference", "sklearn", "tabular")

__all__ = [
    "L1",
    "L2",
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Add",
    "ArgumentError",
    "ArgumentTypeError",
    "BCEWithLogitsLoss",
    "BatchNorm",
    "Checkpoint",
    "Concat",
    "ConstantLR",
    "Copy",
    "CosineLR",
    "CrossEntropyLoss",
    "Custom",
    "Dropout",
    "EarlyStopping",
    "ExponentialLR",
    "FastMLPError",
    "FitState",
    "Graph",
    "History",
    "HuberLoss",
    "Input",
    "L1Loss",
    "Layer",
    "LayerNorm",
    "Linear",
    "Loss",
    "Lp",
    "MSELoss",
    "MatMul",
    "Maximum",
    "Maxout",
    "MissingPackageError",
    "MultiMarginLoss",
    "Multiply",
    "OneCycleLR",
    "Optimizer",
    "OutOfMemoryError",
    "Parameter",
    "Penalty",
    "PoissonNLLLoss",
    "ProgressBar",
    "QuantileLoss",
    "RMSprop",
    "ReduceLROnPlateau",
    "Schedule",
    "Sequential",
    "Softmax",
    "Square",
    "StateError",
    "StepLR",
    "Sum",
    "Symbol",
    "Trainer",
    "fit",
    "get_num_threads",
    "gradcheck",
    "initializers",
    "load",
    "set_num_threads",
    "show_config",
    "threads",
]
__all__ += _activations.__all__


def load(path: str | PathLike[str]) -> Network:
    """Read a network that ``net.save(path)`` wrote.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Sequential or Graph
        The kind of network that was saved.
    """
    from fastmlp import io

    return io.load(path)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib

        return importlib.import_module(f"fastmlp.{name}")
    raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
