"""Layers that the user writes in Python."""

from __future__ import annotations

import math
import weakref
from contextlib import suppress
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.engine import Engine
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, StateError
from fastmlp.base.node import Node
from fastmlp.base.validation import Array
from fastmlp.layers.base import Layer
from fastmlp.layers.joins import Join
from fastmlp.losses.base import Loss

# The layer that holds a user's object, by the object's id.
_OWNERS: weakref.WeakValueDictionary[int, Custom] = weakref.WeakValueDictionary()


class Custom(Join):
    """A node of your own: any object with ``forward(*inputs)`` and ``backward(upstream)``.

    ``forward`` gets arrays ``(N, width)`` and returns one. ``backward`` gets the gradient with
    respect to that array and returns one gradient for each input (a single array if there is one
    input). An object may have ``parameters``, a dict of float arrays to train. ``backward`` must
    then put their gradients into the dict ``gradients``, and a network replaces the arrays with
    views of its flat array. The compiled engine runs all layers between such nodes.

    Parameters
    ----------
    node : object
    out_features : int, optional
        Width of the array that ``forward`` returns; by default the node's ``out_features``, if it
        has one, else the width of the first input.
    name : str, optional
        Name in error messages; the class of ``node`` by default.

    Notes
    -----
    ``Sequential`` and ``Graph`` accept such objects without this class. The methods get the whole
    batch, in the thread that called the network. ``predict`` and ``jacobian`` call those of a
    shallow copy (``copy.copy``), so they do not change what the object saved for ``backward``. A
    model file cannot hold such an object, and an object can belong to one network only.

    Examples
    --------
    >>> import fastmlp as fm
    >>> class Cube:
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x**3
    ...     def backward(self, upstream):
    ...         return upstream * 3 * self.x**2
    >>> net = fm.Sequential(fm.Linear(1, 1, init=fm.initializers.Constant(2.0)), Cube())
    >>> net.forward([[1.0]]).tolist(), net.backward([[1.0]]).tolist()
    ([[8.0]], [[24.0]])
    """

    n_inputs = (1, 8)

    def __init__(
        self,
        node: Any,
        out_features: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(dtype, seed)
        if not is_custom(node):
            raise ArgumentTypeError(
                f"node: got {validation.shown(node)}; "
                "want an object with forward(*inputs) and backward(upstream)"
            )
        self.custom = node
        self.name = type(node).__name__ if name is None else validation.name(name, "name")
        given = getattr(node, "out_features", None) if out_features is None else out_features
        self.out_features = None if given is None else validation.size(given, "out_features")
        self._shapes = {key: value.shape for key, value in self._arrays("parameters").items()}
        self._places: dict[str, Array] = {}
        self._runner: Runner | None = None
        self._alone: tuple[tuple[int, ...], np.dtype[Any]] = ((), validation.FLOAT32)

    @property
    def n_parameters(self) -> int:  # type: ignore[override]
        """Number of trainable parameters."""
        return sum(math.prod(shape) for shape in self._shapes.values())

    def width_after(self, *widths: int) -> int:
        return self.out_features or widths[0]

    def forward(self, *inputs: Any, training: bool = False) -> Array:
        """Call the object's ``forward`` with arrays of one float type; check the result.

        Parameters
        ----------
        *inputs : array_like, shape (..., features)
            The object gets rows ``(N, features)``, whatever the leading dimensions are.

        Returns
        -------
        ndarray, shape (..., out)
        """
        arrays, dtype = self._arrays_alike(inputs)
        arrays = [validation.vectors(one, f"input {k}", dtype) for k, one in enumerate(arrays)]
        self._alone = leading, dtype = arrays[0].shape[:-1], dtype
        tables = [validation.flat_rows(one) for one in arrays]
        if any(one.shape[:-1] != leading for one in arrays[1:]):
            shapes = ", ".join(str(one.shape) for one in arrays)
            raise ArgumentError(
                f"inputs: got shapes {shapes}; want the same number of rows in each"
            )
        widths = tuple(table.shape[1] for table in tables)
        runner = self._runner = Runner(self, widths, self.width_after(*widths))
        y = runner.forward(tables, True).astype(dtype)
        return y.reshape(*leading, y.shape[1])

    def backward(self, dy: Any, accumulate: bool = False) -> Any:
        """Call the object's ``backward``; the parameters' gradients are in its dict ``gradients``.

        Returns
        -------
        ndarray, or tuple of ndarray
            One gradient for each input.

        Raises
        ------
        StateError
            Before a forward pass.
        """
        if self._runner is None:
            raise StateError("backward: no forward pass has been made; call forward(x) first")
        leading, dtype = self._alone
        upstream = validation.flat_rows(validation.vectors(dy, "dy", dtype))
        before = {key: array.copy() for key, array in self._arrays("gradients").items()}
        found, _ = self._runner.backward(upstream)
        if accumulate:
            for key, array in before.items():
                self.custom.gradients[key] = self.custom.gradients[key] + array
        dx = [np.asarray(one, dtype) for one in found]
        given = tuple(one.reshape(*leading, one.shape[1]) for one in dx)
        return given if len(given) > 1 else given[0]

    def nodes(self, sources: tuple[int, ...], widths: tuple[int, ...], first: int) -> list[Node]:
        width = self.width_after(*widths)
        runner = Runner(self, widths, width)
        sizes = (runner.n_parameters,)
        return [Node("custom", sources, sum(widths), width, sizes=sizes, runner=runner)]

    def attach(
        self, network: Any, engine: Engine, index: int, seed: int, init: str, n_nodes: int = 1
    ) -> None:
        super().attach(network, engine, index, seed, init, n_nodes)
        _OWNERS[id(self.custom)] = self
        at = engine.core.places[index].get("parameters", 0)
        arrays = self._arrays("parameters")
        for key, shape in self._shapes.items():
            size = math.prod(shape)
            place = engine.core.params[at : at + size].reshape(shape)
            place[...] = arrays[key]
            self.custom.parameters[key] = self._places[key] = place
            at += size

    def object_id(self) -> int:
        return id(self.custom)

    def belongs(self) -> bool:
        owner = _OWNERS.get(id(self.custom))
        if owner is None or owner is self or owner.custom is not self.custom:
            return super().belongs()
        return super().belongs() or Layer.belongs(owner)

    def parameters(self) -> dict[str, Array]:
        # In a network its own places: an array that was put in their stead is not trained.
        arrays = self._places if self._places else self._arrays("parameters")
        return {key: arrays[key] for key in self._shapes}

    def check_parameters(self) -> None:
        """Raise if the user has replaced an array that the network trains."""
        held = self._arrays("parameters") if self._places else {}
        for key, place in self._places.items():
            if held.get(key) is not place:
                raise ArgumentError(
                    f"{self.name}.parameters[{key!r}]: was replaced, so training would not change "
                    "it; write into the array instead"
                )

    def gradients(self, node: Any, dtype: np.dtype[Any]) -> Array | None:
        """Return the parameters' gradients of the last backward of the object, as one row."""
        if not self._shapes:
            return None
        found = getattr(node, "gradients", None)
        flat = []
        for key, shape in self._shapes.items():
            name = f"{self.name}.gradients[{key!r}]"
            if not isinstance(found, dict) or key not in found:
                raise ArgumentError(f"{name}: got none; want shape {shape}")
            array = validation.numeric(found[key], name)
            if array.shape != shape:
                raise ArgumentError(f"{name}: got shape {array.shape}; want {shape}")
            flat.append(array.ravel())
        return np.concatenate(flat).astype(dtype)[np.newaxis]

    def describe(self) -> dict[str, Any]:
        raise ArgumentError(
            f"{self.name}: a file cannot describe a node of your own; save net.params instead"
        )

    def __repr__(self) -> str:
        return f"Custom({self.name})"

    def __reduce__(self) -> Any:
        dtype = None if self._dtype is None else self._dtype.name
        arguments = self.custom, self.out_features, self.name, dtype, self._seed
        return _rebuild, (arguments, self._trainable)

    def __deepcopy__(self, memo: dict[int, Any]) -> Custom:
        import copy  # late, because importing it takes time

        node = copy.deepcopy(self.custom, memo)
        arguments = node, self.out_features, self.name, self._dtype, self._seed
        return _rebuild(arguments, self._trainable)

    def _arrays(self, attribute: str) -> dict[str, Array]:
        found = getattr(self.custom, attribute, None)
        known: dict[str, Any] = {} if found is None else found
        if not isinstance(known, dict):
            raise ArgumentTypeError(
                f"{self.name}.{attribute}: got {type(found).__name__}; want a dict of arrays"
            )
        for key, array in known.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
                got = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
                raise ArgumentTypeError(
                    f"{self.name}.{attribute}[{key!r}]: got {got}; want an array of floats"
                )
        return known


class Runner:
    """The object that the core calls: it calls the node and checks the result."""

    __slots__ = ("_layer", "_node", "width", "widths")

    def __init__(self, layer: Custom, widths: tuple[int, ...], width: int) -> None:
        self._layer, self.widths, self.width = layer, widths, width
        self._node = layer.custom

    def copy(self) -> Runner:
        """Return a runner of a shallow copy of the node; no pass of it changes the node."""
        import copy

        runner = Runner(self._layer, self.widths, self.width)
        node = runner._node = copy.copy(self._node)
        found = getattr(node, "gradients", None)
        if isinstance(found, dict):
            # A node may write into its dict or its arrays. Some cannot have another dict: they
            # return one from a property.
            with suppress(AttributeError):
                node.gradients = {key: copy.copy(array) for key, array in found.items()}
        return runner

    @property
    def n_parameters(self) -> int:
        """Number of trainable parameters of the node."""
        return self._layer.n_parameters

    def forward(self, inputs: list[Array], keeps: bool) -> Array:
        """Return the node's output, (N, width); without ``keeps``, a copy of the node runs."""
        import copy

        layer, rows = self._layer, inputs[0].shape[0]
        layer.check_parameters()
        node = self._node if keeps else copy.copy(self._node)
        y = node.forward(*inputs)
        return _matrix(y, f"{layer.name}.forward", (rows, self.width))

    def backward(self, upstream: Array) -> tuple[list[Array], Array | None]:
        """Return the inputs' gradients, and the parameters' gradients as one row."""
        name, rows = f"{self._layer.name}.backward", upstream.shape[0]
        returned = self._node.backward(upstream)
        # With one input, a list is that input's gradient as rows, not a list of gradients.
        several = isinstance(returned, tuple) or (
            isinstance(returned, list) and len(self.widths) > 1
        )
        parts = list(returned) if several else [returned]
        if len(parts) != len(self.widths):
            raise ArgumentError(f"{name}: got {len(parts)} gradients; want {len(self.widths)}")
        dx = [
            _matrix(part, f"{name}, gradient {k}", (rows, width))
            for k, (part, width) in enumerate(zip(parts, self.widths, strict=True))
        ]
        return dx, self._layer.gradients(self._node, upstream.dtype)


def is_custom(node: Any) -> bool:
    """Whether an object can be a node: it has forward and backward and is no class of fastmlp."""
    return not isinstance(node, (type, Layer, Loss, _core.Predictor)) and all(
        callable(getattr(node, name, None)) for name in ("forward", "backward")
    )


def layered(node: Any) -> Any:
    """Wrap an object that can be a node into a layer; return anything else unchanged."""
    return Custom(node) if is_custom(node) else node


def _rebuild(arguments: tuple[Any, ...], trainable: bool) -> Custom:
    layer = Custom(*arguments)
    layer.trainable = trainable
    return layer


def _matrix(value: Any, name: str, shape: tuple[int, int]) -> Array:
    array = validation.numeric(value, name)
    if array.shape != shape:
        raise ArgumentError(f"{name}: got shape {array.shape}; want {shape}")
    return array
