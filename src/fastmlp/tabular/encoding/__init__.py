"""From read columns to the inputs of a network."""

from fastmlp.tabular.encoding.encoder import Encoder

__all__ = ["Encoder"]
