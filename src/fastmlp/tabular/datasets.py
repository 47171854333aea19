"""The small data sets that ship with scikit-learn, as tables."""

from __future__ import annotations

from fastmlp.base.errors import ArgumentError
from fastmlp.tabular.reading import frame_of, require
from fastmlp.tabular.table import Table

# By name: the known largest value of its columns. One scale for all pixels keeps an image's
# contrast.
MAXIMA: dict[str, float | None] = {
    "digits": 16.0,
    "wine": None,
    "breast_cancer": None,
    "iris": None,
    "diabetes": None,
}
DATA_SETS = tuple(MAXIMA)


def load_dataset(name: str) -> Table:
    """Load one of `DATA_SETS`.

    Examples
    --------
    >>> print(load_dataset("iris"))
    150 rows, 4 columns; target (3 classes): classification
    """
    if name not in MAXIMA:
        raise ArgumentError(f"name: got {name!r}; want one of {', '.join(DATA_SETS)}")
    require("sklearn")
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    classes = [str(label) for label in bunch.get("target_names", [])]
    columns = dict(zip(map(str, bunch.feature_names), bunch.data.T, strict=True))
    return Table(name, frame_of(columns), bunch.target, "target", classes, MAXIMA[name])
