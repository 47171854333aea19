"""A trained model of a table: from rows of a table to predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import StateError
from fastmlp.base.validation import Array
from fastmlp.tabular import scores
from fastmlp.tabular.columns import ReadTable, TableReader
from fastmlp.tabular.held_out import HeldOut, calibrated, weighted
from fastmlp.tabular.labels import Target
from fastmlp.tabular.models import Member
from fastmlp.tabular.reading import Frame, frame_of

if TYPE_CHECKING:
    import pandas as pd

    from fastmlp.tabular.report import Report
    from fastmlp.tabular.table import TableLike


@dataclass(frozen=True, kw_only=True)
class TableModel:
    """Trained networks with all that is needed to read and to predict rows of a table.

    Attributes
    ----------
    target : Target
        The column that is predicted, and its labels.
    reader : TableReader
        How the columns are read.
    members : tuple of Member
        The networks, each with its encoder.
    weights : tuple of float
        Weights of their predictions; they add up to 1.
    temperatures : tuple of float
        A member's probabilities become p^(1 / temperature), normalised.
    temperature : float
        The same for the weighted mean.
    threshold : float
        Of two classes, the second is predicted where its probability is above this.
    positive : int
        The rarer of two classes, whose F1 and average precision count.
    training : dict
        What was done, and the scores on held-out rows.
    keep : tuple of str
        Columns that `fastmlp predict` copies beside its predictions.
    metadata : dict of str to str
        Other texts in the model file: the data's name, test scores.
    held : HeldOut or None
        Held-out rows of the training, for a report; not in the file.
    read_notes : dict of str to str
        By column, values of the training rows that count as missing; not in the file.

    Examples
    --------
    >>> import fastmlp.tabular
    >>> table = {"size": [1.0, 2.0] * 20, "price": [10.5, 20.5] * 20}
    >>> model = fastmlp.tabular.train(table, target="price").model
    >>> model.predict({"size": [1.0, 1.5, 2.0]}).shape
    (3,)
    """

    target: Target
    reader: TableReader
    members: tuple[Member, ...]
    weights: tuple[float, ...]
    temperatures: tuple[float, ...]
    temperature: float = 1.0
    threshold: float = 0.5
    positive: int = 1
    training: Mapping[str, Any] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    held: HeldOut | None = field(default=None, repr=False, compare=False)
    read_notes: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def classes(self) -> list[Any]:
        """Labels of the classes, in the order of `predict_proba`'s columns; [] of a regression."""
        return list(self.target.labels.values.tolist())

    def predict(self, table: TableLike) -> Array:
        """Predict the rows of a table.

        Parameters
        ----------
        table : data frame, dict of str to array_like, str or path-like
            A data frame of pandas, polars or pyarrow, columns by name, or the path of a file. The
            columns of the training must be there; others are ignored.

        Returns
        -------
        ndarray, shape (N,)
            Labels of classes, or numbers.

        Raises
        ------
        TableError, ArgumentError
            Columns are missing, the table has no rows, or its file cannot be read.
        """
        return self.answers(self.outputs(self.read(table)))

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
        return self.outputs(self.read(table))

    def predictions(self, table: TableLike) -> pd.DataFrame:
        """Predict the rows of a table as a data frame.

        It has the column ``prediction`` and, for classes, a column ``probability_NAME`` for each.
        """
        import pandas as pd

        return pd.DataFrame(self.columns_of(self.outputs(self.read(table))))

    def columns_of(self, outputs: Array) -> dict[str, Array]:
        """Return the columns of `predictions` for outputs."""
        answers = {"prediction": self.answers(outputs)}
        names = [f"probability_{name}" for name in self.target.labels.names]
        return answers | dict(zip(names, outputs.T, strict=False))

    def notes(self, table: TableLike) -> list[str]:
        """List the values of a table that predictions take as missing or unknown, by column."""
        return list(self.read(table).notes.values())

    def frame(self, table: TableLike) -> Frame:
        """Read a table's cells, with the options of the training."""
        return frame_of(table)

    def read(self, table: TableLike) -> ReadTable:
        """Read a table's columns as those of the training."""
        return self.reader.read(self.frame(table))

    def outputs(self, read: ReadTable) -> Array:
        """Predict read rows: probabilities (N, C), or values in the target's own unit (N,)."""
        pairs = zip(self.members, self.temperatures, strict=True)
        parts = [calibrated(member.outputs(read), t) for member, t in pairs]
        return calibrated(weighted(parts, self.weights), self.temperature)

    def answers(self, outputs: Array) -> Array:
        """Return labels for probabilities (N, C), and numbers as they are."""
        if not self.classes:
            return outputs
        answers: Array = self.target.labels.values[scores.decide(outputs, self.threshold)]
        return answers

    def score(self, true: Array, outputs: Array) -> dict[str, float]:
        """Return all scores of outputs, for class indices or numbers (N,)."""
        return scores.measure(true, outputs, None, self.positive, self.threshold)

    def report(self, table: TableLike | None = None) -> Report:
        """Tell what the model is worth and what it looks at.

        Parameters
        ----------
        table : data frame, dict of str to array_like, str or path-like, optional
            Rows with the target, which the training has not seen. By default the rows that the
            training held out; a model from a file has none.

        Returns
        -------
        Report
            ``print(report)`` shows scores, the importance of columns, and how each was read;
            ``report.save("report.html")`` writes a page with pictures.
        """
        from fastmlp.tabular.report.making import report_of

        return report_of(self, table)

    def info(self) -> dict[str, Any]:
        """Return what the model is, as values that JSON can hold."""
        from fastmlp.tabular.model_file import described

        return described(self)

    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
        """Write one file, atomically, with `metadata`; by default that of this model."""
        from fastmlp.tabular.model_file import save

        save(self, path, self.metadata if metadata is None else metadata)

    def with_metadata(self, metadata: Mapping[str, str]) -> TableModel:
        """Return the same model with other metadata."""
        return replace(self, metadata=dict(metadata))

    @property
    def histories(self) -> Sequence[Any]:
        """Histories of the networks' trainings; empty ones if the model is from a file."""
        return [member.history for member in self.members]

    @property
    def n_parameters(self) -> int:
        """Number of parameters of all networks."""
        return sum(int(np.asarray(member.net.params).size) for member in self.members)
