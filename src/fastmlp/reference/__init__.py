"""The float64 NumPy reference of every operation of fastmlp.

It is written to be read: one small file for each family, and each function as close to the textbook
formula as numerical stability allows. The tests compare every compiled kernel with it, so it
defines what the library computes. It needs only NumPy and the standard library, and nothing else of
the package.

===================  ===========================================================================
file                 family
===================  ===========================================================================
``activations.py``   non-linearities ``f`` and their derivatives ``df``
``layers.py``        ``forward`` and ``backward`` of the layers, and chains of them
``columns.py``       layers that choose columns, and activations with parameters of columns
``bfloat16.py``      operands of matrix products, rounded
``int8.py``          matrix products of whole numbers of 8 bits
``joins.py``         the same for layers with several inputs
``norms.py``         layers that normalise rows or columns to mean 0 and variance 1
``loss_base.py``     weighting and averaging of losses, and their gradients
``losses*.py``       losses: of classes and numbers, densities, pairs of vectors, policies
``penalties.py``     L2, L1, Lp on the weights
``optimizers.py``    update rules on one flat array; clipping
``rng.py``           Philox random numbers as a pure function of (seed, stream, step, index)
``training.py``      the training loop, and gradients by central differences
===================  ===========================================================================

Examples
--------
>>> from fastmlp import reference
>>> net = reference.Sequential(
...     reference.Linear([[1.0, -1.0]], [-1.0, 1.0]),
...     reference.Activation("ReLU"),
...     reference.Linear([[1.0], [1.0]], [0.0]),
... )
>>> net.forward([[-2.0], [1.0], [4.0]]).ravel()  # |x - 1|, exactly
array([3., 0., 3.])
"""

from __future__ import annotations

from . import columns, joins, layers, losses_density, losses_pairs, losses_policy, norms
from .activations import ACTIVATIONS, ActivationRow
from .arrays import Array
from .bfloat16 import bfloat16
from .columns import *  # noqa: F403
from .int8 import QuantizedLinear, input_scale, quantized_input, quantized_weights
from .joins import *  # noqa: F403  (the modules of layers list their classes)
from .layers import *  # noqa: F403
from .loss_base import Loss, log_softmax, one_hot
from .losses import (
    LOSSES,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    FocalLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MultiMarginLoss,
    PoissonNLLLoss,
    QuantileLoss,
    SigmoidFocalLoss,
)
from .losses_density import *  # noqa: F403
from .losses_pairs import *  # noqa: F403
from .losses_policy import *  # noqa: F403
from .norms import *  # noqa: F403
from .optimizers import (
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Optimizer,
    RMSprop,
    clip_by_norm,
)
from .penalties import L1, L2, PENALTIES, Lp, Penalty
from .rng import (
    dropout_mask,
    inverse_normal,
    normal,
    permutation,
    philox4x32,
    random_u32,
    uniform,
)
from .training import Trainer, central_difference, fit

__all__ = [
    "ACTIVATIONS",
    "L1",
    "L2",
    "LOSSES",
    "OPTIMIZERS",
    "PENALTIES",
    "SGD",
    "ActivationRow",
    "Adagrad",
    "Adam",
    "AdamW",
    "Array",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "FocalLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "Loss",
    "Lp",
    "MSELoss",
    "MultiMarginLoss",
    "Optimizer",
    "Penalty",
    "PoissonNLLLoss",
    "QuantileLoss",
    "QuantizedLinear",
    "RMSprop",
    "SigmoidFocalLoss",
    "Trainer",
    "bfloat16",
    "central_difference",
    "clip_by_norm",
    "dropout_mask",
    "fit",
    "input_scale",
    "inverse_normal",
    "log_softmax",
    "normal",
    "one_hot",
    "permutation",
    "philox4x32",
    "quantized_input",
    "quantized_weights",
    "random_u32",
    "uniform",
]
__all__ += columns.__all__
__all__ += joins.__all__
__all__ += layers.__all__
__all__ += losses_density.__all__
__all__ += losses_pairs.__all__
__all__ += losses_policy.__all__
__all__ += norms.__all__
