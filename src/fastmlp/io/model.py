"""Model files: a network's parameters as tensors and its description as metadata.

Parameters are the tensors ``"0.W"``, ``"0.b"``, ... (index of the layer, name of the array). The
metadata key ``"fastmlp"`` holds JSON: the version of this format and the result of
``net.describe()``. All other keys belong to the user. Loading never executes anything from the
file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, FastMLPError, OutOfMemoryError
from fastmlp.io import safetensors
from fastmlp.io.safetensors import DTYPE_NAMES, Header, Malformed
from fastmlp.layers.parametric import ParametricLayer
from fastmlp.networks.base import Network
from fastmlp.networks.description import layer_from
from fastmlp.networks.graph import Graph
from fastmlp.networks.sequential import Sequential

RESERVED_KEY = "fastmlp"
# A checkpoint has one more metadata key, and tensors with this prefix.
FIT_KEY, FIT_PREFIX = "fastmlp.fit", "fit/"
# The file of a trainer has this metadata key instead, and tensors with the same prefix.
TRAINER_KEY = "fastmlp.trainer"
# A frozen predictor has this metadata key.
FROZEN_KEY = "fastmlp.frozen"
# A file of several networks has this metadata key instead of the first.
NETWORKS_KEY = "fastmlp.networks"
RESERVED_KEYS = {RESERVED_KEY, FIT_KEY, TRAINER_KEY, FROZEN_KEY, NETWORKS_KEY}
FORMAT_VERSION = 1

TensorKind = tuple[np.dtype[Any], tuple[int, ...]]


@dataclass(frozen=True)
class ModelFile:
    """The contents of a model file without the values of the parameters.

    Attributes
    ----------
    size : int
        Size of the file in bytes.
    network : dict
        The network's description, as ``net.describe()`` returned it.
    shapes : dict of str to tuple of int
        Shape of each stored parameter array, by name.
    metadata : dict of str to str
        The user's metadata.
    is_checkpoint : bool
        Whether the file also holds the state of a fit or a trainer.
    """

    size: int
    network: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]
    is_checkpoint: bool


def save(
    net: Network, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write `net` to one safetensors file, atomically.

    Parameters
    ----------
    net : Sequential or Graph
        The network; its parameters are stored in its own dtype, bit for bit.
    path : str or path-like
        File to create or to replace.
    metadata : mapping of str to str, optional
        Text to store with the network; see `read_metadata`. The key ``"fastmlp"`` is reserved.

    Raises
    ------
    ArgumentTypeError
        `net` is not a network, `path` not a path, or `metadata` not a mapping of text to text.
    ArgumentError
        `path` is not a valid file name, or `metadata` has a reserved key or text that UTF-8 cannot
        encode.
    OSError
        The file cannot be written; an existing file is unchanged.

    Examples
    --------
    >>> import tempfile, fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(4, 3), fm.ReLU(), fm.Linear(3, 2), seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(net, f"{folder}/m.safetensors", {"trained on": "nothing"})
    ...     same = bool((load(f"{folder}/m.safetensors").params == net.params).all())
    >>> same
    True
    """
    if not isinstance(net, Network):
        raise ArgumentTypeError(f"net: got {validation.shown(net)}; want a network")
    safetensors.write(path, tensors_of(net), {**own_fields(net), **checked_metadata(metadata)})


def own_fields(net: Network) -> dict[str, str]:
    """Return the metadata that describes a network."""
    own = {"format": FORMAT_VERSION, "network": net.describe()}
    return {RESERVED_KEY: json.dumps(own, allow_nan=False)}


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network that `save` wrote.

    Parameters
    ----------
    path : str or path-like
        The model file.

    Returns
    -------
    Sequential or Graph
        A network with the same layers, dtype and parameters, bit for bit.

    Raises
    ------
    ModelFileError
        The file is truncated, corrupt or not a model file. Loading never takes more memory for
        arrays than twice the size of the file: parameters and gradients.
    ArgumentTypeError, ArgumentError
        `path` is not a path.
    OSError
        The file is missing or unreadable.

    Examples
    --------
    >>> import tempfile, fastmlp as fm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fm.Sequential(fm.Linear(4, 2)).save(f"{folder}/m.safetensors")
    ...     load(f"{folder}/m.safetensors").params.shape
    (10,)
    """
    with safetensors.naming(path), safetensors.open_tensors(path) as (file, header):
        if FROZEN_KEY in header.metadata:
            raise Malformed("it holds a frozen predictor, which fm.FrozenPredictor.load reads")
        if NETWORKS_KEY in header.metadata:
            raise Malformed("it holds the networks of a table, which fastmlp.tabular.load reads")
        return read(file, header)


def read(file: BufferedReader, header: Header) -> Network:
    """Build the network of an open file from its header."""
    check_tensors(described_tensors(header), header)
    net = build(header)
    parameters = tensors_of(net)
    # A graph may order its nodes differently from the file, so check the names again.
    check_tensors({name: (a.dtype, a.shape) for name, a in parameters.items()}, header)
    for name, array in parameters.items():
        safetensors.read_into(file, header, name, array)
    return net


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the metadata of a model file without its parameters.

    Parameters
    ----------
    path : str or path-like
        The model file.

    Returns
    -------
    dict of str to str
        The metadata that the user gave to `save`; empty without any.

    Raises
    ------
    ModelFileError
        The file is truncated, corrupt or not a model file.
    ArgumentTypeError, ArgumentError
        `path` is not a path.
    OSError
        The file is missing or unreadable.

    Examples
    --------
    >>> import tempfile, fastmlp as fm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(fm.Sequential(fm.Linear(4, 2)), f"{folder}/m.safetensors", {"data": "iris"})
    ...     read_metadata(f"{folder}/m.safetensors")
    {'data': 'iris'}
    """
    return inspect(path).metadata


