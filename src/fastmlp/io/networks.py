"""Files of several networks, in the safetensors format.

The tensors of the network named "a" are ``"a/0.W"``, ``"a/0.b"``, ...; the metadata key
``"fastmlp.networks"`` holds JSON: the version of this format, and the description of each network
by its name. All other keys belong to the user. Loading never executes anything from the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from io import BufferedReader
from typing import Any

from fastmlp.io import safetensors
from fastmlp.io.model import (
    FIT_KEY,
    NETWORKS_KEY,
    RESERVED_KEY,
    TensorKind,
    built,
    check_tensors,
    checked_metadata,
    tensors_described,
    tensors_of,
)
from fastmlp.io.safetensors import Header, Malformed
from fastmlp.networks.base import Network

FORMAT_VERSION = 1


def save_networks(
    path: str | os.PathLike[str], nets: Mapping[str, Network], metadata: Mapping[str, str]
) -> None:
    """Write networks to one safetensors file, atomically; see `fastmlp.io.save`.

    Parameters
    ----------
    path : str or path-like
    nets : mapping of str to Sequential or Graph
    metadata : mapping of str to str
        Text to store with the networks.
    """
    own = {
        "format": FORMAT_VERSION,
        "networks": {name: net.describe() for name, net in nets.items()},
    }
    tensors = {
        f"{name}/{inner}": array
        for name, net in nets.items()
        for inner, array in tensors_of(net).items()
    }
    text = json.dumps(own, allow_nan=False)
    safetensors.write(path, tensors, {NETWORKS_KEY: text, **checked_metadata(metadata)})


def load_networks(path: str | os.PathLike[str]) -> tuple[dict[str, Network], dict[str, str]]:
    """Read the networks and the metadata of a file that `save_networks` wrote.

    Raises
    ------
    ModelFileError
        The file is truncated, corrupt or not such a file.
    OSError
        It is missing or unreadable.
    """
    with safetensors.naming(path), safetensors.open_tensors(path) as (file, header):
        descriptions = network_descriptions(header)
        _check_tensors(descriptions, header)
        nets = {name: built(description) for name, description in descriptions.items()}
        for name, net in nets.items():
            _fill(name, net, file, header)
        return nets, user_metadata(header)


def read_networks_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the metadata of a file of networks without its parameters; errors as `load_networks`."""
    with safetensors.naming(path), safetensors.open_tensors(path) as (_, header):
        network_descriptions(header)
        return user_metadata(header)


def holds_networks(path: str | os.PathLike[str]) -> bool:
    """Tell whether a model file holds several networks; errors are those of `load_networks`."""
    with safetensors.naming(path), safetensors.open_tensors(path) as (_, header):
        return NETWORKS_KEY in header.metadata


def network_descriptions(header: Header) -> dict[str, dict[str, Any]]:
    """Return the description of each network in a file, by name."""
    if FIT_KEY in header.metadata:
        raise Malformed("it is a checkpoint, which can resume a training, but not predict")
    if RESERVED_KEY in header.metadata:
        raise Malformed("it holds one network, which fastmlp.load reads, and no table's networks")
    if NETWORKS_KEY not in header.metadata:
        raise Malformed("it is a safetensors file, but holds no networks of a table")
    own = safetensors.parse_json(header.metadata[NETWORKS_KEY], "the description of its networks")
    if not isinstance(own, dict) or own.keys() != {"format", "networks"}:
        raise Malformed("the description of its networks must have exactly format and networks")
    if type(own["format"]) is not int or own["format"] != FORMAT_VERSION:
        raise Malformed(f"its format version is {own['format']!r:.40}, expected {FORMAT_VERSION}")
    found = own["networks"]
    if not isinstance(found, dict) or not all(isinstance(d, dict) for d in found.values()):
        raise Malformed("its networks must be objects by name")
    return found


def user_metadata(header: Header) -> dict[str, str]:
    """Return the metadata that the user gave."""
    return {key: text for key, text in header.metadata.items() if key != NETWORKS_KEY}


def _check_tensors(descriptions: Mapping[str, dict[str, Any]], header: Header) -> None:
    """Compare the file's tensors with the descriptions, before any memory is allocated."""
    expected: dict[str, TensorKind] = {}
    for name, description in descriptions.items():
        for inner, kind in tensors_described(description).items():
            expected[f"{name}/{inner}"] = kind
    check_tensors(expected, header)


def _fill(name: str, net: Network, file: BufferedReader, header: Header) -> None:
    """Read a network's parameters."""
    for inner, array in tensors_of(net).items():
        whole = f"{name}/{inner}"
        # A graph may order its nodes differently from the file, so check once more.
        entry = header.tensors.get(whole)
        if entry is None or (entry.dtype.newbyteorder("="), entry.shape) != (
            array.dtype,
            array.shape,
        ):
            raise Malformed(f"its tensor {whole!r} does not fit its network")
        safetensors.read_into(file, header, whole, array)
