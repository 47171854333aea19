"""Networks: layers composed into one plan over one flat array of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

from fastmlp import _core, validation
from fastmlp.errors import ArgumentError, ArgumentTypeError
from fastmlp.layers import LAYERS, Layer
from fastmlp.layers.engine import Engine
from fastmlp.validation import Array


class Sequential(_core.Predictor):
    """A chain of layers: each reads the output of the one before.

    Parameters
    ----------
    *layers : Layer
        At least one, or one list of them. Layers that already have weights keep them (cast to
        ``dtype``); the others are initialised from ``seed``.
    dtype : {"float32", "float64"}, default "float32"
        Of parameters, inputs and outputs; other input is converted.
    seed : int, optional
        Determines first weights, dropout masks and (by default) the shuffling of ``fit``. Drawn
        from the system's entropy if None, and kept in ``net.seed``.
    in_features : int, optional
        Width of the input; needed only where the first layer has none of its own.

    Attributes
    ----------
    params, grads : ndarray, shape (n_parameters,)
        All parameters and their gradients: ``W`` row-major, then ``b``, layer by layer. The
        layers' ``W``, ``b``, ``dW``, ``db`` are views of them; writing takes effect at the next
        call.

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
    ) -> None:
        self._layers = _check_layers(layers)
        self._seed = validation.seed(seed)
        widths = _widths(self._layers, in_features)
        self._engine = Engine(
            widths[0],
            [layer.node(i - 1, widths[i]) for i, layer in enumerate(self._layers)],
            validation.float_dtype(dtype),
            self._seed,
        )
        self._bind_core(self._engine.core)
        for i, layer in enumerate(self._layers):
            layer.join(self, self._engine, i, self._seed, _init_for(self._layers[i + 1 :]))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in order."""
        return self._layers

    @property
    def params(self) -> Array:
        """All parameters, one flat array; ``net.params = values`` copies into it."""
        return self._engine.core.params

    @params.setter
    def params(self, values: Any) -> None:
        target = self.params
        array = validation.real_array(values, "params", target.dtype)
        if array.shape != target.shape:
            raise ArgumentError(f"params: got shape {array.shape}; want {target.shape}")
        target[...] = array

    @property
    def grads(self) -> Array:
        """All gradients, one flat array in the order of ``params``."""
        return self._engine.core.grads

    @property
    def dtype(self) -> Any:
        """float32 or float64, as a NumPy dtype."""
        return self._engine.dtype

    @property
    def seed(self) -> int:
        """The seed, given or drawn."""
        return self._seed

    @property
    def in_features(self) -> int:
        """Width of the input."""
        return self._engine.n_in

    @property
    def out_features(self) -> int:
        """Width of the output."""
        return self._engine.n_out

    @property
    def n_parameters(self) -> int:
        """How many numbers training adjusts."""
        return sum(layer.n_parameters for layer in self._layers)

    @property
    def step_count(self) -> int:
        """Training passes made so far: the dropout masks of the next one depend on it."""
        return self._engine.core.step_count

    @step_count.setter
    def step_count(self, value: int) -> None:
        self._engine.core.step_count = validation.integer(value, "step_count", 0, 2**32 - 1)

    def core_net(self) -> _core.Net:
        """Return the compiled core's network, for the optimizers and the trainer."""
        return self._engine.core

    def forward(self, x: Any, training: bool = False) -> Array:
        """Compute the output and save what ``backward`` needs.

        Parameters
        ----------
        x : array_like, shape (N, in_features) or (in_features,)
            Any real dtype and memory layout; ``N`` may be 0.
        training : bool
            Whether dropout is active.

        Returns
        -------
        ndarray, shape (N, out_features) or (out_features,)

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If ``x`` does not fit.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(2, 1, init="zeros"), fm.Sigmoid())
        >>> net.forward([[1.0, 2.0]]).tolist()
        [[0.5]]
        """
        return self._engine.forward(x, training)

    def backward(self, dy: Any, accumulate: bool = False) -> Array:
        """Backpropagate; fill ``grads`` and return the gradient with respect to ``x``.

        Parameters
        ----------
        dy : array_like, shape (N, out_features) or (out_features,)
            Gradient of the loss with respect to the output of the last forward.
        accumulate : bool
            Add to ``grads`` instead of overwriting them.

        Returns
        -------
        ndarray, shape (N, in_features) or (in_features,)

        Raises
        ------
        StateError
            Before a forward pass, or a second time after one.
        ArgumentError, ArgumentTypeError
            If ``dy`` does not fit.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(2, 1, init=fm.initializers.Constant(3.0)))
        >>> y = net.forward([[1.0, 2.0]])
        >>> net.backward([[1.0]]).tolist()
        [[3.0, 3.0]]
        """
        return self._engine.backward(dy, accumulate)

    def _predict_checked(self, x: Any, out: Any) -> Array:
        return self._engine.predict(x, out)

    def zero_grad(self) -> None:
        """Set ``grads`` to zero (``backward`` overwrites them unless it accumulates)."""
        self.grads[...] = 0

    def save(self, path: str | PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
        """Write architecture and parameters to one file; ``fm.load`` reads it.

        Parameters
        ----------
        path : str or path-like
        metadata : mapping of str to str, optional
            Kept in the file beside the architecture.
        """
        # The one step upwards from this floor: a convenience, and io is imported only if used.
        from fastmlp import io

        io.save(self, path, metadata=metadata)

    def describe(self) -> dict[str, Any]:
        """Return the architecture as a JSON-able dict, without the parameters.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(4, 2), seed=7)
        >>> fm.Sequential.from_description(net.describe()).seed
        7
        """
        return {
            "type": "Sequential",
            "dtype": self.dtype.name,
            "seed": self._seed,
            "in_features": self.in_features,
            "layers": [layer.describe() for layer in self._layers],
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Sequential:
        """Make a network, with first weights from its seed, from what ``describe`` returned.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If the description is not one of ours.
        """
        if not isinstance(description, Mapping) or description.get("type") != "Sequential":
            raise ArgumentError("description: want the dict that Sequential.describe() returns")
        fields = {"type", "dtype", "seed", "in_features", "layers"}
        if set(description) != fields or not isinstance(description["layers"], list):
            raise ArgumentError(
                f"description: got fields {sorted(description)}; want {sorted(fields)}"
            )
        options = {name: description[name] for name in ("dtype", "seed", "in_features")}
        return cls([_layer_from(layer) for layer in description["layers"]], **options)

    def copy(self, dtype: Any = None) -> Sequential:
        """Return an independent network with the same parameters, in another dtype if given.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(4, 2))
        >>> net.copy(dtype="float64").params.dtype.name
        'float64'
        """
        description = self.describe()
        if dtype is not None:
            description["dtype"] = validation.float_dtype(dtype).name
        return _restore(description, self.params, self.grads, self.step_count)

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
        widths = _widths(self._layers, self.in_features)[1:]
        rows = [("layer", "output", "parameters")]
        for layer, width in zip(self._layers, widths, strict=True):
            rows.append((repr(layer), str(width), f"{layer.n_parameters:,}"))
        rows.append(("total", "", f"{self.n_parameters:,}"))
        first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
        return "\n".join(f"{a:<{first}}  {b:>{second}}  {c:>{third}}" for a, b, c in rows)

    def __getitem__(self, index: int) -> Layer:
        return self._layers[index]

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._layers)

    def __repr__(self) -> str:
        lines = "".join(f"  ({i}): {layer!r}\n" for i, layer in enumerate(self._layers))
        return f"Sequential(\n{lines})"

    def __copy__(self) -> Sequential:
        return self.copy()

    def __reduce__(self) -> Any:
        return _restore, (self.describe(), self.params.copy(), self.grads.copy(), self.step_count)


def _restore(
    description: Mapping[str, Any], params: Array, grads: Array, step_count: int
) -> Sequential:
    net = Sequential.from_description(description)
    net.params[...] = params
    net.grads[...] = grads
    net.step_count = step_count
    return net


def _check_layers(layers: tuple[Any, ...]) -> tuple[Layer, ...]:
    if len(layers) == 1 and isinstance(layers[0], (list, tuple)):
        layers = tuple(layers[0])
    if not layers:
        raise ArgumentError("layers: got none; want at least one")
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            hint = "; write it with parentheses" if isinstance(layer, type) else ""
            raise ArgumentTypeError(f"layer {i}: got {layer!r}; want a layer{hint}")
        if any(layer is other for other in layers[:i]):
            raise ArgumentError(f"layer {i}: {layer!r} appears twice; make another one")
        if layer.belongs():
            raise ArgumentError(
                f"layer {i}: {layer!r} belongs to another network; use copy.deepcopy(layer)"
            )
    return layers


def _widths(layers: tuple[Layer, ...], in_features: int | None) -> list[int]:
    """Widths before the first layer and after each."""
    own: int | None = getattr(layers[0], "in_features", None)
    if in_features is None and own is None:
        raise ArgumentError(
            f"layer 0: {layers[0]!r} has no input width of its own; "
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


def _init_for(following: tuple[Layer, ...]) -> str:
    """The registry's word for what suits weights that these layers follow."""
    words = (layer.init_before for layer in following)
    return next((word for word in words if word is not None), "xavier")


def _layer_from(description: Any) -> Layer:
    arguments = dict(description) if isinstance(description, Mapping) else {}
    name = arguments.pop("type", None)
    if name not in LAYERS:
        raise ArgumentError(f"layer: got type {name!r}; want one of {', '.join(LAYERS)}")
    try:
        return LAYERS[name](**arguments)
    except TypeError as error:
        raise ArgumentError(f"layer: got {arguments} for {name}: {error}") from error
