"""Estimators for scikit-learn: the parameters, attributes and results of its own, and more, faster.

``from fastmlp.sklearn import MLPClassifier, MLPRegressor`` in the place of
``from sklearn.neural_network import ...``. Needs the extra ``sklearn``.
"""

from __future__ import annotations

from fastmlp.base.errors import MissingPackageError

try:
    import scipy.sparse
    import sklearn
except ImportError as error:
    raise MissingPackageError(
        f'the estimators need {error.name}: pip install "fastmlp[sklearn]"', name=error.name
    ) from None

from fastmlp.sklearn._classifier import MLPClassifier
from fastmlp.sklearn._regressor import MLPRegressor

del scipy, sklearn

__all__ = ["MLPClassifier", "MLPRegressor"]
