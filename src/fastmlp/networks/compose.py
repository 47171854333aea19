"""Turn symbols, or a list of named nodes, into layers in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.layers import Layer
from fastmlp.layers.custom import layered
from fastmlp.layers.inputs import Input
from fastmlp.layers.symbol import Symbol


def named(symbols: Any, stem: str, argument: str) -> dict[str, Symbol]:
    """Return symbols by name: the given name, the symbol's own, or ``stem`` and a number."""
    if isinstance(symbols, Mapping):
        pairs = list(symbols.items())
    else:
        found = list(symbols) if isinstance(symbols, (list, tuple)) else [symbols]
        numbered = [stem] if len(found) == 1 else [f"{stem}{k}" for k in range(len(found))]
        pairs = [
            (getattr(symbol, "name", None) or number, symbol)
            for symbol, number in zip(found, numbered, strict=True)
        ]
    if not pairs:
        raise ArgumentError(f"{argument}: got none; want at least one")
    for name, symbol in pairs:
        if not isinstance(symbol, Symbol):
            raise ArgumentTypeError(
                f"{argument}: got {validation.shown(symbol)} for {name!r}; want a symbol"
            )
        if (symbol.layer is None) != (argument == "inputs"):
            wanted = "an Input" if argument == "inputs" else "the output of a layer"
            raise ArgumentError(f"{argument}: got {validation.shown(symbol)}; want {wanted}")
    names = [validation.name(name, argument) for name, _ in pairs]
    if len(set(names)) < len(names) or len({id(symbol) for _, symbol in pairs}) < len(pairs):
        raise ArgumentError(f"{argument}: got {', '.join(names)}; want different ones")
    return dict(pairs)


def in_order(inputs: Mapping[str, Symbol], outputs: Mapping[str, Symbol]) -> list[Symbol]:
    """Return all symbols that layers compute, each one after its sources."""
    order: list[Symbol] = []
    seen: set[int] = set()
    stack = [(symbol, False) for symbol in reversed(list(outputs.values()))]
    while stack:
        symbol, is_ready = stack.pop()
        if is_ready:
            order.append(symbol)
            continue
        if id(symbol) in seen:
            continue
        seen.add(id(symbol))
        if symbol.layer is None:
            continue
        stack.append((symbol, True))
        stack += [(source, False) for source in reversed(symbol.sources)]
    known = {id(symbol) for symbol in inputs.values()}
    for symbol in order:
        for source in symbol.sources:
            if source.layer is None and id(source) not in known:
                raise ArgumentError(f"inputs: {symbol!r} reads {source!r}, which is not among them")
    for name, symbol in inputs.items():
        if id(symbol) not in seen:
            raise ArgumentError(f"inputs: no output depends on {name!r}")
    return order


def names_of(
    order: list[Symbol], inputs: Mapping[str, Symbol], outputs: Mapping[str, Symbol]
) -> dict[int, str]:
    """Return a name for every symbol: its own, its output's, or its layer's type and a number."""
    names = {id(symbol): name for name, symbol in inputs.items()}
    ends = {id(symbol): name for name, symbol in outputs.items()}
    taken = set(inputs)
    for symbol in order:
        if symbol.name in taken:
            raise ArgumentError(
                f"name: {symbol.name!r} is used twice in this graph; want different ones"
            )
        taken |= {symbol.name} - {None}
    for symbol in order:
        given = symbol.name
        if given is not None:
            names[id(symbol)] = given
            continue
        stem = ends.get(id(symbol)) or type(symbol.layer).__name__.lower()
        name, number = stem, 0
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        names[id(symbol)] = name
    return names


def check_layers(layers: list[Any]) -> tuple[Layer, ...]:
    seen: set[int] = set()
    for layer in layers:
        if layer.object_id() in seen:
            raise ArgumentError(f"nodes: {layer!r} appears twice; make another one")
        seen.add(layer.object_id())
        if layer.belongs():
            raise ArgumentError(
                f"nodes: {layer!r} belongs to another network; use copy.deepcopy(layer)"
            )
    return tuple(layers)


# ---- the list form ----


