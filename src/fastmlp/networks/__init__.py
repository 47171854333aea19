"""Networks: a chain of layers (Sequential) or a graph of them (Graph)."""

from fastmlp.networks.base import Network
from fastmlp.networks.graph import Graph
from fastmlp.networks.sequential import Sequential

__all__ = ["Graph", "Network", "Sequential"]
