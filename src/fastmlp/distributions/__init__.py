"""Distributions of actions: sample, log probability, entropy, and their gradients.

All work on batches: the first dimensions of the parameters are those of the batch, the last one
holds the classes or the components of a vector. Gradients are with respect to the parameters; they
are made for ``net.backward`` or ``trainer.apply``, so each is an array in the shape of the
parameter.

>>> import numpy as np
>>> from fastmlp.distributions import Categorical
>>> policy = Categorical(np.log([[0.25, 0.75], [1.0, 1.0]]))
>>> policy.log_prob([1, 0]).round(4).tolist()
[-0.2877, -0.6931]
>>> policy.log_prob_gradient([1, 0]).round(4).tolist()
[[-0.25, 0.25], [0.5, -0.5]]
>>> policy.sample(np.random.default_rng(0)).tolist()
[1, 0]
"""

from __future__ import annotations

from fastmlp.distributions.categorical import Categorical
from fastmlp.distributions.gaussian import Gaussian, Normal
from fastmlp.distributions.squashed import SquashedGaussian

__all__ = ["Categorical", "Gaussian", "Normal", "SquashedGaussian"]
