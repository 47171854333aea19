"""Losses of action values, and the targets of their updates."""

from __future__ import annotations

from fastmlp.base import validation
from fastmlp.losses.fields import FieldsLoss
from fastmlp.losses.packing import Field

__all__ = ["CriticLoss", "DQNLoss"]


class DQNLoss(FieldsLoss):
    """DQN's loss: Huber of the value of the chosen action alone.

    With ``d = q[action] - target``: ``d**2 / 2`` where ``abs(d) <= delta``, else
    ``delta * (abs(d) - delta / 2)``. The other actions have gradient 0.

    Parameters
    ----------
    delta : float, default 1
        Above 0; a large one, such as 1e9, makes it half the squared error.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are the values of A actions, ``(N, A)``. ``y`` has the fields ``action`` (0 to A - 1) and
    ``target``: a dict or a structured array of them, or ``(N, 2)``. ``fm.dqn_target`` makes the
    targets, of double DQN too; weights of a prioritised replay are ``sample_weight``. The score is
    minus the loss. Source: Mnih et al. 2015, "Human-level control through deep reinforcement
    learning".

    Examples
    --------
    >>> import fastmlp as fm
    >>> loss = fm.DQNLoss()
    >>> loss.forward([[1.0, 5.0]], {"action": [1], "target": [2.0]})
    2.5
    >>> loss.backward().tolist()
    [[0.0, 1.0]]
    """

    smooth = False

    def __init__(self, delta: float = 1.0, reduction: str = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.delta = validation.real(delta, "delta", 0.0, low_open=True)

    def layout(self, width: int) -> list[Field]:
        return [Field("action", end=width), Field("target")]


class CriticLoss(FieldsLoss):
    """Squared error of several critics with one target: ``sum_k (q_k - y)**2``.

    The loss of the critics of TD3 and SAC, whose two critics are the columns of one network:
    ``Linear(..., groups=2)`` or ``fold`` keeps them apart.

    Parameters
    ----------
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are the values of K critics, ``(N, K)``. ``y`` is ``(N,)``, or a dict of the field
    ``target``; ``fm.td3_target`` and ``fm.sac_target`` make it. The score is minus the loss.
    Sources: Fujimoto, van Hoof & Meger 2018, "Addressing Function Approximation Error in
    Actor-Critic Methods"; Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications"
    (with a factor of 1/2).

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.CriticLoss().forward([[1.0, 3.0]], [2.0])
    2.0
    """

    def layout(self, width: int) -> list[Field]:
        return [Field("target")]
