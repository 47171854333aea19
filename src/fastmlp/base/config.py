"""The base classes of layers, losses and optimizers: they show and describe their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from fastmlp import _core
from fastmlp.base.errors import ArgumentTypeError

_Row = TypeVar("_Row")
# Arguments that are not part of a description: a network has its own dtype and seed.
_NOT_DESCRIBED = ("net", "dtype", "seed")
_known_defaults: WeakKeyDictionary[type, Mapping[str, Any]] = WeakKeyDictionary()


class Configurable:
    """An object that keeps each argument of its constructor as an attribute of that name."""

    # Whether repr shows arguments that have their default.
    _shows_defaults = False

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments by name."""
        return {name: getattr(self, name) for name in _defaults(type(self))}

    def describe(self) -> dict[str, Any]:
        """Return a JSON-able dict: the class under ``type``, then the arguments."""
        plain = {name: _plain(value) for name, value in self.arguments().items()}
        return {"type": type(self).__name__, **plain}

    def __repr__(self) -> str:
        defaults = _defaults(type(self))
        shown = [
            f"{name}={value!r}"
            for name, value in self.arguments().items()
            if self._shows_defaults or value != defaults[name]
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


class Adjustable(Configurable):
    """A Configurable whose arguments may be set later, if the constructor would take them.

    What was made from the object, such as a trainer, takes the new value at its next step.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        is_change = not name.startswith("_") and name in self.__dict__
        if not is_change or name not in _defaults(type(self)):
            super().__setattr__(name, value)
            return
        made = type(self)(**{**self.arguments(), name: value})
        super().__setattr__(name, getattr(made, name))
        self._changed()

    def _changed(self) -> None:
        """React to a new value of an argument."""
        _core.settings_have_changed()


def registered(rows: Mapping[str, _Row], thing: object, name: str) -> _Row:
    """Return the core's row for the class of ``thing``, or for its nearest base that has a row."""
    for cls in type(thing).__mro__:
        if cls.__name__ in rows:
            return rows[cls.__name__]
    wanted = f"an instance or a subclass of {', '.join(rows)}"
    raise ArgumentTypeError(f"{name}: got {thing!r}; want {wanted}")


def _defaults(cls: type) -> Mapping[str, Any]:
    """The arguments of a class and their defaults (``inspect.Parameter.empty`` for none)."""
    if cls not in _known_defaults:
        import inspect  # late, because importing it takes time

        parameters = inspect.signature(cls).parameters.items()
        _known_defaults[cls] = {n: p.default for n, p in parameters if n not in _NOT_DESCRIBED}
    return _known_defaults[cls]


def _plain(value: Any) -> Any:
    if isinstance(value, Configurable):
        return value.describe()
    return list(value) if isinstance(value, tuple) else value