def from_list(
    inputs: Any, outputs: Any, nodes: list[Any]
) -> tuple[dict[str, Symbol], dict[str, Symbol]]:
    """Return input and output symbols for nodes that refer to each other by name."""
    if not isinstance(inputs, Mapping):
        raise ArgumentTypeError(
            f"inputs: got {validation.shown(inputs)}; want a dict of widths by name"
        )
    made = {name: Input(width, name) for name, width in inputs.items()}
    waiting = _entries(nodes, made)
    firsts = dict(made)
    readers: dict[str, list[str]] = {}
    missing = {name: len(sources) for name, (_, sources) in waiting.items()}
    for name, (_, sources) in waiting.items():
        for source in sources:
            readers.setdefault(source, []).append(name)
    ready = [*made, *(name for name, count in missing.items() if count == 0)]
    for name in ready:  # the loop appends to it
        if name not in made:
            layer, sources = waiting.pop(name)
            made[name] = Symbol.of(layer, tuple(made[s] for s in sources), name)
        for reader in readers.get(name, ()):
            missing[reader] -= 1
            if missing[reader] == 0:
                ready.append(reader)
    if waiting:
        raise ArgumentError(f"nodes: {_cycle(waiting, made)} is a cycle; want none")
    if not isinstance(outputs, Mapping):
        outputs = {name: name for name in _texts(outputs, "outputs")}
    ends = {}
    for name, node in outputs.items():
        if not isinstance(node, str) or node not in made:
            raise ArgumentError(
                f"outputs: got {validation.shown(node)}; want names of nodes: {', '.join(made)}"
            )
        ends[name] = made[node]
    _refuse_loose_ends(made, ends)
    return firsts, ends


def _texts(value: Any, argument: str) -> list[str]:
    """Return one name or several names as a list."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, (list, tuple)) or not all(isinstance(name, str) for name in found):
        raise ArgumentTypeError(
            f"{argument}: got {validation.shown(value)}; want a name or a list of names"
        )
    return list(found)


def _entries(nodes: list[Any], inputs: Mapping[str, Symbol]) -> dict[str, tuple[Layer, list[str]]]:
    """Return (layer, names of its inputs) by name; every name is known."""
    found: dict[str, tuple[Layer, list[str]]] = {}
    for entry in nodes:
        if not isinstance(entry, (list, tuple)) or len(entry) != 3:
            raise ArgumentTypeError(
                f"nodes: got {validation.shown(entry)}; want (name, layer, sources)"
            )
        name, layer, sources = entry
        validation.name(name, "nodes")
        # fm.Parameter returns a symbol without sources; take its layer.
        made_alone = isinstance(layer, Symbol) and not layer.sources
        layer = layer.layer if made_alone else layered(layer)
        if name in found or name in inputs:
            raise ArgumentError(f"nodes: the name {name!r} is used twice; want different ones")
        if not isinstance(layer, Layer):
            raise ArgumentTypeError(
                f"nodes: got {validation.shown(layer)} for {name!r}; want a layer"
            )
        found[name] = (layer, _texts(sources, f"nodes: sources of {name!r}"))
    for name, (_, needed) in found.items():
        for source in needed:
            if source not in found and source not in inputs:
                known = ", ".join([*inputs, *found])
                raise ArgumentError(f"nodes: {name!r} reads {source!r}; want one of {known}")
    return found


def _cycle(waiting: Mapping[str, tuple[Layer, list[str]]], made: Mapping[str, Symbol]) -> str:
    """Return a cycle among the nodes that could not be ordered, as "a -> b -> a"."""
    path = [next(iter(waiting))]
    while path[-1] not in path[:-1]:
        path.append(next(s for s in waiting[path[-1]][1] if s not in made))
    return " -> ".join(reversed(path[path.index(path[-1]) :]))


def _refuse_loose_ends(made: Mapping[str, Symbol], outputs: Mapping[str, Symbol]) -> None:
    read = {id(source) for symbol in made.values() for source in symbol.sources}
    read |= {id(symbol) for symbol in outputs.values()}
    for name, symbol in made.items():
        if id(symbol) not in read:
            raise ArgumentError(f"nodes: no node reads {name!r}, and it is not an output")
