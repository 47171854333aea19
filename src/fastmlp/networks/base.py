"""The base of all networks: layers that share one flat array of parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from typing import Any, Self

from fastmlp.base import validation
from fastmlp.base.compute import compute_type
from fastmlp.base.engine import Ends, Engine
from fastmlp.base.parameters import ParameterArray
from fastmlp.base.validation import Array
from fastmlp.layers import Layer
from fastmlp.networks.copying import CopyableNetwork
from fastmlp.networks.derivatives import Derivatives
from fastmlp.networks.description import (
    architecture_of,
    init_for,
    layer_from,
    uninitialised_layer,
)
from fastmlp.networks.structure import Structure


class Network(CopyableNetwork, Derivatives):
    """Base of ``Sequential`` and ``Graph``."""

    _engine: Engine
    _seed: int
    _compute: str | None

    def _setup(self, layers: tuple[Layer, ...], dtype: Any, seed: int | None, compute: Any) -> None:
        """Build the core network and attach the layers to it; constructors call this last."""
        self._layers = layers
        self._seed = validation.seed(seed)
        dtype = validation.float_dtype(dtype)
        self._compute = compute_type(compute, dtype)
        self._engine, places = self._plan(dtype)
        self._bind()
        for position, (layer, (first, count)) in enumerate(zip(layers, places, strict=True)):
            init = init_for(self._following(position)) if layer.n_parameters else "xavier"
            layer.attach(self, self._engine, first, self._seed, init, count)
            if not layer.trainable:
                layer.trainable = False  # the new network must know

    def _plan(self, dtype: Any) -> tuple[Engine, list[tuple[int, int]]]:
        """Return the engine, and for each layer its first node and its number of nodes."""
        raise NotImplementedError

    def _following(self, position: int) -> tuple[Layer, ...]:
        """Return the layers that follow one; the initialisation of its weights depends on them."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Return the architecture as a JSON-able dict, without the parameters.

        Raises
        ------
        ArgumentError
            If it holds a node written by the user.
        """
        return self._described(lambda layer: layer.describe())

    def architecture(self) -> dict[str, Any]:
        """Return the result of ``describe`` without ``trainable``, which training may change."""
        return self._described(architecture_of)

    def _described(self, describe: Callable[[Layer], Any]) -> dict[str, Any]:
        raise NotImplementedError

    def _types(self) -> dict[str, Any]:
        """Return the part of a description with the types of the numbers."""
        types = {"dtype": self.dtype.name, "compute": self._compute}
        return {name: value for name, value in types.items() if value is not None}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """Make a network, with initial weights from its seed, from a dict of ``describe``.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If the description is invalid.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(4, 2), seed=7)
        >>> fm.Sequential.from_description(net.describe()).seed
        7
        """
        return cls._from_description(description, layer_from)

    @classmethod
    def uninitialised(cls, description: Mapping[str, Any]) -> Self:
        """Make a network without initialising its parameters; the caller must set them."""
        return cls._from_description(description, uninitialised_layer)

    @classmethod
    def _from_description(
        cls, description: Mapping[str, Any], layer_of: Callable[[Any], Layer]
    ) -> Self:
        raise NotImplementedError

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in order."""
        return self._layers

    @property
    def params(self) -> Array:
        """All parameters in one flat array; ``net.params = values`` copies into it."""
        return self._engine.core.params

    @params.setter
    def params(self, values: Any) -> None:
        target = self.params
        self._engine.core.assign(
            validation.shaped(values, "params", target.shape, target.dtype), self.state
        )

    @property
    def grads(self) -> Array:
        """All gradients in one flat array, in the order of ``params``."""
        return self._engine.core.grads

    @property
    def state(self) -> Array:
        """Running means and variances of all ``BatchNorm`` layers in one flat array."""
        return self._engine.core.state

    @property
    def compute(self) -> str | None:
        """The type of the operands of matrix products: "bfloat16", or None for ``dtype``."""
        return self._compute

    @property
    def seed(self) -> int:
        """The seed, as given or as drawn."""
        return self._seed

    @property
    def n_parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(layer.n_parameters for layer in self._layers)

    @property
    def step_count(self) -> int:
        """Number of training passes so far; the next dropout masks depend on it."""
        return self._engine.core.step_count

    @step_count.setter
    def step_count(self, value: int) -> None:
        self._engine.core.step_count = validation.integer(value, "step_count", 0, 2**32 - 1)

    @property
    def takes_sparse(self) -> bool:
        """Whether inputs may be matrices of scipy.sparse: only ``Linear`` layers read them."""
        return self._engine.core.takes_sparse

    def outputs_named(self) -> Ends:
        """Return the names of the outputs, for the trainer."""
        return self._engine.outputs

    def rows(self, x: Any, members: int = 1) -> tuple[list[Array], tuple[int, ...]]:
        """Return the checked rows (N, width) of each input, and their leading dimensions.

        With several members, the rows have the columns of one member.
        """
        return self._engine.rows(x, members)

    def index_inputs(self) -> set[int]:
        """Return the positions of the inputs that an ``Embedding`` looks up in its table."""
        return set(self._engine.index_ends)

    def layer_names(self) -> list[str]:
        """Return the names of the layers, in their order; by default their positions."""
        return [str(position) for position in range(len(self._layers))]

    def parameter_arrays(self) -> list[ParameterArray]:
        """Return a description of each parameter array, layer after layer."""
        core = self._engine.core
        return [
            array
            for name, layer in zip(self.layer_names(), self._layers, strict=True)
            for array in layer.arrays_in(core, name)
        ]

    def parameter_slices(self) -> dict[str, slice]:
        """Return the slice of ``params`` of each parameter array, by name: ``"0.W"``, ..."""
        arrays = self.parameter_arrays()
        return {f"{one.layer}.{one.name}": slice(one.start, one.stop) for one in arrays}

    def forward(self, x: Any, training: bool = False, keep: bool = False) -> Any:
        """Compute the output and save what ``backward`` needs.

        Parameters
        ----------
        x : array_like or sparse matrix, shape (..., in_features)
            One row, or rows with any leading dimensions: (N, in_features), or (2, 5, in_features).
            Any real dtype and memory layout; there may be no rows. A matrix of scipy.sparse stays
            sparse; only ``Linear`` layers may read it, and ``backward`` then returns None.
        training : bool
            Whether ``Dropout`` drops elements and ``BatchNorm`` uses the moments of the batch.
        keep : bool
            Whether to keep every layer's ``output``, and its ``grad`` after ``backward``. This runs
            without fusion: the values are the same, but it takes more memory and time.

        Returns
        -------
        ndarray, shape (..., out_features)

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
        return self._engine.forward(x, training, keep)

    def kept(self, node: int) -> tuple[Array | None, Array | None]:
        """Return the value and the gradient of a core node, if the last passes kept them."""
        return self._engine.value(node), self._engine.delta(node)

    def backward(self, dy: Any, accumulate: bool = False) -> Any:
        """Backpropagate; fill ``grads`` and return the gradient with respect to ``x``.

        Parameters
        ----------
        dy : array_like, shape (..., out_features)
            Gradient of the loss with respect to the output of the last forward.
        accumulate : bool
            Add to ``grads`` instead of overwriting them.

        Returns
        -------
        ndarray, shape (..., in_features)

        Raises
        ------
        StateError
            Before a forward pass, or a second time after one; or if parameters have been changed
            since the forward pass, as the gradient would then be wrong. Writes into ``params`` or a
            layer's array are noticed from a stamp of the numbers, which is taken of all of them in
            networks of up to 32,768 parameters, or of up to a million for at least 32 rows;
            otherwise of a part, which is another one in each pass.
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

    def _predict_checked(self, x: Any, out: Any) -> Any:
        return self._engine.predict(x, out)

    def release(self) -> None:
        """Free the memory that calls keep for later ones; the next call allocates it again.

        Calls keep memory for the largest batch so far. Parameters, gradients and the state of
        optimizers stay. What a forward pass saved for ``backward`` is forgotten. Memory of
        predictions that run on other threads stays.

        Raises
        ------
        StateError
            If another thread computes with the network; predictions do not count.

        Examples
        --------
        >>> import fastmlp as fm
        >>> (net := fm.Sequential(fm.Linear(1, 1, init="zeros"))).release()
        >>> net.predict([[2.0]]).tolist()
        [[0.0]]
        """
        self._engine.release()

    def zero_grad(self) -> None:
        """Set ``grads`` to zero. ``backward`` overwrites them anyway, unless it accumulates."""
        self.grads[...] = 0

    def save(self, path: str | PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
        """Write architecture and parameters to one file; ``fm.load`` reads it.

        Parameters
        ----------
        path : str or path-like
        metadata : mapping of str to str, optional
            Text to store in the file beside the architecture.
        """
        # networks is below io, so this convenience imports it late.
        from fastmlp import io

        io.save(self, path, metadata=metadata)

    def structure(self) -> Structure:
        """Return which values the layers read."""
        raise NotImplementedError

    def summary(self) -> str:
        """Return a table of the layers."""
        raise NotImplementedError

    def draw(self, path: str | PathLike[str] | None = None, values: bool = True) -> str | None:
        """Draw the network to an SVG or PNG file; without ``path``, return the text of the SVG.

        With ``values``, the edges show the values that ``forward(x, keep=True)`` kept and the
        gradients that ``backward`` kept: see ``fastmlp.drawing``.

        Examples
        --------
        >>> import fastmlp as fm
        >>> fm.Sequential(fm.Linear(2, 4), fm.ReLU(), fm.Linear(4, 1)).draw()[:4]
        '<svg'
        """
        from fastmlp import drawing

        return drawing.draw(self, path, values)

    def _repr_html_(self) -> str:
        from fastmlp import drawing

        return drawing.html(self)

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._layers)
