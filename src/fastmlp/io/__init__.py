"""Model files: one safetensors file for each network, written atomically and read strictly.

Also files of frozen predictors.
"""

from fastmlp.io.atomic import write_atomically
from fastmlp.io.model import ModelFile, inspect, load, read_metadata, save
from fastmlp.io.safetensors import ModelFileError

__all__ = [
    "ModelFile",
    "ModelFileError",
    "inspect",
    "load",
    "read_metadata",
    "save",
    "write_atomically",
]