def inspect(path: str | os.PathLike[str]) -> ModelFile:
    """Read everything but the values of the parameters; errors are those of `read_metadata`.

    Examples
    --------
    >>> import tempfile, fastmlp as fm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fm.Sequential(fm.Linear(4, 2)).save(f"{folder}/m.safetensors")
    ...     inspect(f"{folder}/m.safetensors").shapes
    {'0.W': (4, 2), '0.b': (2,)}
    """
    with safetensors.naming(path), safetensors.open_tensors(path) as (file, header):
        return _model_file(file, header)


def load_with_metadata(path: str | os.PathLike[str]) -> tuple[Network, ModelFile]:
    """Do what `load` and `inspect` do, opening the file once: both speak of the same file."""
    with safetensors.naming(path), safetensors.open_tensors(path) as (file, header):
        return read(file, header), _model_file(file, header)


def _model_file(file: BufferedReader, header: Header) -> ModelFile:
    return ModelFile(
        size=os.fstat(file.fileno()).st_size,
        network=network_description(header),
        shapes={
            name: entry.shape
            for name, entry in header.tensors.items()
            if not name.startswith(FIT_PREFIX)
        },
        metadata={k: v for k, v in header.metadata.items() if k not in RESERVED_KEYS},
        is_checkpoint=not header.metadata.keys().isdisjoint({FIT_KEY, TRAINER_KEY}),
    )


def checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    if metadata is None:
        return {}
    wanted = "a mapping of text to text"
    for key, value in validation.mapping(metadata, "metadata", wanted).items():
        if not isinstance(key, str) or not isinstance(value, str):
            got = f"{validation.shown(key)}: {validation.shown(value)}"
            raise ArgumentTypeError(f"metadata: got {got}; want {wanted}")
        try:
            (key + value).encode()
        except UnicodeEncodeError as error:
            raise ArgumentError(
                f"metadata: got {key!r:.40}, which is not valid Unicode: {error}"
            ) from None
    for key in RESERVED_KEYS & metadata.keys():
        raise ArgumentError(f"metadata: got the key {key!r}, which is reserved for the network")
    return dict(metadata)


def tensors_of(net: Network) -> dict[str, NDArray[Any]]:
    """Return views of the network's parameters by their names in a model file."""
    return {
        f"{index}.{name}": array
        for index, layer in enumerate(net.layers)
        if isinstance(layer, ParametricLayer)
        for name, array in layer.values().items()
    }


def network_description(header: Header) -> dict[str, Any]:
    if RESERVED_KEY not in header.metadata:
        raise Malformed("it is a safetensors file, but holds no network description")
    own = safetensors.parse_json(header.metadata[RESERVED_KEY], "its network description")
    if not isinstance(own, dict) or own.keys() != {"format", "network"}:
        raise Malformed("its network description must have exactly the keys format and network")
    if own["format"] != FORMAT_VERSION:
        raise Malformed(f"its format version is {own['format']!r:.40}, expected {FORMAT_VERSION}")
    if not isinstance(own["network"], dict):
        raise Malformed("its network description must be an object")
    return own["network"]


def described_tensors(header: Header) -> dict[str, TensorKind]:
    """Return dtype and shape of each tensor of a network, before any memory is allocated."""
    return tensors_described(network_description(header))


def tensors_described(description: dict[str, Any]) -> dict[str, TensorKind]:
    """Return dtype and shape of each tensor that the description of a network implies."""
    layers = description.get("layers")
    nodes = description.get("nodes")
    if isinstance(nodes, list):
        layers = [node[1] if isinstance(node, list) and len(node) == 3 else None for node in nodes]
    with _as_malformed():
        dtype = validation.float_dtype(description.get("dtype"))
        made = [layer_from(layer) for layer in layers] if isinstance(layers, list) else []
    return {
        f"{index}.{name}": (dtype, shape)
        for index, layer in enumerate(made)
        if isinstance(layer, ParametricLayer)
        for name, shape in layer.value_shapes().items()
    }


def build(header: Header) -> Network:
    """Build the network that a header describes, without its parameters."""
    return built(network_description(header))


def built(description: dict[str, Any]) -> Network:
    """Build the network of a description, without its parameters."""
    kind = Graph if description.get("type") == "Graph" else Sequential
    with _as_malformed():
        return kind.uninitialised(description)


@contextmanager
def _as_malformed() -> Iterator[None]:
    try:
        yield
    except OutOfMemoryError:
        raise  # a lack of memory is no fault of the file
    except (
        FastMLPError,
        ArithmeticError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise Malformed(f"its network description is invalid ({error})") from None


def check_tensors(expected: Mapping[str, TensorKind], header: Header) -> None:
    # A checkpoint also has the arrays of its fit.
    others = {name for name in header.tensors if name.startswith(FIT_PREFIX)}
    for name in sorted(expected.keys() ^ (header.tensors.keys() - others)):
        problem = "lacks the" if name in expected else "has the unexpected"
        raise Malformed(f"it {problem} tensor {name!r}")
    for name, (dtype, shape) in expected.items():
        entry = header.tensors[name]
        if (entry.dtype.newbyteorder("="), entry.shape) != (dtype, shape):
            raise Malformed(
                f"there is no such tensor as {name!r} of {DTYPE_NAMES[dtype]} {shape!s:.80}: "
                f"it is {DTYPE_NAMES[entry.dtype.newbyteorder('=')]} {entry.shape!s:.80}"
            )
