"""Sequential: a chain of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from fastmlp.base import validation
from fastmlp.base.engine import Engine
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.layers import Layer
from fastmlp.layers.custom import layered
from fastmlp.layers.parametric import ParametricLayer
from fastmlp.layers.symbol import Symbol
from fastmlp.networks.base import Network
from fastmlp.networks.structure import Structure


class Sequential(Network):
    """A chain of layers: each reads the output of the one before.

    Parameters
    ----------
    *layers : Layer
        One or more layers, or one list of layers. Layers that already have weights keep them (cast
        to ``dtype``); the others are initialised from ``seed``.
    dtype : {"float32", "float64"}, default "float32"
        The type of parameters, inputs and outputs; other inputs are converted.
    seed : int, optional
        Determines initial weights, dropout masks and (by default) the shuffling of ``fit``. If
        None, it is drawn from the system's entropy and kept in ``net.seed``.
    in_features : int, optional
        Width of the input; needed only if the first layer has no ``in_features``.
    compute : {None, "bfloat16"}, optional
        With "bfloat16", the operands of matrix products are rounded to bfloat16, in training and
        prediction; sums, parameters and all else stay float32. On processors with instructions for
        it, large networks run about twice as fast. Only for float32.

    Attributes
    ----------
    params, grads : ndarray, shape (n_parameters,)
        All parameters and their gradients: ``W`` in row-major order, then ``b``, layer by layer.
        The layers' ``W``, ``b``, ``dW``, ``db`` are views of them; writing into them takes effect
        at the next call.

    Raises
    ------
    ArgumentError
        If widths do not fit, or a layer is used twice.
    ArgumentTypeError
        If something is not a layer.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(4, 8), fm.ReLU(), fm.Linear(8, 3), seed=0)
    >>> net.predict([[5.1, 3.5, 1.4, 0.2]]).shape
    (1, 3)
    >>> net[0]
    Linear(in_features=4, out_features=8)
    """

    def __init__(
        self,
        *layers: Any,
        dtype: Any = "float32",
        seed: int | None = None,
        in_features: int | None = None,
        compute: str | None = None,
    ) -> None:
        checked = _check_layers(layers)
        self._widths = _widths(checked, in_features)
        self._setup(checked, dtype, seed, compute)

    def _plan(self, dtype: Any) -> tuple[Engine, list[tuple[int, int]]]:
        nodes: list[Any] = []
        for i, layer in enumerate(self._layers):
            nodes += layer.nodes((i - 1,), (self._widths[i],), i)
        engine = Engine(self._widths[:1], nodes, dtype, self._seed, compute=self._compute)
        return engine, [(i, 1) for i in range(len(nodes))]

    def _following(self, position: int) -> tuple[Layer, ...]:
        return self._layers[position + 1 :]

    def _described(self, describe: Callable[[Layer], Any]) -> dict[str, Any]:
        return {
            "type": "Sequential",
            **self._types(),
            "seed": self._seed,
            "in_features": self.in_features,
            "layers": [describe(layer) for layer in self._layers],
        }

    @classmethod
    def _from_description(
        cls, description: Mapping[str, Any], layer_of: Callable[[Any], Layer]
    ) -> Self:
        if not isinstance(description, Mapping) or description.get("type") != "Sequential":
            raise ArgumentError("description: want the dict that Sequential.describe() returns")
        fields = {"type", "dtype", "seed", "in_features", "layers"}
        if set(description) - {"compute"} != fields or not isinstance(description["layers"], list):
            got = sorted(map(str, description))
            raise ArgumentError(f"description: got fields {got}; want {sorted(fields)}")
        options = {name: description[name] for name in ("dtype", "seed", "in_features")}
        options["compute"] = description.get("compute")
        return cls([layer_of(layer) for layer in description["layers"]], **options)

    def structure(self) -> Structure:
        width, *widths = self._widths
        symbols = [Symbol((width,))]
        for layer, after in zip(self._layers, widths, strict=True):
            symbols.append(Symbol((after,), layer, (symbols[-1],)))
        names = {
            id(one): name for one, name in zip(symbols, ["x", *self.layer_names()], strict=True)
        }
        return Structure({"x": symbols[0]}, symbols[1:], {"y": symbols[-1]}, names)

    def summary(self) -> str:
        """Return a table of the layers, their output widths and numbers of parameters.

        Examples
        --------
        >>> import fastmlp as fm
        >>> print(fm.Sequential(fm.Linear(4, 2), fm.Tanh()).summary())
        layer                                  output  parameters
        Linear(in_features=4, out_features=2)       2          10
        Tanh()                                      2           0
        total                                                  10
        """
        widths = self._widths[1:]
        rows = [("layer", "output", "parameters")]
        for layer, width in zip(self._layers, widths, strict=True):
            rows.append((repr(layer), str(width), f"{layer.n_parameters:,}"))
        rows.append(("total", "", f"{self.n_parameters:,}"))
        first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
        return "\n".join(f"{a:<{first}}  {b:>{second}}  {c:>{third}}" for a, b, c in rows)

    def __getitem__(self, index: int) -> Layer:
        return self._layers[index]

    def __repr__(self) -> str:
        lines = "".join(f"  ({i}): {layer!r}\n" for i, layer in enumerate(self._layers))
        return f"Sequential(\n{lines})"


def _check_layers(layers: tuple[Any, ...]) -> tuple[Layer, ...]:
    if len(layers) == 1 and isinstance(layers[0], (list, tuple)):
        layers = tuple(layers[0])
    layers = tuple(layered(layer) for layer in layers)
    if not layers:
        raise ArgumentError("layers: got none; want at least one")
    seen: set[int] = set()
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            hint = "; write it with parentheses" if isinstance(layer, type) else ""
            raise ArgumentTypeError(f"layer {i}: got {validation.shown(layer)}; want a layer{hint}")
        if not layer.n_inputs[0] <= 1 <= layer.n_inputs[1]:
            raise ArgumentError(f"layer {i}: {layer!r} does not have one input; use fm.Graph")
        if layer.object_id() in seen:
            raise ArgumentError(f"layer {i}: {layer!r} appears twice; make another one")
        seen.add(layer.object_id())
        if layer.belongs():
            raise ArgumentError(
                f"layer {i}: {layer!r} belongs to another network; use copy.deepcopy(layer)"
            )
    return layers


def _widths(layers: tuple[Layer, ...], in_features: int | None) -> list[int]:
    """Return the width of the input, and of the output of each layer."""
    own = layers[0].widths_alone()[0] if isinstance(layers[0], ParametricLayer) else None
    if in_features is None and own is None:
        raise ArgumentError(
            f"layer 0: {layers[0]!r} does not determine the width of the input; "
            "put a Linear first or give Sequential(..., in_features=)"
        )
    first = own if in_features is None else in_features
    widths = [validation.size(first, "in_features")]
    for i, layer in enumerate(layers):
        try:
            widths.append(layer.width_after(widths[-1]))
        except ArgumentError as error:
            before = "the input" if i == 0 else f"layer {i - 1}"
            raise ArgumentError(f"layer {i}, {layer!r}: {error} (the width of {before})") from None
    return widths
