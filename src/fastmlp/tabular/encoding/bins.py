"""Piecewise linear encoding of numbers (Gorishniy, Rubachev and Babenko, NeurIPS 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp.base.validation import Array

_FEWEST_BINS = 3  # of a column that is worth it


@dataclass(frozen=True)
class Bins:
    """Edges of bins between quantiles, for each column.

    Component j of a number x is ``(x - e_j) / (e_{j + 1} - e_j)``, limited to 0 and 1. The
    published encoding has no limit below the first edge and above the last one. The numbers that
    are encoded here are never there: normal quantiles stay within the range of the training rows.

    Attributes
    ----------
    edges : tuple of ndarray, shape (bins + 1,)
        Ascending edges of each column, which has one bin at least.
    """

    edges: tuple[Array, ...]

    @classmethod
    def fit(cls, x: Array, most: int) -> Bins:
        """Fit to (N, C) numbers, `most` bins a column: the different ones among the quantiles."""
        wide = x.astype(np.float64)
        quantiles = np.quantile(wide, np.linspace(0.0, 1.0, most + 1), axis=0)
        return cls(tuple(np.unique(column) for column in quantiles.T))

    @classmethod
    def fit_some(cls, x: Array, most: int, columns: int | None) -> tuple[Bins | None, Array]:
        """Fit to the columns of (N, C) numbers that are worth it; return these columns too.

        They are all if `columns` is None. Otherwise they are at most so many, those with three bins
        at least: fewer hardly tell more than the number. If these are too many, those with a
        quarter of `most` edges at least are; and if these are too many as well, such as the pixels
        of an image, none is.
        """
        none = np.arange(0)
        if not most or not x.shape[1]:
            return None, none
        bins = cls.fit(x, most)
        counts = np.array([len(edges) for edges in bins.edges])
        places = np.arange(x.shape[1])
        if columns is not None:
            places = np.flatnonzero(counts > _FEWEST_BINS)
            if len(places) > columns:
                places = np.flatnonzero(4 * counts > most)
            if not 0 < len(places) <= columns:
                return None, none
        return cls(tuple(bins.edges[place] for place in places)), places

    def nodes(self, places: Array) -> list[Any]:
        """Return the nodes of a `Graph` that encode these columns of its input "x"."""
        return [
            ("for edges", fm.GatherColumns(np.repeat(places, self.most)), "x"),
            ("edges", self.layer(), "for edges"),
            ("pieces", fm.Clamp(0.0, 1.0), "edges"),
        ]

    @property
    def most(self) -> int:
        """The largest number of bins of a column."""
        return max(len(edges) for edges in self.edges) - 1

    def layer(self) -> fm.Scale:
        """Return an untrained layer that computes the components of repeated columns, without the
        limits: its input has each column `most` times.
        """
        layer = fm.Scale(len(self.edges) * self.most)
        layer.trainable = False
        return layer

    def set_layer(self, layer: Any) -> None:
        """Set the weights of `layer`. Components that a column does not have are 0."""
        slopes = np.zeros((len(self.edges), self.most))
        offsets = np.zeros_like(slopes)
        for column, edges in enumerate(self.edges):
            bins = len(edges) - 1
            slopes[column, :bins] = 1.0 / np.diff(edges)
            offsets[column, :bins] = -edges[:-1] / np.diff(edges)
        layer.gain[...], layer.shift[...] = slopes.ravel(), offsets.ravel()
