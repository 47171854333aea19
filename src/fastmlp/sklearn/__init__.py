"""Estimators with the interface of scikit-learn's networks, and more options; they are faster.

Write ``from fastmlp.sklearn import MLPClassifier, MLPRegressor`` instead of
``from sklearn.neural_network import ...``. This needs the extra ``sklearn``.
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
