"""Every parameter of every constructor and its kind (bad_values.KINDS).

A new or renamed parameter fails the tests until it has a row.
"""

from __future__ import annotations

from tests.bad_values import subclasses

import fastmlp as fm
from fastmlp import initializers
from fastmlp.layers import LAYERS
from fastmlp.losses.custom import CustomLoss

PARAMETERS = {
    **dict.fromkeys(
        [
            "in_features",
            "out_features",
            "step_size",
            "max_iter",
            "history_size",
            "num_embeddings",
            "embedding_dim",
            "columns",
            "fold",
            "cycles",
        ],
        "size",
    ),
    **dict.fromkeys(["patience", "cooldown", "warmup"], "count"),
    **dict.fromkeys(["value", "margin", "negative_slope", "alpha", "min", "max"], "real"),
    **dict.fromkeys(["entropy_coef"], "real"),
    **dict.fromkeys(["value_coef", "clip_value"], "at least 0"),
    "clip": "positive",
    "components": "components",
    **dict.fromkeys(["delta", "max_lr", "div_factor", "final_div_factor"], "positive"),
    **dict.fromkeys(["weight_decay", "momentum", "eps", "lr_decay", "lam", "gamma"], "at least 0"),
    **dict.fromkeys(["eta_min", "min_lr", "min_delta"], "at least 0"),
    **dict.fromkeys(["tolerance_grad", "tolerance_change"], "at least 0"),
    **dict.fromkeys(["p", "label_smoothing", "pct_start", "threshold", "flat"], "0 to 1"),
    "pieces": "pieces",
    "factor": "below 1",
    "lr": "lr",
    "clip_norm": "positive or None",
    **dict.fromkeys(["reduction", "monitor", "approximate", "ties"], "name"),
    **dict.fromkeys(
        ["bias", "nesterov", "restore_best", "eps_hat", "full", "log_std", "log_target", "swap"],
        "flag",
    ),
    "seed": "seed",
    **dict.fromkeys(["init", "bias_init"], "initializer"),
    "dtype": "dtype",
    "net": "net",
    "betas": "betas",
    "quantiles": "quantiles",
    "features": "size",
    "max_eval": "size or None",
    "shape": "shape",
    **dict.fromkeys(["shape_a", "shape_b"], "shape or None"),
    "file": "stream",
    "groups": "groups",
    "indices": "indices",
    "activation": "activation",
}
EXCEPTIONS = {
    ("Lp", "p"): "positive",
    ("Linear", "groups"): "size",
    ("RMSprop", "alpha"): "0 to 1",
    ("BatchNorm", "eps"): "positive",
    ("LayerNorm", "eps"): "positive",
    ("BatchNorm", "momentum"): "0 to 1",
    ("GaussianNLLLoss", "eps"): "positive",
    ("CosineSimilarityLoss", "eps"): "positive",
    ("CosineEmbeddingLoss", "margin"): "-1 to 1",
    ("SigmoidFocalLoss", "alpha"): "-1 to 1",
}


def public_classes():
    """Every class that users construct with arguments, by name."""
    yield from LAYERS.values()
    for base in (fm.Loss, fm.Optimizer, fm.Schedule, fm.Penalty):
        yield from (cls for cls in subclasses(base) if cls is not CustomLoss)
    yield from initializers.NAMES.values()
    yield from (initializers.Constant, fm.EarlyStopping, fm.ProgressBar)


CLASSES_BY_NAME = {cls.__name__: cls for cls in public_classes()}


def kind_of(cls_name, parameter):
    return EXCEPTIONS.get((cls_name, parameter)) or PARAMETERS[parameter]
