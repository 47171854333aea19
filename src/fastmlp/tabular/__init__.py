"""Tables in, predictions out: networks for data frames and for files of tables.

>>> import fastmlp.tabular
>>> table = {"size": list(range(60)), "city": ["Ghent", "Ypres", None] * 20}
>>> table["price"] = [2.5 * size + (100 if size % 3 else 0) for size in range(60)]
>>> trained = fastmlp.tabular.train(table, target="price")
>>> sorted(trained.scores)
['MAE', 'R2', 'RMSE']
>>> trained.model.predict({"size": [10, 20], "city": ["Ghent", "Ypres"]}).shape
(2,)

``trained.save(path)`` writes a model file, `load` reads it; the command line uses the same files.
`TabularClassifier` and `TabularRegressor` do the same as estimators of scikit-learn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmlp.tabular.columns import ColumnRule, ReadColumn, ReadTable, TableReader
from fastmlp.tabular.datasets import DATA_SETS, load_dataset
from fastmlp.tabular.encoding import Encoder
from fastmlp.tabular.model_file import load
from fastmlp.tabular.models import MLP, MODELS, RealMLP, TabM
from fastmlp.tabular.reading import ReadOptions, TableError
from fastmlp.tabular.reporter import Reporter
from fastmlp.tabular.scores import METRICS
from fastmlp.tabular.table import Table, load_table
from fastmlp.tabular.table_model import TableModel
from fastmlp.tabular.training import TrainedTable, train

if TYPE_CHECKING:
    from fastmlp.tabular.classifier import TabularClassifier
    from fastmlp.tabular.regressor import TabularRegressor

__all__ = [
    "DATA_SETS",
    "METRICS",
    "MLP",
    "MODELS",
    "ColumnRule",
    "Encoder",
    "ReadColumn",
    "ReadOptions",
    "ReadTable",
    "RealMLP",
    "Reporter",
    "TabM",
    "Table",
    "TableError",
    "TableModel",
    "TableReader",
    "TabularClassifier",
    "TabularRegressor",
    "TrainedTable",
    "load",
    "load_dataset",
    "load_table",
    "train",
]

# Imported on first use, because scikit-learn takes longer than many a training.
_ESTIMATORS = {"TabularClassifier": "classifier", "TabularRegressor": "regressor"}


def __getattr__(name: str) -> Any:
    if name not in _ESTIMATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        module = import_module(f"{__name__}.{_ESTIMATORS[name]}")
    except ModuleNotFoundError as error:
        if error.name != "sklearn":
            raise
        from fastmlp.base.errors import MissingPackageError

        hint = 'pip install "fastmlp[sklearn]"'
        raise MissingPackageError(f"{name} needs sklearn: {hint}", name="sklearn") from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
