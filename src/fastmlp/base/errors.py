"""The exceptions that fastmlp raises; each is also a subclass of the matching built-in one."""

from __future__ import annotations


class FastMLPError(Exception):
    """Base of every exception of this package."""


class ArgumentError(FastMLPError, ValueError):
    """An argument has a wrong value, such as a shape, a range or a name that does not fit."""


class ArgumentTypeError(FastMLPError, TypeError):
    """An argument has a wrong type, such as complex numbers, text, or no layer."""


class OutOfMemoryError(FastMLPError, MemoryError):
    """There is not enough memory; parameters are as before the call."""


class StateError(FastMLPError, ValueError):
    """A call in the wrong order, such as ``backward`` before ``forward``."""


class MissingPackageError(FastMLPError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


class NotFiniteError(FastMLPError, FloatingPointError):
    """A loss or a gradient is NaN or infinite, and the trainer has ``nan="raise"``."""
