"""The steps of a trainer: in one call, in two halves, and over several batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import sparse
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, NotFiniteError, StateError
from fastmlp.base.validation import Array
from fastmlp.losses.named_rows import named_arrays
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.training import full_batch
from fastmlp.training.configured import Configured, is_finite
from fastmlp.training.data import Data


class _Sum:
    """The gradients of the batches since the last step, which ``net.grads`` holds.

    That of each batch is weighted by its rows, or by its sample weights, over those of the first
    batch: so the first one needs no factor, and a single batch gives the bits of ``step``.
    """

    def __init__(self, first: float) -> None:
        self.first = first or 1.0
        self.total, self.loss = 0.0, 0.0
        self.version: tuple[int, int] = (0, 0)

    def add(self, loss: float, weight: float, is_mean: bool) -> None:
        """Add the loss of a batch."""
        self.total += weight
        if not is_mean:
            self.loss += loss
        elif self.total:
            self.loss += (loss - self.loss) * (weight / self.total)


class Steps(Configured):
    """What a trainer does one batch at a time."""

    _sum: _Sum | None = None

    def _step_checked(self, x: Any, y: Any, sample_weight: Any) -> float:
        data = self.checked_data(x, y, sample_weight)
        if isinstance(self.optimizer, LBFGS):
            losses: list[float] = []
            full_batch.minimize(
                self.net, self._core, self._objective, self.optimizer, data,
                self.optimizer.max_iter, lambda loss: None, losses, self.nan,
            )  # fmt: skip
            if not is_finite(losses[0]):
                self._not_finite(losses[0])
            return losses[0]
        target = self._objective.core_targets(data.target, data.weights)
        loss = self._core.step(data.x, target, data.weights)
        if self._core.not_finite:
            self._not_finite(loss)
        return loss

    def _forward_checked(self, x: Any) -> Any:
        self._refuse_lbfgs("forward")
        rows, leading = self.net.rows(x)
        if len(rows[0]) == 0:
            raise ArgumentError("x: got 0 rows; want at least one")
        scores = self._core.forward(rows)
        shaped = [one.reshape(*leading, one.shape[1]) for one in scores]
        return self.net.outputs_named().give(shaped)

    def _apply_checked(self, dscores: Any) -> float | None:
        self._refuse_lbfgs("apply")
        if dscores is None:
            return self._apply_sum()
        ends, net = self.net.outputs_named(), self.net.core_net()
        rows = self._core.pending_rows
        arrays = []
        for k, one in enumerate(ends.take(dscores, "dscores")):
            name, width = ends.argument("dscores", k), net.widths_out[k]
            array = check.flat_rows(check.vectors(one, name, net.dtype, width, single=False))
            if rows >= 0 and len(array) != rows:
                raise ArgumentError(
                    f"{name}: got {len(array)} rows; want {rows}, as many as forward had"
                )
            arrays.append(array)
        self._core.apply(arrays)
        if self._core.not_finite:
            self._not_finite(None)
        return None

    def discard(self) -> None:
        """Drop the scores of a ``forward`` that awaits ``apply``, and what was accumulated."""
        self._core.discard()
        self._sum = None

    def accumulate(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """Add the gradient of one batch to those since the last step; ``apply()`` makes the step.

        The batches together give the step of all their rows in one batch, up to rounding, unless
        layers treat the rows of a batch together (``BatchNorm``) or draw at random (``Dropout``).
        A single batch gives the bits of ``step``. For losses with ``reduction="mean"``, each batch
        counts by its rows or its weights; no loss must be divided. ``net.grads`` has the gradients
        of the batches so far, which you may change.

        Parameters
        ----------
        x, y, sample_weight
            As for ``step``.

        Returns
        -------
        float
            The loss of this batch, without penalties.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If shapes, types or values do not fit, or some losses are means and others sums.
        StateError
            If the parameters have been updated, or the gradients computed anew, since the last
            call: the sum would be wrong. ``discard()`` starts a new one.
        NotFiniteError
            With ``nan="raise"``, if the loss is NaN or infinite; the batch is left out, as with
            "skip".

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(1, 1, init="zeros"))
        >>> trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.5))
        >>> trainer.accumulate([[1.0]], [2.0]), trainer.accumulate([[1.0], [1.0]], [3.0, 3.0])
        (4.0, 9.0)
        >>> round(trainer.apply(), 4)
        7.3333
        """
        self.current_settings()
        self._refuse_lbfgs("accumulate")
        if self.shards > 1:
            raise ArgumentError(
                f"accumulate: got a trainer with shards={self.shards}; want step(x, y) with all "
                "rows of the batch, or a trainer without shards"
            )
        if len(self._objective.reductions) > 1:
            raise ArgumentError(
                "accumulate: got losses that are means and losses that are sums; want one kind"
            )
        data = self.checked_data(x, y, sample_weight)
        self._objective.check_weights(data.weights)
        weights = data.weights
        weight = float(data.rows) if weights is None else float(np.sum(weights, dtype=np.float64))
        added = self._sum or _Sum(weight)
        self._check_sum(added)
        is_mean = self._objective.reductions == {"mean"}
        loss, gradients = self._gradients_of(data)
        if gradients is None:
            return loss
        factor = weight / added.first if is_mean else 1.0
        scaled = gradients if factor == 1.0 else [one * one.dtype.type(factor) for one in gradients]
        self.net.core_net().backward(scaled, self._sum is not None, False)
        added.add(loss, weight, is_mean)
        added.version = self.net.core_net().versions
        self._sum = added
        return loss

    def _gradients_of(self, data: Data) -> tuple[float, list[Array] | None]:
        """Return the loss of a batch and the gradients of its scores; None if it is skipped."""
        net = self.net.core_net()
        state = net.state.copy() if self.nan in ("skip", "raise") else None
        scores = net.forward(data.x, True)
        loss, gradients = self._objective.value(scores, data.target, data.weights)
        if is_finite(loss) and (not self._objective.has_own or _all_finite(gradients)):
            return loss, gradients
        if state is None:
            self._not_finite(loss)
            return loss, gradients
        net.state[...] = state
        if self.nan == "raise":
            raise NotFiniteError(f"the loss of a batch is {loss}; it was left out (nan='raise')")
        self._skipped += 1
        return loss, None

    def _check_sum(self, added: _Sum) -> None:
        if self._sum is not None and added.version != self.net.core_net().versions:
            self._sum = None
            raise StateError(
                "accumulate: the parameters have been updated, or the gradients computed anew, "
                "since the last batch; the sum is dropped"
            )

    def _apply_sum(self) -> float:
        added = self._sum
        if added is None:
            raise StateError(
                "apply: nothing has been accumulated; call accumulate(x, y) first, or give the "
                "gradient of the scores of forward(x)"
            )
        self._check_sum(added)
        is_mean = self._objective.reductions == {"mean"}
        factor = added.first / added.total if is_mean and added.total else 1.0
        grads = self.net.grads
        if factor != 1.0:
            grads *= grads.dtype.type(factor)
        loss = added.loss + self._core.penalty()
        self._core.add_penalty_gradient()
        self._core.update()
        self._sum = None
        return loss

    @property
    def grad_norm(self) -> float:
        """Euclidean norm of ``net.grads`` without frozen parameters; before clipping.

        After a step this is the norm of its gradient, with penalties, which ``clip_norm`` limits.
        It is computed when asked for.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(1, 1, init="zeros"))
        >>> trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.5))
        >>> trainer.step([[0.0]], [2.0])
        4.0
        >>> trainer.grad_norm
        4.0
        """
        return self._core.gradient_norm()

    def _refuse_lbfgs(self, call: str) -> None:
        if isinstance(self.optimizer, LBFGS):
            raise ArgumentError(
                f"{call}: LBFGS evaluates the loss several times in a step; use step(x, y)"
            )

    def checked_data(
        self, x: Any, y: Any, sample_weight: Any, check_finite: bool = False, members: int = 1
    ) -> Data:
        """Check and convert rows, targets and weights for this network and loss.

        With several members, the rows of an input have the columns of one member.
        """
        self.current_settings()
        return self.checked_rows(x, y, sample_weight, check_finite, members)

    def checked_rows(
        self, x: Any, y: Any, sample_weight: Any, check_finite: bool = False, members: int = 1
    ) -> Data:
        """Do the same with the present settings; another thread may call this during a step."""
        if members > 1:
            self._objective.check_members(members)
        inputs, leading = self.net.rows(x, members)
        count = len(inputs[0])
        if count == 0:
            raise ArgumentError("x: got 0 rows; want at least one")
        targets = self._objective.targets(y, leading)
        if sample_weight is not None and len(leading) > 1:
            sample_weight = check.flattened(sample_weight, "sample_weight", leading)
        weights = check.sample_weights(sample_weight, count, self.net.dtype)
        self._objective.check_weights(weights)
        if check.flag(check_finite, "check_finite"):
            _check_finite(inputs, targets, weights)
        return Data(inputs, targets, weights, members=members)


def _check_finite(inputs: list[Any], targets: list[Any], weights: Array | None) -> None:
    for one in inputs:
        (sparse if sparse.is_sparse(one) else check).finite(one, "x")
    # Targets of a user's loss may be other things than numbers.
    for target in targets:
        for name, array in named_arrays(target, "y"):
            if array.dtype.kind in "fiu":
                check.finite(array, name)
    check.finite(weights, "sample_weight")


def _all_finite(gradients: list[Array]) -> bool:
    return all(bool(np.isfinite(one).all()) for one in gradients)
