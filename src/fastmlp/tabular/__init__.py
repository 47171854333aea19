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
"""

from fastmlp.tabular.columns import ColumnRule, ReadColumn, ReadTable, TableReader
from fastmlp.tabular.datasets import DATA_SETS, load_dataset
from fastmlp.tabular.description import TableDescription
from fastmlp.tabular.encoder import Encoder
from fastmlp.tabular.model_file import TableModel, load
from fastmlp.tabular.models.old_mlp import MLP, MODELS
from fastmlp.tabular.reading import ReadOptions, TableError
from fastmlp.tabular.table import Table, load_table
from fastmlp.tabular.training import Reporter, TrainedTable, train

__all__ = [
    "DATA_SETS",
    "MLP",
    "MODELS",
    "ColumnRule",
    "Encoder",
    "ReadColumn",
    "ReadOptions",
    "ReadTable",
    "Reporter",
    "Table",
    "TableDescription",
    "TableError",
    "TableModel",
    "TableReader",
    "TrainedTable",
    "load",
    "load_dataset",
    "load_table",
    "train",
]
