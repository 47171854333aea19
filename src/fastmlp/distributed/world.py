"""The ranks of an MPI program, which train one network together."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, MissingPackageError, StateError
from fastmlp.base.validation import Array

WIRES = ("float32", "bfloat16")
# What the starters of MPI programs tell each process: the number of all.
_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS")
# Seconds. When a program is aborted, mpiexec drops what it has not read of the ranks' output.
_PRINTING = 0.2
_INSTALL = (
    'pip install "fastmlp[mpi]" (mpi4py, with MPICH from PyPI; another MPI library is used with '
    "pip install mpi4py alone)"
)


class World:
    """The ranks of an MPI communicator.

    Made by `world`. Each rank is a process, and all of them run the same program.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
    wire : {"float32", "bfloat16"}
        How gradients of float32 networks travel.

    Attributes
    ----------
    rank, size : int
        The number of this rank, from 0 on, and of all.
    wire : str
    ranks : object
        What the core needs to add arrays.
    """

    def __init__(self, comm: Any, wire: str = "float32") -> None:
        self.wire = check.choice(wire, "wire", WIRES)
        # A copy, so that messages of other packages are never taken for ours.
        self._comm = comm.Dup()
        self.rank: int = self._comm.Get_rank()
        self.size: int = self._comm.Get_size()
        self.agree({
            "wire": self.wire,
            "version of fastmlp": _version(),
            "instruction set": _core.config()["isa"],
        })  # fmt: skip
        self.ranks = _core.Ranks(*_handles(self._comm), self.rank, self.size, wire == "bfloat16")

    def __repr__(self) -> str:
        return f"World(rank={self.rank}, size={self.size}, wire={self.wire!r})"

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which prints and writes files."""
        return self.rank == 0

    def sum(self, *arrays: Array) -> None:
        """Replace arrays by their sums over the ranks, in the order of a binary tree.

        Parameters
        ----------
        *arrays : ndarray of float32 or float64
            Contiguous; of the same shapes on all ranks. With ``wire="bfloat16"``, every sum of
            float32 is rounded to bfloat16.

        Examples
        --------
        >>> import numpy as np
        >>> import fastmlp as fm
        >>> losses = np.array([1.0, 2.0])
        >>> fm.distributed.world().sum(losses)  # doctest: +SKIP
        """
        self.check_size(self.size)
        for i, array in enumerate(arrays):
            is_float = isinstance(array, np.ndarray) and array.dtype in (np.float32, np.float64)
            flags = array.flags if is_float else None
            if flags is None or not (flags.c_contiguous and flags.writeable):
                raise ArgumentError(
                    f"arrays[{i}]: got {check.shown(array)}; want a contiguous array of float32 or "
                    "float64 that can be written"
                )
        self.ranks.sum(list(arrays))

    def share(self, value: Any = None) -> Any:
        """Return rank 0's value on every rank, such as data that only rank 0 has read.

        Parameters
        ----------
        value : object
            Of rank 0; that of other ranks is not read. Arrays travel as they are, and everything
            else as a pickle.

        Returns
        -------
        object
        """
        is_array = isinstance(value, np.ndarray) and value.dtype.hasobject is False
        head = (value.shape, value.dtype) if self.is_first and is_array else None
        head = self._comm.bcast(head, 0)
        if head is None:
            return self._comm.bcast(value, 0)
        array = np.ascontiguousarray(value) if self.is_first else np.empty(*head)
        self.share_arrays([array])
        return value if self.is_first else array

    def share_arrays(self, arrays: list[Array]) -> None:
        """Copy contiguous arrays from rank 0 into those of all other ranks."""
        part = 1 << 28  # bytes; MPI counts with an int
        for array in arrays:
            flat = array.reshape(-1).view(np.uint8)
            for first in range(0, len(flat), part):
                self._comm.Bcast(flat[first : first + part], 0)

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Raise on all ranks if some fact differs.

        Parameters
        ----------
        facts : dict
            Values by name; they are compared as text.

        Raises
        ------
        ArgumentError
            It names the first difference.
        """
        mine = {name: str(value) for name, value in _flat(facts)}
        all_facts = self._comm.allgather(mine)
        for rank, theirs in enumerate(all_facts[1:], 1):
            for name in {**all_facts[0], **theirs}:
                here, there = all_facts[0].get(name), theirs.get(name)
                if here != there:
                    raise ArgumentError(
                        f"world: rank {rank} has {name} = {_short(there)}; want {_short(here)}, as "
                        "rank 0 has: all ranks must train alike"
                    )

    def check_size(self, shards: int) -> None:
        """Refuse a number of ranks that cannot divide the shards of a batch."""
        if self.size & (self.size - 1):
            raise ArgumentError(f"world: got {self.size} ranks; want a power of two")
        if self.size > shards:
            raise ArgumentError(
                f"world: got {self.size} ranks for {shards} shards of a batch; want at most "
                f"{shards} ranks, or shards={self.size}"
            )

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        self._comm.Barrier()


def world(wire: str = "float32", comm: Any = None) -> World:
    """Return the ranks of this MPI program, for ``fit(..., world=...)``.

    In a program that was started without ``mpiexec``, it is a world of one rank. If an exception
    ends one rank, all others end too.

    Parameters
    ----------
    wire : {"float32", "bfloat16"}, default "float32"
        How gradients of float32 networks travel. In bfloat16 they have half the bytes: each
        partial sum is rounded, in the same way for every number of ranks.
    comm : mpi4py.MPI.Comm, optional
        ``mpi4py.MPI.COMM_WORLD`` by default.

    Returns
    -------
    World

    Raises
    ------
    MissingPackageError
        Without mpi4py, or without an MPI library.
    ArgumentError
        If ranks have different versions of fastmlp, instruction sets or arguments.
    StateError
        If ``mpiexec`` belongs to another MPI library than mpi4py's, so that no rank knows the
        others.

    Examples
    --------
    >>> import fastmlp as fm
    >>> world = fm.distributed.world()  # doctest: +SKIP
    >>> world.rank, world.size  # doctest: +SKIP
    (0, 1)
    """
    check.choice(wire, "wire", WIRES)
    mpi = _mpi()
    if comm is None:
        comm = mpi.COMM_WORLD
        _check_starter(comm.Get_size())
    elif not isinstance(comm, mpi.Comm):
        raise ArgumentError(f"comm: got {check.shown(comm)}; want a communicator of mpi4py")
    found = World(comm, wire)
    if found.size > 1:
        _abort_on_exceptions(comm)
    return found


def _mpi() -> Any:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # mpi4py raises RuntimeError without a library
        raise MissingPackageError(
            f"several ranks need mpi4py and an MPI library ({error}): {_INSTALL}", name="mpi4py"
        ) from error
    return MPI


def _version() -> str:
    import fastmlp

    return fastmlp.__version__


def _check_starter(size: int) -> None:
    """Refuse a world of one rank where the starter has started several."""
    said = next((os.environ[name] for name in _SIZES if name in os.environ), "1")
    if size == 1 and said.isdigit() and int(said) > 1:
        raise StateError(
            f"world: mpiexec started {said} processes, but each sees one rank only; want the "
            f"mpiexec of the library that mpi4py uses ({_mpi().Get_library_version().split()[0]})"
        )


def _handles(comm: Any) -> tuple[tuple[int, int, int], int, int]:
    """Return the addresses of MPI's functions, and the handles of communicator and bytes."""
    mpi = _mpi()
    library = ctypes.CDLL(mpi.__file__)  # its functions are found through what it is linked to

    def address(name: str) -> int:
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0

    functions = address("MPI_Isend"), address("MPI_Irecv"), address("MPI_Test")
    return functions, mpi._handleof(comm), mpi._handleof(mpi.BYTE)


def _abort_on_exceptions(comm: Any) -> None:
    """Let an exception that ends this rank end all ranks: they would wait for it in vain."""
    shows = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        shows(kind, error, trace)
        sys.stderr.write(
            f"fastmlp: rank {comm.Get_rank()} of {comm.Get_size()} ends with {kind.__name__}; "
            "all ranks end\n"
        )
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(_PRINTING)
        comm.Abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    if getattr(shows, "ends_all_ranks", False):
        return
    hook.ends_all_ranks = True  # type: ignore[attr-defined]
    sys.excepthook = hook


def _flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return the values of nested dicts, each with the names on the way to it."""
    found: list[tuple[str, Any]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found


def _short(text: str | None) -> str:
    if text is None:
        return "nothing"
    return text if len(text) <= 100 else f"{text[:97]}..."
