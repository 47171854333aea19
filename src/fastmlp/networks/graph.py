"""Graph: any network of layers without cycles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from fastmlp.base import validation
from fastmlp.base.engine import Engine
from fastmlp.base.errors import ArgumentError
from fastmlp.base.node import Node
from fastmlp.layers import Layer
from fastmlp.layers.products import MatMul, Parameter
from fastmlp.layers.symbol import Symbol
from fastmlp.networks.base import Network
from fastmlp.networks.compose import check_layers, from_list, in_order, named, names_of
from fastmlp.networks.structure import Structure


class Graph(Network):
    """A network of layers that may read several values, with named inputs and outputs.

    Parameters
    ----------
    inputs : Symbol, list of Symbol, or dict of str to Symbol or int
        The inputs; a dict gives their names. With ``nodes``, a dict of widths by name.
    outputs : Symbol, list of Symbol, dict of str to Symbol; or names of nodes
        The outputs.
    nodes : list of (name, layer, source or list of sources), optional
        Another way to describe the network: each layer with the names of its inputs, in any order.
    dtype : {"float32", "float64"}, default "float32"
    seed : int, optional
    compute : {None, "bfloat16"}, optional
        As for ``Sequential``.

    Notes
    -----
    One input or output is an array; several are a dict by name, or, for inputs, a list in order.
    Several layers may read one value: its gradient is the sum of their gradients.

    Raises
    ------
    ArgumentError
        At construction, for a cycle, an unknown name, a value that no output depends on, an input
        that no layer reads, widths that do not fit, and a layer used twice or in two networks.
    ArgumentTypeError
        If something is neither a symbol nor a layer.

    Examples
    --------
    >>> import fastmlp as fm
    >>> x = fm.Input(8)
    >>> h = fm.Tanh()(fm.Linear(8, 8)(x))
    >>> net = fm.Graph(x, fm.Linear(8, 3)(h + x), seed=0)
    >>> net.predict([[0.0] * 8]).shape
    (1, 3)

    The same, as a list:

    >>> net = fm.Graph({"x": 8}, "y", nodes=[
    ...     ("a", fm.Linear(8, 8), "x"), ("h", fm.Tanh(), "a"),
    ...     ("s", fm.Add(), ["h", "x"]), ("y", fm.Linear(8, 3), "s")])
    >>> sorted(net.nodes)
    ['a', 'h', 's', 'y']
    """

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        nodes: Iterable[Any] | None = None,
        *,
        dtype: Any = "float32",
        seed: int | None = None,
        compute: str | None = None,
    ) -> None:
        if nodes is not None:
            entries = validation.items(nodes, "nodes", "(name, layer, sources) each")
            inputs, outputs = from_list(inputs, outputs, entries)
        named_inputs, named_outputs = named(inputs, "x", "inputs"), named(outputs, "y", "outputs")
        order = in_order(named_inputs, named_outputs)
        self._inputs, self._outputs = named_inputs, named_outputs
        self._names = names_of(order, named_inputs, named_outputs)
        self._order = order
        self._first_reader: dict[int, Symbol] = {}
        for symbol in order:
            for source in symbol.sources:
                self._first_reader.setdefault(id(source), symbol)
        self._setup(check_layers([symbol.layer for symbol in order]), dtype, seed, compute)

    def _plan(self, dtype: Any) -> tuple[Engine, list[tuple[int, int]]]:
        index = {id(symbol): -1 - k for k, symbol in enumerate(self._inputs.values())}
        core_nodes: list[Node] = []
        places: dict[int, tuple[int, int]] = {}
        weights = self._weights_of_products()
        for symbol in self._order:
            if id(symbol) in weights.values():
                continue  # a weight of its product
            sources = tuple(index.get(id(source), 0) for source in symbol.sources)
            widths = tuple(source.width for source in symbol.sources)
            first = len(core_nodes)
            if id(symbol) in weights:
                width, out = widths[0], symbol.width
                core_nodes.append(Node("linear", sources[:1], width, out))
                places[weights[id(symbol)]] = (first, 1)
            else:
                core_nodes += symbol.layer.nodes(sources, widths, first)
            index[id(symbol)] = len(core_nodes) - 1
            places[id(symbol)] = (first, len(core_nodes) - first)
        engine = Engine(
            [symbol.width for symbol in self._inputs.values()],
            core_nodes,
            dtype,
            self._seed,
            [index[id(symbol)] for symbol in self._outputs.values()],
            list(self._inputs),
            list(self._outputs),
            self._compute,
        )
        self._places = [places[id(symbol)] for symbol in self._order]
        return engine, self._places

    def _weights_of_products(self) -> dict[int, int]:
        """Return the products that run as ``Linear``, each with the parameter it multiplies by."""
        found = {}
        for symbol in self._order:
            if not isinstance(symbol.layer, MatMul):
                continue
            a, b = symbol.sources
            if not isinstance(b.layer, Parameter) or (len(a.shape), len(b.shape)) != (1, 2):
                continue
            read = [s for other in self._order for s in other.sources if s is b]
            if len(read) == 1 and all(b is not s for s in self._outputs.values()):
                found[id(symbol)] = id(b)
        return found

    def _following(self, position: int) -> tuple[Layer, ...]:
        """Return the layers that follow one: its first reader, the first reader of that, ..."""
        found: list[Layer] = []
        symbol = self._first_reader.get(id(self._order[position]))
        while symbol is not None:
            found.append(symbol.layer)
            if symbol.layer.init_before is not None:
                break
            symbol = self._first_reader.get(id(symbol))
        return tuple(found)

    @property
    def nodes(self) -> Mapping[str, Layer]:
        """The layers by name, in the order in which they run."""
        return {self._names[id(symbol)]: symbol.layer for symbol in self._order}

    def layer_names(self) -> list[str]:
        return list(self.nodes)

    def sources_of(self, name: str) -> tuple[str, ...]:
        """Return the names of a node's inputs."""
        for symbol in self._order:
            if self._names[id(symbol)] == name:
                return tuple(self._names[id(source)] for source in symbol.sources)
        raise ArgumentError(
            f"name: got {validation.shown(name)}; want one of {', '.join(self.nodes)}"
        )

    def _described(self, describe: Callable[[Layer], Any]) -> dict[str, Any]:
        return {
            "type": "Graph",
            **self._types(),
            "seed": self._seed,
            "inputs": {name: _plain(symbol.shape) for name, symbol in self._inputs.items()},
            "outputs": {name: self._names[id(symbol)] for name, symbol in self._outputs.items()},
            "nodes": [
                [name, describe(layer), list(self.sources_of(name))]
                for name, layer in self.nodes.items()
            ],
        }

    @classmethod
    def _from_description(
        cls, description: Mapping[str, Any], layer_of: Callable[[Any], Layer]
    ) -> Self:
        if not isinstance(description, Mapping) or description.get("type") != "Graph":
            raise ArgumentError("description: want the dict that Graph.describe() returns")
        fields = {"type", "dtype", "seed", "inputs", "outputs", "nodes"}
        if set(description) - {"compute"} != fields or not isinstance(description["nodes"], list):
            got = sorted(map(str, description))
            raise ArgumentError(f"description: got fields {got}; want {sorted(fields)}")
        nodes = []
        for entry in description["nodes"]:
            if not isinstance(entry, (list, tuple)) or len(entry) != 3:
                raise ArgumentError(
                    f"description: got node {validation.shown(entry)}; want name, layer, sources"
                )
            nodes.append((entry[0], layer_of(entry[1]), entry[2]))
        options = {name: description[name] for name in ("dtype", "seed")}
        options["compute"] = description.get("compute")
        return cls(description["inputs"], description["outputs"], nodes, **options)

    def structure(self) -> Structure:
        return Structure(self._inputs, self._order, self._outputs, self._names)

    def summary(self) -> str:
        """Return a table of the nodes: inputs, output width, parameters, and what was fused.

        Examples
        --------
        >>> import fastmlp as fm
        >>> x = fm.Input(4)
        >>> print(fm.Graph(x, fm.ReLU()(fm.Linear(4, 4)(x) + x)).summary())
        node    layer                                  reads      output  parameters  fused into
        x       Input                                          4
        linear  Linear(in_features=4, out_features=4)  x               4          20
        add     Add()                                  linear, x       4           0  linear
        y       ReLU()                                 add             4           0  linear
        total                                                                     20
        """
        rows = [("node", "layer", "reads", "output", "parameters", "fused into")]
        for name, symbol in self._inputs.items():
            rows.append((name, "Input", "", _text(symbol.shape), "", ""))
        for (name, fused), symbol in zip(self._fused().items(), self._order, strict=True):
            reads = ", ".join(self.sources_of(name))
            count = f"{symbol.layer.n_parameters:,}"
            rows.append((name, repr(symbol.layer), reads, _text(symbol.shape), count, fused))
        rows.append(("total", "", "", "", f"{self.n_parameters:,}", ""))
        sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(size) if k in (3, 4) else cell.ljust(size)
                for k, (cell, size) in enumerate(zip(row, sizes, strict=True))
            ).rstrip()
            for row in rows
        )

    def _fused(self) -> dict[str, str]:
        """Return, for each node, the node that it is fused into; "" if it is not fused."""
        passes = self._engine.core.passes()
        first: dict[int, str] = {}
        found: dict[str, str] = {}
        for name, (place, count) in zip(self.nodes, self._places, strict=True):
            owner = first.setdefault(passes[place + count - 1], name)
            found[name] = "" if owner == name else owner
        return found

    def __getitem__(self, name: str) -> Layer:
        if not isinstance(name, str) or name not in self.nodes:
            raise ArgumentError(
                f"node: got {validation.shown(name)}; want one of {', '.join(self.nodes)}"
            )
        return self.nodes[name]

    def __repr__(self) -> str:
        lines = "".join(
            f"  {name} = {layer!r}({', '.join(self.sources_of(name))})\n"
            for name, layer in self.nodes.items()
        )
        return f"Graph({', '.join(self._inputs)} -> {', '.join(self._outputs)}\n{lines})"


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _plain(shape: tuple[int, ...]) -> Any:
    return shape[0] if len(shape) == 1 else list(shape)
