"""The exceptions that fastmlp raises: each is also the built-in that its cause would raise."""

from __future__ import annotations


class FastMLPError(Exception):
    """Base of every exception of this package."""


class ArgumentError(FastMLPError, ValueError):
    """An argument has a wrong value: shape, range, name, finiteness."""


class ArgumentTypeError(FastMLPError, TypeError):
    """An argument has a wrong type: complex numbers, objects, strings, not a layer."""


class OutOfMemoryError(FastMLPError, MemoryError):
    """Memory could not be had; parameters are as before the call."""


class StateError(FastMLPError, ValueError):
    """A call in the wrong order, such as ``backward`` before ``forward``."""


class MissingPackageError(FastMLPError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""
