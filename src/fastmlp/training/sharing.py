"""What the ranks of a world have in common before they train: the network and the optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.training.protocol import TrainerLike


def share(trainer: TrainerLike, world: Any) -> None:
    """Check that all ranks train alike, and give them the numbers of rank 0."""
    net = trainer.net
    world.agree({
        "network": repr(net),
        "dtype": net.core_net().dtype,
        "trainer": trainer.describe(),
        "nan": trainer.nan,
        "seed of the network": net.seed,
    })  # fmt: skip
    world.share_arrays([net.params, net.core_net().state])
    state = world.share(trainer.state_dict())
    if not world.is_first:
        trainer.load_state_dict(state)
