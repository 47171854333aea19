"""Networks: a chain of layers (Sequential) or a graph of them (Graph); frozen predictors and
policies made from them."""

from fastmlp.networks.base import Network
from fastmlp.networks.copying import polyak
from fastmlp.networks.frozen import FrozenPredictor, freeze
from fastmlp.networks.graph import Graph
from fastmlp.networks.policy import Policy
from fastmlp.networks.sequential import Sequential

__all__ = ["FrozenPredictor", "Graph", "Network", "Policy", "Sequential", "freeze", "polyak"]
