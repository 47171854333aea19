"""A layer that replaces row numbers by the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.node import Node
from fastmlp.base.validation import Array
from fastmlp.layers.initializers import Initializer, LeCunNormal, resolve
from fastmlp.layers.linear import _STREAMS
from fastmlp.layers.parametric import ParameterView, ParametricLayer

# Whole numbers up to this one are exact in float32.
_MOST_ROWS = 2**24


class Embedding(ParametricLayer):
    """Rows of a table for row numbers: ``y[i] = W[x[i]]``.

    The input has the network's type, like every other one: its values are whole numbers from 0 to
    ``num_embeddings - 1``, of any integer type where the layer is given an array. Each of the
    ``columns`` is replaced by a row of the one table: ``(N, columns) -> (N, columns *
    embedding_dim)``.

    Local gradients: each row of the table gets the sum of its ``dy``, added in the order of the
    batch; the row numbers have none (``dx`` is 0).

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table; at most 2**24 rows.
    columns : int, default 1
        Width of the input.
    init : initializer or str, optional
        Initial values of ``W``; standard normal by default.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; float32 by default.

    Raises
    ------
    ArgumentError
        If a value is no row of the table. If the input comes from another layer, ``fit`` notices
        it at the step, and the parameters are those of the step before.

    Examples
    --------
    >>> import fastmlp as fm
    >>> table = fm.Embedding(3, 2)
    >>> table.W = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    >>> table.forward([[2], [0]]).tolist()
    [[4.0, 5.0], [0.0, 1.0]]
    """

    W = ParameterView("Table, shape (num_embeddings, embedding_dim).")
    dW = ParameterView("Gradient with respect to ``W``.", fixed=True)

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        columns: int = 1,
        init: Initializer | str | None = None,
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(dtype, seed)
        self.num_embeddings = validation.integer(num_embeddings, "num_embeddings", 1, _MOST_ROWS)
        self.embedding_dim = validation.size(embedding_dim, "embedding_dim")
        self.columns = validation.size(columns, "columns")
        self.init = resolve(init, "init")

    @property
    def in_features(self) -> int:
        """Width of the input."""
        return self.columns

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"W": (self.num_embeddings, self.embedding_dim)}

    def widths_alone(self) -> tuple[int, ...]:
        return (self.columns,)

    def width_after(self, *widths: int) -> int:
        if widths[0] != self.columns:
            raise ArgumentError(f"columns: got {self.columns}; want {widths[0]}")
        return self.columns * self.embedding_dim

    def initialise(self, views: Mapping[str, Array], seed: int, index: int, init: str) -> None:
        chosen = self.init or LeCunNormal()  # of one input each: the deviation is 1
        fans = (1, self.embedding_dim)
        shape = self.shapes()["W"]
        views["W"][...] = chosen.sample(shape, fans, seed, _STREAMS * index)

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        out = self.columns * self.embedding_dim
        rows = self.num_embeddings
        return Node("embedding", sources, self.columns, out, sizes=(rows,), index_end=rows)
