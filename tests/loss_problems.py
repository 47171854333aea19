"""A problem for each loss: scores of a width that fits, and targets. Used with every registry row.

Nothing here depends on the number of losses: a new row needs a change only if it has a new kind of
field or parameter.
"""

from __future__ import annotations

import numpy as np
from tests.harness import LOSSES

import fastmlp as fm
from fastmlp import _core

# Values that enable every part of a loss.
SWITCHED_ON = {
    "label_smoothing": 0.3, "delta": 0.5, "margin": 0.4, "gamma": 1.5, "alpha": 0.6,
    "log_target": True, "full": True, "eps": 1e-3, "log_std": True, "components": 3, "swap": True,
    "entropy_coef": 0.1, "value_coef": 0.7, "clip": 0.3, "clip_value": 0.25,
}  # fmt: skip
# The first losses have no fields; their tests use the same scores and targets for all.
PLAIN = [name for name, (_, row) in LOSSES.items() if row["target"] != "fields"]
FIELDS = [name for name in LOSSES if name not in PLAIN]


def arguments(name):
    """Arguments to try: the defaults, and those that enable every part."""
    row = LOSSES[name][1]
    if row["target"] == "quantile":
        return [{"quantiles": 0.5}, {"quantiles": [0.1, 0.5, 0.9]}]
    own = {key: SWITCHED_ON[key] for key, _ in row["params"]}
    return [{}, own] if own else [{}]


def cases(names):
    """Each loss with each of its arguments."""
    return [getattr(fm, name)(**given) for name in names for given in arguments(name)]


def columns(loss, width):
    """Columns of the targets of this width; -1 if it does not fit, or the targets are labels."""
    kind, params, _, _ = loss.core_spec()
    return _core.loss_target_columns(kind, params, width)


def fits(loss, width):
    """Whether the loss takes scores of this width."""
    name = next(cls.__name__ for cls in type(loss).__mro__ if cls.__name__ in LOSSES)
    if LOSSES[name][1]["target"] == "quantile":
        return width % len(loss.quantiles) == 0
    return LOSSES[name][1]["target"] == "class" or columns(loss, width) > 0


def width_of(loss, least=4):
    """The first width from ``least`` on that fits."""
    return next(width for width in range(least, 100) if fits(loss, width))


def targets(loss, rows, width, rng):
    """Targets of scores (rows, width), as an array."""
    kind = LOSSES[type(loss).__name__][1]["target"]
    if kind == "class":
        return rng.integers(width, size=rows)
    if kind != "fields":
        return rng.uniform(0.05, 0.95, size=(rows, width))
    parts = [_field(loss, field, rows, rng) for field in loss.layout(width)]
    return np.hstack(parts).astype(np.float64)


def by_name(loss, y, width):
    """The same targets as a dict of fields."""
    found, first = {}, 0
    for field in loss.layout(width):
        part = y[:, first : first + field.columns]
        found[field.name] = part[:, 0] if field.columns == 1 else part
        first += field.columns
    return found


def _field(loss, field, rows, rng):
    shape = (rows, field.columns)
    if field.end:
        return rng.integers(field.end, size=shape)
    if field.name == "label":
        drawn = rng.integers(2, size=shape)
        return 2 * drawn - 1 if isinstance(loss, fm.CosineEmbeddingLoss) else drawn
    if field.name == "log_prob":
        return -rng.uniform(0.5, 3.0, size=shape)
    if field.name == "advantage" and isinstance(loss, fm.PolicyGradientLoss):
        return rng.uniform(0.1, 1.0, size=shape)  # a negative one has no minimum
    return rng.normal(size=shape)
