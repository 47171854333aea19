"""Libraries that a process may use beside fastmlp, each with some threaded work."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable


def _nothing() -> None:
    pass


def _numpy() -> None:
    import numpy as np

    matrix = np.ones((300, 300))
    assert (matrix @ matrix)[0, 0] == 300.0


def _scikit_learn() -> None:
    import numpy as np
    from sklearn.cluster import KMeans

    points = np.random.default_rng(0).normal(size=(600, 4))
    KMeans(2, n_init=1, max_iter=3, tol=0.0, random_state=0).fit(points)


def _torch() -> None:
    import torch

    torch.set_num_threads(2)
    x = torch.ones(300, 300, requires_grad=True)
    (x @ x).sum().backward()


WORK: dict[str, Callable[[], None]] = {
    "nothing": _nothing,
    "numpy": _numpy,
    "scikit-learn": _scikit_learn,
    "torch": _torch,
}
MODULES = {"nothing": "sys", "numpy": "numpy", "scikit-learn": "sklearn", "torch": "torch"}


def installed(name: str) -> bool:
    return importlib.util.find_spec(MODULES[name]) is not None
