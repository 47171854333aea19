"""Layers with parameters, which are views of a network's flat arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.engine import CHANGED, Engine, same_bits
from fastmlp.base.errors import ArgumentError, StateError
from fastmlp.base.parameters import ParameterArray
from fastmlp.base.validation import Array
from fastmlp.layers.base import Layer


class ParametricLayer(Layer):
    """Base of the layers with parameters.

    Parameters are attributes with the names of ``shapes()``; the gradient of ``W`` is ``dW``. All
    are views: writing into them takes effect at the next call. A layer used alone has views of a
    network of one node.
    """

    # Arrays that forward passes change, not the optimizer: running means and variances.
    _state: ClassVar[tuple[str, ...]] = ()

    def __init__(self, dtype: Any = None, seed: int | None = None) -> None:
        super().__init__(dtype, seed)
        self._views: dict[str, Array] | None = None

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shapes of the parameters by name."""
        raise NotImplementedError

    def value_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the parameters and of the running arrays, by name."""
        shapes = self.shapes()
        size = (math.prod(next(iter(shapes.values()))),)
        return {**shapes, **dict.fromkeys(self._state, size)}

    def skip_initialisation(self) -> None:
        """Join the next network without initialising the parameters: the caller sets them.

        Initialising would take three times the parameters' memory and most of the time of a load.
        """
        self._skip_initialisation = True

    def initialise(self, views: Mapping[str, Array], seed: int, index: int, init: str) -> None:
        """Fill the parameters with their initial values."""
        raise NotImplementedError

    def widths_alone(self) -> tuple[int, ...]:
        """Return the widths of the inputs of this layer alone."""
        raise NotImplementedError

    @property
    def n_parameters(self) -> int:  # type: ignore[override]
        """Number of trainable parameters."""
        return sum(math.prod(shape) for shape in self.shapes().values())

    def parameters(self) -> dict[str, Array]:
        views = self._parameters()
        return {name: views[name] for name in self.shapes()}

    def values(self) -> dict[str, Array]:
        """Return views of the parameters and of the running arrays, by name."""
        views = self._parameters()
        return {name: views[name] for name in (*self.shapes(), *self._state)}

    def core_net(self) -> _core.Net:
        """Return the compiled core's network of this layer alone, for the optimizers."""
        if self._in_network():
            raise ArgumentError("net: got a layer that belongs to a network; give the network")
        return self._planned().core

    def parameter_arrays(self) -> list[ParameterArray]:
        """Return a description of each parameter array of this layer, used alone."""
        return self.arrays_in(self.core_net(), "0")

    def attach(
        self, network: Any, engine: Engine, index: int, seed: int, init: str, n_nodes: int = 1
    ) -> None:
        old = self._views
        self.__dict__.pop("_begun", None)
        super().attach(network, engine, index, seed, init, n_nodes)
        self._dtype = engine.dtype
        self._views = self._views_of(engine, index)
        skip = self.__dict__.pop("_skip_initialisation", False)
        if old is not None:
            _copy_all(old, self._views, (*self.shapes(), *self._state))
        elif not skip:
            self.initialise(self._views, seed, index, init)

    def backward(self, dy: Any, accumulate: bool = False) -> Array:
        engine = self._planned()
        if not self._in_network():
            own_dx: Array = engine.backward(dy, accumulate)
            return own_dx
        views, own = self._parameters(), self._views_of(engine, 0)
        self._check_unchanged(views, own)
        dx: Array = engine.backward(dy, False)
        if self._trainable:
            _copy_all(own, views, [f"d{name}" for name in self.shapes()], accumulate)
        return dx

    def _check_unchanged(self, views: Mapping[str, Array], own: Mapping[str, Array]) -> None:
        """Raise if the network's parameters are no longer those of the last forward pass."""
        if not all(same_bits(np.ascontiguousarray(views[n]), own[n]) for n in self.shapes()):
            raise StateError(CHANGED)

    def forward(self, x: Any, training: bool = False) -> Array:
        y = super().forward(x, training)
        if self._state and self._in_network():
            _copy_all(self._views_of(self._planned(), 0), self._parameters(), self._state)
        return y

    def _ready(self, x: Any) -> tuple[Any, Engine]:
        engine = self._planned()
        if self._in_network():
            # The network holds the parameters; the network of one node works on a copy.
            names = (*self.shapes(), *self._state)
            _copy_all(self._parameters(), self._views_of(engine, 0), names)
        return x, engine

    def _planned(self) -> Engine:
        if self._engine is None:
            self._parameters()
        if self._engine is None:
            self._engine = self._plan()
            if not self._trainable:
                self._mark_engine()
        return self._engine

    def _plan(self) -> Engine:
        dtype, widths = self._dtype or validation.FLOAT32, self.widths_alone()
        sources = tuple(-1 - k for k in range(len(widths)))
        return Engine(widths, [self.node(sources, widths)], dtype, self._seed or 0)

    def _in_network(self) -> bool:
        return self._network is not None

    def _parameters(self) -> dict[str, Array]:
        return self._begin() if self._views is None else self._views

    def _begin(self) -> dict[str, Array]:
        """Make the parameters of a layer used alone; concurrent threads get the same ones."""
        if self._seed is None:
            self._seed = int(self.__dict__.setdefault("_drawn", validation.seed(None)))
        engine = self._plan()
        made = engine, self._views_of(engine, 0)
        self.initialise(made[1], self._seed, 0, "xavier")
        first: tuple[Engine, dict[str, Array]] = self.__dict__.setdefault("_begun", made)
        self._engine, self._views = first
        if not self._trainable:
            self._mark_engine()
        return first[1]

    def _views_of(self, engine: Engine, index: int) -> dict[str, Array]:
        core, found = engine.core, {}
        places = core.places[index]
        for name, shape in self.shapes().items():
            part = slice(places[name], places[name] + math.prod(shape))
            found[name] = core.params[part].reshape(shape)
            found[f"d{name}"] = core.grads[part].reshape(shape)
        at, size = core.state_offsets[index], math.prod(next(iter(self.shapes().values())))
        for name in self._state:
            found[name] = core.state[at : at + size]
            at += size
        return found

    def _values(self) -> dict[str, Array]:
        if self._views is None:
            return {}
        return {name: value.copy() for name, value in self.values().items()}


