"""Small tables of every kind of target, for the tests of the estimators."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.preprocessing import scale

IRIS = (scale(load_iris().data), load_iris().target)
BINARY = (IRIS[0], (IRIS[1] == 1).astype(int))
NAMES = (IRIS[0], np.array(["setosa", "versicolor", "virginica"])[IRIS[1]])
MULTILABEL = make_multilabel_classification(120, 8, random_state=0)
DIABETES = (scale(load_diabetes().data), scale(load_diabetes().target))
TWO_OUTPUTS = (DIABETES[0], np.stack([DIABETES[1], DIABETES[1] ** 2], axis=1))
COUNTS = (DIABETES[0], np.round(np.exp(DIABETES[1])))
