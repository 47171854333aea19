"""What networks and frozen predictors have in common: an engine that predicts."""

from __future__ import annotations

from typing import Any

from fastmlp import _core
from fastmlp.base.engine import Engine


class EnginePredictor(_core.Predictor):
    """Predicts with an engine, whose type and widths it shows."""

    _engine: Engine

    def _bind(self) -> None:
        """Predict with the engine from now on."""
        engine = self._engine
        self._bind_core(engine.core, engine.inputs.names, engine.outputs.names)

    def own_engine(self) -> Engine:
        """Return the engine, for what is made from the network."""
        return self._engine

    def core_net(self) -> _core.Net:
        """Return the core's network, for optimizers and trainers."""
        return self._engine.core

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return self._engine.inputs.names

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return self._engine.outputs.names

    @property
    def dtype(self) -> Any:
        """The type of inputs and outputs, float32 or float64, as a NumPy dtype."""
        return self._engine.dtype

    @property
    def in_features(self) -> int:
        """Width of the input."""
        return self._engine.n_in

    @property
    def out_features(self) -> int:
        """Width of the output."""
        return self._engine.n_out
