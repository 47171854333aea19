"""The quasi-Newton optimizer: SciPy's L-BFGS-B on the network's flat array of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, MissingPackageError, StateError
from fastmlp.base.validation import Array
from fastmlp.optim.base import Optimizer

__all__ = ["LBFGS"]


class Ended(NamedTuple):
    """How a minimisation ended: it converged, or it met the limit that ``message`` names."""

    converged: bool
    message: str


class LBFGS(Optimizer):
    """Limited-memory BFGS with a line search (Liu and Nocedal, 1989), by SciPy's L-BFGS-B.

    For small problems: every iteration uses all the data. In ``fit`` an epoch is one iteration, and
    ``batch_size`` must be left out. In ``Trainer.step`` a step is ``max_iter`` iterations on that
    batch. The line search chooses the length of a step, so there is no learning rate.

    Parameters
    ----------
    max_iter : int, default 20
        Iterations in one ``Trainer.step``.
    history_size : int, default 10
        How many past steps approximate the Hessian.
    max_eval : int, optional
        Largest number of evaluations of loss and gradient in all line searches together; by default
        21 for each iteration.
    tolerance_grad : float, default 1e-7
        Stop when no element of the gradient is larger than this.
    tolerance_change : float, default 1e-9
        Stop when the relative change of the loss is smaller than this.
    groups : None
        Not supported: there is no learning rate that a group could multiply.

    Raises
    ------
    MissingPackageError
        If SciPy is not installed.

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
        groups: None = None,
    ) -> None:
        if groups is not None:
            raise ArgumentError(
                f"groups: got {validation.shown(groups)}; want None: LBFGS has no learning rate "
                "and no weight decay (layer.trainable = False works with it)"
            )
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
        """Return some optimizer for the core, which computes penalties only; SciPy updates."""
        return 0, tuple(float(default) for _, default in _core.optimizers()[0]["hyper"])

    def minimize(
        self,
        objective: Callable[[Array], tuple[float, Array]],
        start: Array,
        iterations: int,
        on_iteration: Callable[[Array, float], None],
    ) -> Ended:
        """Minimise ``objective(flat) -> (value, gradient)``, in float64.

        ``on_iteration(flat, value)`` is called after each iteration; it may raise StopIteration.
        """
        try:
            from scipy.optimize import minimize
        except ImportError as error:
            raise MissingPackageError(
                'LBFGS needs SciPy: pip install "fastmlp[sklearn]"'
            ) from error

        def callback(intermediate_result: Any) -> None:  # SciPy looks at the name of the argument
            on_iteration(intermediate_result.x, float(intermediate_result.fun))

        # A line search takes at most 20 evaluations, so 21 for each iteration never end the run.
        options = {
            "maxiter": iterations,
            "maxfun": self.max_eval or 21 * iterations,
            "maxcor": self.history_size,
            "gtol": self.tolerance_grad,
            "ftol": self.tolerance_change,
        }

        def checked(flat: Array) -> tuple[float, Array]:
            value, gradient = objective(flat)
            # SciPy's C code trusts the lengths, and would write outside its own arrays.
            if gradient.shape != start.shape:
                raise StateError(
                    f"grads: got {gradient.size} numbers for {start.size} parameters; shape and "
                    "dtype of a network's arrays must not be changed while it is trained"
                )
            return value, gradient

        found = minimize(
            checked, start, jac=True, method="L-BFGS-B", callback=callback, options=options
        )
        return Ended(found.status == 0, str(found.message))
