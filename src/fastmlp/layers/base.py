"""The layer interface: constructor, forward, backward, and how a network takes a layer in."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.config import Configurable
from fastmlp.base.engine import Engine
from fastmlp.base.node import Node
from fastmlp.base.parameters import ParameterArray
from fastmlp.base.validation import Array
from fastmlp.layers.state import checked_state
from fastmlp.layers.symbol import Symbol


class Layer(Configurable):
    """Base of the layers.

    A layer used alone runs on a network of one node, which is built at the first use. A layer in a
    ``Sequential`` or ``Graph`` belongs to it: its parameters are views of the network's flat array.
    """

    # The initializer that suits the weights before this layer: "he", "xavier" or "lecun". None: the
    # layer after this one decides.
    init_before: str | None = "xavier"
    # The least and the largest number of inputs.
    n_inputs: ClassVar[tuple[int, int]] = (1, 1)
    n_parameters: int = 0

    if TYPE_CHECKING:
        # net[0].W: a type checker cannot know which layer that is.
        def __getattr__(self, name: str) -> Any: ...

    def __init__(self, dtype: Any = None, seed: int | None = None) -> None:
        self._dtype = None if dtype is None else validation.float_dtype(dtype)
        self._seed = None if seed is None else validation.seed(seed)
        self._engine: Engine | None = None
        self._network: weakref.ref[Any] | None = None
        self._last_node = 0
        self._trainable = True

    def forward(self, x: Any, training: bool = False) -> Array:
        """Compute the output of this layer alone and save what ``backward`` needs.

        Parameters
        ----------
        x : array_like, shape (..., in)
            One row, or rows with any leading dimensions.
        training : bool
            ``Dropout`` and ``BatchNorm`` compute something else in training.

        Returns
        -------
        ndarray, shape (..., out)
        """
        rows, engine = self._ready(x)
        y: Array = engine.forward(rows, training)
        return y

    def backward(self, dy: Any, accumulate: bool = False) -> Array:
        """Compute the gradient with respect to the input; fill the parameters' gradients.

        Parameters
        ----------
        dy : array_like, shape (..., out)
            Gradient of the loss with respect to this layer's output.
        accumulate : bool
            Add to the parameters' gradients instead of overwriting them.

        Returns
        -------
        ndarray, shape (..., in)

        Raises
        ------
        StateError
            Before a forward pass, or a second time after one.
        """
        dx: Array = self._planned().backward(dy, accumulate)
        return dx

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        """Return the core's node for this layer, which reads ``sources`` of these widths."""
        raise NotImplementedError

    def nodes(self, sources: tuple[int, ...], widths: tuple[int, ...], first: int) -> list[Node]:
        """Return all core nodes of this layer; the first of them gets the index ``first``."""
        return [self.node(sources, widths)]

    def width_after(self, *widths: int) -> int:
        """Return the output width for input widths; raise ArgumentError if they do not fit."""
        return widths[0]

    def shape_after(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of one row of the output for the shapes of one row of each input."""
        width = self.width_after(*(math.prod(shape) for shape in shapes))
        return shapes[0] if shapes and math.prod(shapes[0]) == width else (width,)

    @property
    def output(self) -> Array | None:
        """Output of this layer in its network's last ``forward(..., keep=True)``, (N, out)."""
        net = None if self._network is None else self._network()
        return None if net is None else net.kept(self._last_node)[0]

    @property
    def grad(self) -> Array | None:
        """Gradient of the loss with respect to ``output``, after ``backward``."""
        net = None if self._network is None else self._network()
        return None if net is None else net.kept(self._last_node)[1]

    def __call__(self, *sources: Any) -> Any:
        """Apply this layer to symbols of a graph: see ``Graph``.

        Returns
        -------
        Symbol
        """
        return Symbol.of(self, sources)

    def parameters(self) -> dict[str, Array]:
        """Return views of the trainable parameters, by name."""
        return {}

    def values(self) -> dict[str, Array]:
        """Return views of everything that a file keeps, by name."""
        return self.parameters()

    def state_dict(self) -> dict[str, Array]:
        """Return copies of the parameters and the running statistics, by name.

        Examples
        --------
        >>> import fastmlp as fm
        >>> fm.Linear(2, 1, init="zeros").state_dict()["W"].tolist()
        [[0.0], [0.0]]
        """
        return {name: view.copy() for name, view in self.values().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Copy arrays by name into the parameters and the running statistics.

        Parameters
        ----------
        state : mapping of str to array_like
            Such as ``state_dict`` returns.
        strict : bool, default True
            Whether it must have every name and no other. Otherwise only names that both have are
            copied.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If names or shapes do not fit; nothing changes then.
        """
        pairs = checked_state(self.values(), state, strict)
        cores = self._cores()
        if cores:
            cores[0].write(pairs)
        else:  # its network no longer exists
            for view, numbers in pairs:
                view[...] = numbers

    @property
    def trainable(self) -> bool:
        """Whether training changes the parameters of this layer; it can be set between steps.

        While this is False, optimizers do not change a bit of the layer's parameters. Training
        steps and ``backward`` compute no gradients for them, which are zero, and ``clip_norm``
        does not count them. Below the lowest layer that is trained, steps compute no gradients at
        all. A batch norm still updates its running mean and variance. During a ``fit``, a new value
        takes effect at the next epoch. The value is saved, copied and pickled with the layer. On a
        layer without parameters it has no effect.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(2, 2), fm.Tanh(), fm.Linear(2, 1), seed=0)
        >>> net[0].trainable = False
        >>> before = net[0].W.copy()
        >>> history = fm.fit(net, [[0.0, 1.0]], [1.0], loss=fm.MSELoss(), progress=False)
        >>> bool((net[0].W == before).all())
        True
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = validation.flag(value, "trainable")
        for core in self._cores() if self.belongs() else []:
            for one in self.arrays_in(core, ""):
                core.set_trained(one.start, one.stop, self._trainable)
        self._mark_engine()

    def _cores(self) -> list[_core.Net]:
        """Return the core's networks whose optimizers update this layer."""
        net = None if self._network is None else self._network()
        if net is not None:
            return [net.core_net()]
        return [] if self._engine is None else [self._engine.core]

    def _mark_engine(self) -> None:
        """Tell the core's network of this layer alone whether the layer is trained."""
        if self._engine is not None and self._engine.core.params.size > 0:
            core = self._engine.core
            core.set_trained(0, core.params.size, self._trainable)

    def arrays_in(self, core: _core.Net, layer: str) -> list[ParameterArray]:
        """Return a description of each parameter array of this layer, which ``core`` holds."""
        params, found = core.params, []
        for name, array in self.parameters().items():
            at = (array.ctypes.data - params.ctypes.data) // params.itemsize
            # A node written by the user has several arrays in one array of the core.
            role = core.roles.get(at, "free")
            found.append(ParameterArray(layer, name, role, at, at + array.size, self._trainable))
        return found

    def describe(self) -> dict[str, Any]:
        frozen = {} if self._trainable else {"trainable": False}
        return {**super().describe(), **frozen}

    def object_id(self) -> int:
        """Return the id of the object that may appear in a network only once."""
        return id(self)

    def belongs(self) -> bool:
        """Whether this layer belongs to a network that still exists."""
        return self._network is not None and self._network() is not None

    def attach(
        self, network: Any, engine: Engine, index: int, seed: int, init: str, n_nodes: int = 1
    ) -> None:
        """Become nodes of ``network``, from ``index`` on; ``init`` suits the layer that follows."""
        self._network = weakref.ref(network)
        self._last_node = index + n_nodes - 1
        self._engine = None

    def _ready(self, x: Any) -> tuple[Any, Engine]:
        raise NotImplementedError

    def _planned(self) -> Engine:
        raise NotImplementedError

    def __reduce__(self) -> Any:
        options = {"dtype": None if self._dtype is None else self._dtype.name, "seed": self._seed}
        frozen = {} if self._trainable else {"trainable": False}
        values = {**frozen, **self._values()}
        return _rebuild, (type(self), {**self.arguments(), **options}, values)

    def _values(self) -> dict[str, Array]:
        """Copies of the parameters, by attribute name; empty while there are none."""
        return {}


def _rebuild(cls: type[Layer], arguments: dict[str, Any], values: dict[str, Any]) -> Layer:
    layer = cls(**arguments)
    for name, value in values.items():
        setattr(layer, name, value)
    return layer


class WidthlessLayer(Layer):
    """A layer that takes any width; used alone, it takes the width of its input."""

    # A width that fits.
    _some_width = 1

    def _ready(self, x: Any) -> tuple[Any, Engine]:
        dtype = self._dtype or validation.natural_dtype(x)
        array = validation.vectors(x, "x", dtype)
        return array, self._engine_for(array.shape[-1], dtype)

    def _engine_for(self, width: int, dtype: np.dtype[Any]) -> Engine:
        old = self._engine
        if old is not None and old.n_in == width and old.dtype == dtype:
            return old
        if self._seed is None:
            self._seed = validation.seed(None)
        engine = Engine((width,), [self.node((-1,), (width,))], dtype, self._seed)
        if old is not None:
            engine.core.step_count = old.core.step_count
        self._engine = engine
        return engine

    def _planned(self) -> Engine:
        # Before any forward pass a network of any width raises the right error.
        return self._engine or self._engine_for(self._some_width, self._dtype or validation.FLOAT32)