class ColumnwiseLayer(ParametricLayer):
    """Base of the layers that keep the width and have parameters for each column."""

    def __init__(self, features: int, dtype: Any, seed: int | None) -> None:
        super().__init__(dtype, seed)
        self.features = validation.size(features, "features")

    @property
    def in_features(self) -> int:
        """Width of the input, and of the output."""
        return self.features

    def widths_alone(self) -> tuple[int, ...]:
        return (self.features,)

    def width_after(self, *widths: int) -> int:
        if widths[0] != self.features:
            raise ArgumentError(f"features: got {self.features}; want {widths[0]}")
        return self.features


class ParameterView:
    """A descriptor for one array of a ParametricLayer. Setting it copies into the array."""

    def __init__(self, doc: str, fixed: bool = False, missing: str = "") -> None:
        self.__doc__ = doc
        self._fixed, self._missing = fixed, missing

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else layer._parameters().get(self._name)

    def __set__(self, layer: Any, value: Any) -> None:
        if self._fixed:
            raise AttributeError(f"{self._name} is filled by backward; it cannot be set")
        target = layer._parameters().get(self._name)
        if target is None:
            raise ArgumentError(f"{self._name}: {self._missing}")
        target[...] = validation.shaped(value, self._name, target.shape, target.dtype)


def _copy_all(
    source: Mapping[str, Array], target: Mapping[str, Array], names: Any, accumulate: bool = False
) -> None:
    for name in names:
        target[name][...] = target[name] + source[name] if accumulate else source[name]
