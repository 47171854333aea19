"""The quasi-Newton optimizer: SciPy's, on the network's one flat array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.errors import MissingPackageError
from fastmlp.base.validation import Array
from fastmlp.optim.first_order import Optimizer


class Ended(NamedTuple):
    """How a minimisation ended: by itself, or at a limit that ``message`` names."""

    converged: bool
    message: str


class LBFGS(Optimizer):
    """Limited-memory BFGS with a line search (Liu and Nocedal, 1989), by SciPy's L-BFGS-B.

    For small problems, on all the data at once: in ``fit`` an epoch is one iteration (and
    ``batch_size`` must be left out), in ``Trainer.step`` a step is ``max_iter`` iterations on that
    batch. The line search chooses the step's length, so there is no learning rate.

    Parameters
    ----------
    max_iter : int, default 20
        Iterations in one ``Trainer.step``.
    history_size : int, default 10
        How many past steps shape the next one.
    max_eval : int, optional
        Evaluations of loss and gradient, all of the line searches' together; 21 for each iteration
        by default.
    tolerance_grad : float, default 1e-7
        Stop when no gradient element is larger.
    tolerance_change : float, default 1e-9
        Stop when the loss changes relatively by less.

    Raises
    ------
    MissingPackageError
        Where SciPy is not installed.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.LBFGS(max_iter=5)
    LBFGS(max_iter=5)
    """

    def __init__(
        self,
        *,
        max_iter: int = 20,
        history_size: int = 10,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        max_eval: int | None = None,
    ) -> None:
        self.max_iter = validation.size(max_iter, "max_iter")
        self.history_size = validation.size(history_size, "history_size")
        self.tolerance_grad = validation.real(tolerance_grad, "tolerance_grad", 0.0)
        self.max_eval = None if max_eval is None else validation.size(max_eval, "max_eval")
        self.tolerance_change = validation.real(tolerance_change, "tolerance_change", 0.0)

    @property
    def lr(self) -> float:
        """1: SciPy's line search starts from the full step."""
        return 1.0

    def core_spec(self) -> tuple[int, tuple[float, ...]]:
        """Return any kind: the core computes penalties with it, SciPy makes the updates."""
        return 0, tuple(float(default) for _, default in _core.optimizers()[0]["hyper"])

    def minimize(
        self,
        objective: Callable[[Array], tuple[float, Array]],
        start: Array,
        iterations: int,
        on_iteration: Callable[[Array, float], None],
    ) -> Ended:
        """Run ``iterations`` on ``objective(flat) -> (value, gradient)``, float64.

        ``on_iteration(flat, value)`` follows each iteration, and may raise StopIteration.
        """
        try:
            from scipy.optimize import minimize
        except ImportError as error:
            raise MissingPackageError(
                'LBFGS needs SciPy: pip install "fastmlp[sklearn]"'
            ) from error

        def callback(intermediate_result: Any) -> None:  # SciPy goes by the argument's name
            on_iteration(intermediate_result.x, float(intermediate_result.fun))

        # A line search takes at most 20 evaluations: the iterations are what ends the run.
        options = {
            "maxiter": iterations,
            "maxfun": self.max_eval or 21 * iterations,
            "maxcor": self.history_size,
            "gtol": self.tolerance_grad,
            "ftol": self.tolerance_change,
        }
        found = minimize(
            objective, start, jac=True, method="L-BFGS-B", callback=callback, options=options
        )
        return Ended(found.status == 0, str(found.message))
