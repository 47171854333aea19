"""Frozen predictors: networks that only predict, with weights packed once."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from fastmlp.base import quantization, validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, StateError
from fastmlp.base.quantization import Quantized
from fastmlp.base.validation import Array
from fastmlp.layers import Custom
from fastmlp.networks.base import Network
from fastmlp.networks.comparison import compare
from fastmlp.networks.predictor import EnginePredictor


class FrozenPredictor(EnginePredictor):
    """A network as it was when ``fm.freeze`` made this; it predicts and never changes.

    ``predict`` takes and returns the same as that of the network. Any number of threads may call it
    at the same time; they share the packed weights.

    Attributes
    ----------
    weights : str
        The type of the packed weights, which is that of matrix products.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.freeze(fm.Sequential(fm.Linear(2, 1)))
    <FrozenPredictor of a Sequential, weights float32>
    """

    _weights: str
    _net: tuple[type[Network], dict[str, Any]]

    def __init__(self) -> None:
        raise ArgumentTypeError("FrozenPredictor: made by fm.freeze(net) and fm.load(path)")

    @classmethod
    def of(cls, net: Network, weights: str, by_node: Mapping[int, Quantized]) -> FrozenPredictor:
        """Freeze a network whose products of some nodes are in 8 bits; arguments are valid."""
        frozen = cls.__new__(cls)
        frozen._weights = weights
        frozen._net = type(net), net.architecture()
        compute = "bfloat16" if weights == "bfloat16" else None
        frozen._engine = net.own_engine().frozen(compute, by_node)
        frozen._bind()
        return frozen

    @property
    def weights(self) -> str:
        """The type of the packed weights: "float32", "float64", "bfloat16" or "int8"."""
        return self._weights

    def describe(self) -> dict[str, Any]:
        """Return the architecture as a JSON-able dict, like ``net.describe()``."""
        return self._net[1]

    def release(self) -> None:
        """Free the memory that predictions keep for later ones, but not the packed weights."""
        self._engine.release()

    def _predict_checked(self, x: Any, out: Any) -> Any:
        return self._engine.predict(x, out)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_engine" in self.__dict__:
            raise StateError(f"{name}: a frozen predictor cannot change; freeze the network again")
        super().__setattr__(name, value)

    def __copy__(self) -> FrozenPredictor:
        return self

    def __deepcopy__(self, memo: Mapping[int, Any]) -> FrozenPredictor:
        return self

    def __reduce__(self) -> Any:
        core = self._engine.core
        numbers = core.params.copy(), core.state.copy()
        return _refrozen, (*self._net, *numbers, self._weights, self.quantized())

    def quantized(self) -> dict[int, Quantized]:
        """Return the matrix products in 8 bits, by the index of the core's node."""
        return self._engine.quantized()

    def thawed(self) -> Network:
        """Return a network with these parameters; weights of 8 bits are their nearest floats."""
        kind, description = self._net
        net = kind.uninitialised(description)
        core, own = net.own_engine().core, self._engine.core
        quantization.restore(core, own.params, self.quantized())
        core.state[...] = own.state
        return net

    def save(self, path: str | PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
        """Write architecture and weights to one file; ``fm.FrozenPredictor.load`` reads it.

        A file of "int8" holds the weights in 8 bits, with their scales.

        Parameters
        ----------
        path : str or path-like
        metadata : mapping of str to str, optional
            Text to store in the file beside the architecture.
        """
        from fastmlp.io.frozen import save_frozen

        save_frozen(self, path, metadata=metadata)

    @staticmethod
    def load(path: str | PathLike[str]) -> FrozenPredictor:
        """Read a predictor that ``save`` wrote; it is packed for this processor.

        Parameters
        ----------
        path : str or path-like

        Examples
        --------
        >>> import tempfile, fastmlp as fm
        >>> frozen = fm.freeze(fm.Sequential(fm.Linear(2, 1, init="zeros")))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     frozen.save(f"{folder}/m.safetensors")
        ...     fm.FrozenPredictor.load(f"{folder}/m.safetensors").predict([1.0, 2.0]).tolist()
        [0.0]
        """
        from fastmlp.io.frozen import load_frozen

        return load_frozen(path)

    def compare(self, net: Any, x: Any, y: Any = None) -> Any:
        """Compare predictions with those of a network (or of another frozen predictor).

        Parameters
        ----------
        net : Sequential, Graph or FrozenPredictor
            Usually the network that was frozen.
        x : array_like, shape (N, in_features)
            Rows, as for ``predict``.
        y : array_like, optional
            Targets, to state what freezing costs: class labels for outputs of several columns, or
            numbers. Of several outputs: a dict by name.

        Returns
        -------
        Comparison
            Of several outputs: a dict by name.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(2, 3, init="zeros"))
        >>> found = fm.freeze(net).compare(net, [[1.0, 2.0]], [0])
        >>> found.max_difference, found.agreement, found.loss
        (0.0, 1.0, 0.0)
        """
        return compare(self._engine.outputs, net.predict(x), self.predict(x), y)

    def __repr__(self) -> str:
        return f"<FrozenPredictor of a {self._net[0].__name__}, weights {self._weights}>"


def freeze(net: Network, weights: str | None = None, rows: Any = None) -> FrozenPredictor:
    """Return a predictor with the network's present parameters, packed for fast predictions.

    The weights are packed once, which pays most for few rows. Later changes of the network do not
    reach the predictor.

    Parameters
    ----------
    net : Sequential or Graph
        Without nodes written by the user, whose objects could change.
    weights : {None, "float32", "float64", "bfloat16", "int8"}, optional
        The type of the packed weights, and of both operands of matrix products. By default that of
        the network: its ``compute``, otherwise its ``dtype``; then predictions have the bits of
        ``net.predict``. "bfloat16" gives the bits of a network with ``compute="bfloat16"``. With
        "int8", weights have a scale for each column, and inputs of ``Linear`` one for each layer;
        all else is float32, also a ``Linear`` with groups or a fold. A float64 network can only be
        frozen as float64.
    rows : array_like, shape (N, in_features), optional
        For "int8": typical rows of inputs, some hundred or more. The smallest and the largest input
        of each layer determine its scale; numbers beyond them are clipped later.

    Returns
    -------
    FrozenPredictor

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If the network cannot be frozen so.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(2, 1, init="zeros"), fm.Sigmoid())
    >>> frozen = fm.freeze(net)
    >>> net.params = [1.0, 1.0, 1.0]
    >>> frozen.predict([1.0, 2.0]).tolist()
    [0.5]
    """
    if not isinstance(net, Network):
        raise ArgumentTypeError(f"net: got {validation.shown(net)}; want a Sequential or a Graph")
    if any(isinstance(layer, Custom) for layer in net.layers):
        raise ArgumentError("net: got a network with a node written by the user; want none")
    checked = _weights_of(net, weights)
    if checked != "int8":
        return FrozenPredictor.of(net, checked, {})
    if rows is None:
        raise ArgumentError("rows: got None; want typical rows of inputs, for the scales of 'int8'")
    return FrozenPredictor.of(net, checked, net.own_engine().quantize(rows))


def _weights_of(net: Network, weights: Any) -> str:
    own = net.compute or net.dtype.name
    choices = ("float32", "bfloat16", "int8") if net.dtype.name == "float32" else ("float64",)
    wanted = f"None, {', '.join(map(repr, choices))} for a {net.dtype.name} network"
    if weights is None:
        return own
    if not isinstance(weights, str):
        raise ArgumentTypeError(f"weights: got {validation.shown(weights)}; want {wanted}")
    if weights not in choices:
        raise ArgumentError(f"weights: got {validation.shown(weights)}; want {wanted}")
    return str(weights)


def _refrozen(
    kind: type[Network],
    description: dict[str, Any],
    params: Array,
    state: Array,
    weights: str,
    by_node: Mapping[int, Quantized],
) -> FrozenPredictor:
    """Freeze again from what ``__reduce__`` gave; ``params`` are those of the frozen core."""
    net = kind.uninitialised(description)
    engine = net.own_engine()
    quantization.restore(engine.core, params, by_node)
    engine.core.state[...] = state
    return FrozenPredictor.of(net, weights, by_node)
