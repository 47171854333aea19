"""Losses of predicted densities: scores are means and spreads."""

from __future__ import annotations

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.losses import metrics
from fastmlp.losses.fields import FieldsLoss
from fastmlp.losses.packing import Field

__all__ = ["GaussianCRPSLoss", "GaussianNLLLoss", "MixtureNLLLoss"]

# The core's limit.
_MOST_COMPONENTS = 256


def means_of(width: int, more: int = 0) -> int:
    """Return D for scores of D means, D spreads and some ``more`` columns."""
    if width - more < 2 or (width - more) % 2:
        also = ", then a value" if more else ""
        raise ArgumentError(f"scores: got {width} columns; want means, then as many spreads{also}")
    return (width - more) // 2


class _GaussianLoss(FieldsLoss):
    """Base of losses of a Gaussian for each target column."""

    score_name = "r2"

    def layout(self, width: int) -> list[Field]:
        return [Field("target", means_of(width))]

    def _score(self, rows: Array, target: Array, weights: Array | None) -> float:
        return metrics.r2(rows[:, : target.shape[1]], target, weights)


class GaussianNLLLoss(_GaussianLoss):
    """Gaussian negative log-likelihood: ``(log v + (m - t)**2 / v) / 2`` for each target column.

    The formula is PyTorch's: ``v = max(variance, eps)``, and the gradient passes by ``eps`` as if
    there were no limit. Scores are means and log variances, so every score is allowed.

    Parameters
    ----------
    full : bool, default False
        Whether to add the constant ``log(2 pi) / 2``.
    eps : float, default 1e-6
        Above 0: the least variance.
    log_std : bool, default False
        Whether the second half of the scores are logarithms of standard deviations, not of
        variances.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are ``(N, 2 D)``: D means, then D log variances. ``y`` is ``(N, D)``, or ``(N,)`` if D is
    1; or a dict of the field ``target``. The mean is over all rows and target columns. The score is
    R2 of the means. Source: Nix & Weigend 1994, "Estimating the Mean and Variance of the Target
    Probability Distribution".

    Examples
    --------
    >>> import fastmlp as fm
    >>> loss = fm.GaussianNLLLoss()
    >>> loss.forward([[1.0, 0.0]], [3.0])  # mean 1, variance 1
    2.0
    >>> loss.backward().tolist()
    [[-2.0, -1.5]]
    """

    def __init__(
        self,
        full: bool = False,
        eps: float = 1e-6,
        log_std: bool = False,
        reduction: str = "mean",
        fold: int = 1,
    ) -> None:
        super().__init__(reduction, fold)
        self.full = validation.flag(full, "full")
        self.eps = validation.real(eps, "eps", 0.0, low_open=True)
        self.log_std = validation.flag(log_std, "log_std")


class GaussianCRPSLoss(_GaussianLoss):
    """Continuous ranked probability score of a Gaussian for each target column.

    With ``z = (t - m) / s``: ``s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))``, in the unit of the
    targets. Less sensitive to outliers than the likelihood; for s to 0 it is the absolute error.

    Parameters
    ----------
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are ``(N, 2 D)``: D means, then D log standard deviations. ``y`` is ``(N, D)``, or
    ``(N,)`` if D is 1; or a dict of the field ``target``. The mean is over all rows and target
    columns. The score is R2 of the means. Source: Gneiting, Raftery, Westveld & Goldman 2005,
    "Calibrated Probabilistic Forecasting Using Ensemble Model Output Statistics and Minimum CRPS
    Estimation", equation 5.

    Examples
    --------
    >>> import fastmlp as fm
    >>> round(fm.GaussianCRPSLoss().forward([[1.0, 0.0]], [1.0]), 4)
    0.2337
    """


class MixtureNLLLoss(FieldsLoss):
    """Negative log-likelihood of a mixture of Gaussians with diagonal covariances.

    ``-log sum_k w_k prod_d N(t_d; m_kd, s_kd)``, with weights ``w`` the softmax of the logits: a
    mixture density network.

    Parameters
    ----------
    components : int, default 2
        K, up to 256.
    reduction : {"mean", "sum"}
    fold : int, default 1
        Number of members that predict ``y``; each has its part of the columns of the scores.

    Notes
    -----
    Scores are ``(N, K + 2 K D)``: K logits, then K means of D columns each, one component after
    another, then as many log standard deviations. ``y`` is ``(N, D)``, or ``(N,)`` if D is 1; or a
    dict of the field ``target``. The score is minus the loss. Source: Bishop 1994, "Mixture Density
    Networks".

    Examples
    --------
    >>> import fastmlp as fm
    >>> loss = fm.MixtureNLLLoss(components=2)
    >>> round(loss.forward([[0.0, 0.0, 1.0, -1.0, 0.0, 0.0]], [0.0]), 4)
    1.4189
    """

    def __init__(self, components: int = 2, reduction: str = "mean", fold: int = 1) -> None:
        super().__init__(reduction, fold)
        self.components = validation.integer(components, "components", 1, _MOST_COMPONENTS)

    def layout(self, width: int) -> list[Field]:
        k = self.components
        each = width // k - 1
        if width % k or each < 2 or each % 2:
            raise ArgumentError(
                f"scores: got {width} columns; want {k} + {2 * k} D for {k} components and targets "
                "of D columns"
            )
        return [Field("target", each // 2)]
