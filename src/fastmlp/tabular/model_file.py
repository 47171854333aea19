"""A trained model of a table, in memory and in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

import fastmlp as fm
from fastmlp.base.errors import StateError
from fastmlp.base.validation import Array
from fastmlp.io import ModelFileError
from fastmlp.io.model import load_with_metadata
from fastmlp.io.safetensors import Malformed, naming
from fastmlp.tabular.description import KEY, TableDescription
from fastmlp.tabular.reading import Frame, ReadOptions, frame_of, require

if TYPE_CHECKING:
    import pandas as pd

    from fastmlp.tabular.table import TableLike


@dataclass(frozen=True)
class TableModel:
    """A trained network with the description of its table: from rows of a table to predictions.

    Attributes
    ----------
    net : Sequential
    description : TableDescription
    metadata : dict of str to str
        Other texts in the model file: the data's name, the task, test scores.

    Examples
    --------
    >>> import fastmlp.tabular
    >>> table = {"size": [1.0, 2.0] * 20, "price": [10.5, 20.5] * 20}
    >>> model = fastmlp.tabular.train(table, target="price").model
    >>> model.predict({"size": [1.0, 1.5, 2.0]}).shape
    (3,)
    """

    net: fm.Sequential
    description: TableDescription
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of `predict_proba`'s columns; [] of a regression."""
        return self.description.classes

    def predict(self, table: TableLike) -> Array:
        """Predict the rows of a table.

        Parameters
        ----------
        table : pandas.DataFrame, dict of str to array_like, str or path-like
            A data frame, its columns by name, or the path of a file. The columns of the training
            must be there; others are ignored.

        Returns
        -------
        ndarray, shape (N,)
            Names of classes, as objects, or numbers.

        Raises
        ------
        ArgumentError
            Columns are missing, or a column of numbers holds none.
        TableError
            The table has no rows, or its file cannot be read.
        """
        return self._answers(self._outputs(self.read(table)))

    def predict_proba(self, table: TableLike) -> Array:
        """Predict the probability of each class: (N, classes), in the order of `classes`.

        Parameters and exceptions are those of `predict`.

        Raises
        ------
        StateError
            The model is of a regression.
        """
        if not self.classes:
            raise StateError("a regression has no probabilities: use predict")
        return self._outputs(self.read(table))

    def predictions(self, table: TableLike) -> pd.DataFrame:
        """Predict the rows of a table as a data frame.

        It has the columns to keep, the column ``prediction`` and, for classes, a column
        ``probability_NAME`` for each.
        """
        require("pandas")
        import pandas as pd

        return pd.DataFrame(self.prediction_columns(self.read(table)))

    def prediction_columns(self, frame: Frame, keep: Sequence[str] = ()) -> dict[str, Any]:
        """Return the columns of `predictions`, by name; `keep` are columns of the table to copy.

        Columns that the model keeps and the table does not have are left out.
        """
        frame.check_names(keep, "`keep`")
        outputs = self._outputs(frame)
        kept = [name for name in self.description.keep if name in frame.names and name not in keep]
        columns: dict[str, Any] = {n: frame.column(n).to_pylist() for n in [*keep, *kept]}
        columns["prediction"] = self._answers(outputs)
        names = [f"probability_{name}" for name in self.classes]
        return columns | dict(zip(names, outputs.T, strict=False))

    def notes(self, table: TableLike) -> list[str]:
        """List the values of a table that predictions take as missing or unknown, by column."""
        return self.description.encoder.notes(self.read(table))

    def read(self, table: TableLike, options: ReadOptions | None = None) -> Frame:
        """Read a table for predictions; `options` tell how a file is written."""
        return frame_of(table, options)

    def info(self) -> dict[str, Any]:
        """Return the table's description, the number of parameters and the file's metadata."""
        size = self.net.params.size
        return {**self.metadata, "parameters": size, **self.description.info()}

    def outputs(self, x: Array) -> Array:
        """Predict encoded rows: probabilities (N, C), or values in the target's own unit (N,)."""
        scores = self.net.predict(x).astype(np.float64)
        if self.description.target is not None:
            values: Array = self.description.target.undo(scores)[:, 0]
            return values
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: Array = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def _outputs(self, frame: Frame) -> Array:
        x = self.description.encoder.transform(frame)
        return self.outputs(np.ascontiguousarray(x, dtype=self.net.dtype))

    def _answers(self, outputs: Array) -> Array:
        if not self.classes:
            return outputs
        answers: Array = np.array(self.classes, dtype=object)[outputs.argmax(axis=1)]
        return answers

    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
        """Write one file, atomically, with `metadata`; by default that of this model."""
        more = self.metadata if metadata is None else metadata
        self.net.save(path, {**more, KEY: self.description.to_json()})


def load(path: str | os.PathLike[str]) -> TableModel:
    """Read a model of a table, written by `TrainedTable.save` or by the command line.

    Parameters
    ----------
    path : str or path-like

    Raises
    ------
    ModelFileError
        The file is corrupt or no model, was not trained on a table, or has weights that are not
        finite.
    OSError
        It is missing or unreadable.

    Examples
    --------
    >>> import tempfile, fastmlp.tabular
    >>> table = {"size": range(40), "grade": ["cheap", "dear"] * 20}
    >>> trained = fastmlp.tabular.train(table, target="grade")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trained.save(f"{folder}/grades.safetensors")
    ...     fastmlp.tabular.load(f"{folder}/grades.safetensors").classes
    ['cheap', 'dear']
    """
    net, file = load_with_metadata(path)
    text = file.metadata.get(KEY)
    if text is None:
        why = (
            "is a checkpoint: it can resume a training, but not predict"
            if file.is_checkpoint
            else "holds a network, but no description of the table that it was trained on"
        )
        raise ModelFileError(f"{os.fspath(path)} {why}")
    with naming(path):
        description = TableDescription.from_json(text)
        _check_widths(net, description)
    if not np.isfinite(net.params).all():
        raise ModelFileError(f"{os.fspath(path)} has weights that are not finite")
    assert isinstance(net, fm.Sequential)
    metadata = {key: value for key, value in file.metadata.items() if key != KEY}
    return TableModel(net, description, metadata)


def _check_widths(net: Any, description: TableDescription) -> None:
    expected = (description.encoder.width, len(description.classes) or 1)
    found = (net.in_features, net.out_features) if isinstance(net, fm.Sequential) else None
    if found != expected:
        raise Malformed(f"its network has the widths {found}, its table {expected}")
