"""Work on many networks and on several machines.

`world` gives the ranks of an MPI program, which train one network together. `tune` searches for the
best hyperparameters of a table's networks with Optuna; several processes or machines that name the
same storage search together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmlp.distributed.world import World, world

if TYPE_CHECKING:
    from fastmlp.distributed.tuning.result import TunedTable
    from fastmlp.distributed.tuning.tuning import tune

__all__ = ["TunedTable", "World", "tune", "world"]

# Imported on first use, because the code for tables takes time to import.
_PLACES = {"TunedTable": "result", "tune": "tuning"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"fastmlp.distributed.tuning.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
