"""Exponential moving averages of a network's parameters during training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.config import Configurable
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, StateError
from fastmlp.networks.base import Network
from fastmlp.networks.copying import polyak

if TYPE_CHECKING:
    from fastmlp.training.history import FitState


class EMA(Configurable):
    """An average of a network's parameters over the steps of its training.

    ``average = decay * average + (1 - decay) * parameters`` after every ``every`` steps, in one
    call of the core. The average starts from the parameters at its beginning. The running
    statistics of ``BatchNorm`` are copied: they are averages already.

    As a callback of ``fit`` it needs no network. In a loop of your own, make it with the network
    and call ``update()`` after a step.

    Parameters
    ----------
    net : Sequential or Graph, optional
        The network to average; as a callback, that of the fit.
    decay : float, default 0.999
        From 0 to 1; the average reaches back about ``1 / (1 - decay)`` updates.
    every : int, default 1
        In ``fit``: steps between two updates.
    warmup : bool, default False
        Whether the first updates have the smaller decay ``(1 + t) / (10 + t)``, ``t`` from 0, so
        that the first parameters are soon forgotten (as TensorFlow's ``num_updates``).
    swap_in : bool, default False
        Whether the network of the fit ends with the averages, unless an exception ended it.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument has a wrong type or value.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> ema = fm.EMA(decay=0.9)
    >>> history = fm.fit(net, [[0.0], [1.0]], [0, 1], loss=fm.MSELoss(), callbacks=[ema])
    >>> ema.net.predict([[1.0]]).shape  # the averaged network; it can be saved, too
    (1, 1)
    >>> with ema.swapped():
    ...     scores = net.predict([[1.0]])  # those of the averages
    """

    def __init__(
        self,
        net: Network | None = None,
        decay: float = 0.999,
        *,
        every: int = 1,
        warmup: bool = False,
        swap_in: bool = False,
    ) -> None:
        if net is not None and not isinstance(net, Network):
            raise ArgumentTypeError(
                f"net: got {validation.shown(net)}; want a network, or decay= and others by name"
            )
        self.decay = validation.real(decay, "decay", 0.0, 1.0)
        self.every = self.step_every = validation.size(every, "every")
        self.warmup = validation.flag(warmup, "warmup")
        self.swap_in = validation.flag(swap_in, "swap_in")
        self.updates = 0
        self._source: Network | None = None
        self._average: Network | None = None
        if net is not None:
            self._begin(net)

    def _begin(self, net: Network) -> None:
        self._source, self._average, self.updates = net, net.copy(), 0

    @property
    def net(self) -> Network:
        """The averaged network, which can predict, be saved and be copied.

        Raises
        ------
        StateError
            Before a fit, if the EMA was made without a network.
        """
        return self._pair()[1]

    def _pair(self) -> tuple[Network, Network]:
        if self._source is None or self._average is None:
            raise StateError("EMA: there is no network yet; use it in fit, or make it as EMA(net)")
        return self._source, self._average

    def update(self) -> None:
        """Move the averages towards the present parameters."""
        source, average = self._pair()
        decay = self.decay
        if self.warmup:
            decay = min(decay, (1 + self.updates) / (10 + self.updates))
        polyak(average, source, 1.0 - decay)
        self.updates += 1

    def swap(self) -> None:
        """Exchange the numbers of the network and of the averaged network."""
        source, average = self._pair()
        kept = source.params.copy(), source.state.copy()
        source.copy_from(average)
        average.core_net().assign(*kept)

    @contextmanager
    def swapped(self) -> Iterator[Network]:
        """Give the network the averages for the time of a ``with`` block."""
        self.swap()
        try:
            yield self._pair()[0]
        finally:
            self.swap()

    def on_fit_start(self, state: FitState) -> None:
        """Start from the network's parameters, unless this fit continues with the same network."""
        if self._source is not state.net:
            self._begin(state.net)

    def on_step_end(self, state: FitState) -> None:
        """Update the averages."""
        self.update()

    def on_fit_end(self, state: FitState) -> None:
        """Copy the averages into the network, if ``swap_in``."""
        if self.swap_in and state.error is None:
            source, average = self._pair()
            source.copy_from(average)

    def state_dict(self) -> dict[str, Any]:
        """Return the averages, for checkpoints."""
        average = self.net
        return {
            "updates": self.updates,
            "params": average.params.copy(),
            "state": average.state.copy(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from ``state_dict``; if it does not fit, nothing changes."""
        average = self.net
        known: dict[str, Any] = {
            "updates": self.updates,
            "params": average.params,
            "state": average.state,
        }
        if not isinstance(state, Mapping) or state.keys() != known.keys():
            raise ArgumentError(f"state: got {validation.shown(state)}; want {sorted(known)}")
        updates = validation.integer(state["updates"], "updates", 0)
        for name in ("params", "state"):
            one, like = state[name], known[name]
            fits = isinstance(one, np.ndarray) and one.dtype == like.dtype
            if not fits or one.shape != like.shape:
                raise ArgumentError("EMA: got a state of another network")
        average.core_net().assign(state["params"], state["state"])
        self.updates = updates
