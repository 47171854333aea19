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

from fastmlp import data as data
from fastmlp import layers as _layers
from fastmlp import losses as _losses
from fastmlp import optim as _optim
from fastmlp.base.build import show_config
from fastmlp.base.errors import (
    ArgumentError,
    ArgumentTypeError,
    FastMLPError,
    MissingPackageError,
    NotFiniteError,
    OutOfMemoryError,
    StateError,
)
from fastmlp.base.threads import get_num_threads, set_num_threads, threads
from fastmlp.layers import *  # noqa: F403  (these modules list the names that they make public)
from fastmlp.layers.activations import *  # noqa: F403
from fastmlp.losses.actors import *  # noqa: F403
from fastmlp.losses.base import Loss as Loss
from fastmlp.losses.classes import *  # noqa: F403
from fastmlp.losses.density import *  # noqa: F403
from fastmlp.losses.penalties import *  # noqa: F403
from fastmlp.losses.policy import *  # noqa: F403
from fastmlp.losses.regression import *  # noqa: F403
from fastmlp.losses.returns import *  # noqa: F403
from fastmlp.losses.similarity import *  # noqa: F403
from fastmlp.losses.values import *  # noqa: F403
from fastmlp.networks import FrozenPredictor, Graph, Network, Policy, Sequential, freeze, polyak
from fastmlp.optim.base import Optimizer as Optimizer
from fastmlp.optim.first_order import *  # noqa: F403
from fastmlp.optim.lbfgs import *  # noqa: F403
from fastmlp.optim.schedules import *  # noqa: F403
from fastmlp.training import (
    EMA,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    FitJob,
    FitState,
    History,
    JSONLogger,
    LRFinder,
    Members,
    MemberStopping,
    ProgressBar,
    PythonLogger,
    TensorBoardLogger,
    Trainer,
    find_lr,
    fit,
    fit_many,
    gradcheck,
    gradient_norms,
    hvp,
)

# Imported at the first use, because they take time to import.
_LAZY = ("distributed", "io", "plot", "reference", "sklearn", "tabular")

__all__ = [
    "EMA",
    "ArgumentError",
    "ArgumentTypeError",
    "CSVLogger",
    "Checkpoint",
    "EarlyStopping",
    "FastMLPError",
    "FitJob",
    "FitState",
    "FrozenPredictor",
    "Graph",
    "History",
    "JSONLogger",
    "LRFinder",
    "MemberStopping",
    "Members",
    "MissingPackageError",
    "NotFiniteError",
    "OutOfMemoryError",
    "Policy",
    "ProgressBar",
    "PythonLogger",
    "Sequential",
    "StateError",
    "TensorBoardLogger",
    "Trainer",
    "find_lr",
    "fit",
    "fit_many",
    "freeze",
    "get_num_threads",
    "gradcheck",
    "gradient_norms",
    "hvp",
    "load",
    "polyak",
    "set_num_threads",
    "show_config",
    "threads",
]
__all__ += _layers.__all__
__all__ += _losses.__all__
__all__ += _optim.__all__


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
