"""Arrays by name, checked before they are copied into a layer or a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array


def checked_state(
    views: Mapping[str, Array], state: Any, strict: bool
) -> list[tuple[Array, Array]]:
    """Return pairs of a view and its new values, converted to the view's dtype.

    With ``strict``, ``state`` must have the names of all views and no other.
    """
    wanted = f"a mapping of arrays with the names {_few(views)}"
    given = validation.mapping(state, "state", wanted)
    if validation.flag(strict, "strict"):
        for names, problem in ((views.keys() - given.keys(), "lacks"),
                               (given.keys() - views.keys(), "has the unexpected")):  # fmt: skip
            if names:
                found = _few(sorted(map(str, names)))
                raise ArgumentError(f"state: it {problem} {found}; want {wanted}")
    return [
        (view, validation.shaped(given[name], f"state[{name!r}]", view.shape, view.dtype))
        for name, view in views.items()
        if name in given
    ]


def _few(names: Any) -> str:
    found, most = list(names), 6
    return ", ".join(found[:most] + (["..."] if len(found) > most else [])) or "(none)"
