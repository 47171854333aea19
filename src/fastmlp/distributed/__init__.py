"""Work on many networks and on several machines.

`world` gives the ranks of an MPI program, which train one network together.
"""

from fastmlp.distributed.world import World, world

__all__ = ["World", "world"]
