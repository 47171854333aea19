"""Networks: a chain of layers (Sequential) or a graph of them (Graph), and frozen predictors."""

from fastmlp.networks.base import Network
from fastmlp.networks.copying import polyak
from fastmlp.networks.frozen import FrozenPredictor, freeze
from fastmlp.networks.graph import Graph
from fastmlp.networks.sequential import Sequential

__all__ = ["FrozenPredictor", "Graph", "Network", "Sequential", "freeze", "polyak"]
