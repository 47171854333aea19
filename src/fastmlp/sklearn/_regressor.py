"""The regressor."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import xlogy
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from fastmlp.base.validation import Array
from fastmlp.losses.base import Loss
from fastmlp.losses.classes import CrossEntropyLoss, MultiMarginLoss
from fastmlp.losses.regression import HuberLoss, L1Loss, MSELoss, PoissonNLLLoss
from fastmlp.sklearn._base import BaseMLP

_LOSSES = {"squared_error", "poisson", "absolute_error", "huber"}


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]
    """Multi-layer perceptron regressor with scikit-learn's interface, trained by fastmlp.

    Parameters and fitted attributes of ``sklearn.neural_network.MLPRegressor`` have the same
    meaning and the same defaults here. With the same ``random_state``, the initial weights and the
    order of the rows are also the same. The parameters with a text below are fastmlp's additions,
    or have more choices.

    Parameters
    ----------
    loss : str or Loss, default "squared_error"
        "squared_error" or "poisson" (predictions are rates, with a log link), as in scikit-learn;
        "absolute_error" or "huber"; or one of fastmlp's losses, computed on the network's outputs.
    hidden_layer_sizes : array-like of int, default (100,)
    activation : str or Layer, default "relu"
        "identity", "logistic", "tanh", "relu"; "leaky_relu", "elu", "selu", "gelu", "silu",
        "mish", "softplus"; or one of fastmlp's activation layers.
    solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle, \
random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping, \
validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As in scikit-learn.
    dropout : float, default 0
        Probability of dropout after each hidden layer.
    callbacks : list, optional
        Objects with ``on_epoch_end(state)``, as in ``fastmlp.fit``.
    n_threads : int, optional
        ``fastmlp.get_num_threads()`` by default.
    dtype : {"auto", "float32", "float64"}, default "auto"
        Type of the network. "auto" is float32, except that it is float64 for the solver "lbfgs" and
        for fewer than 1,000 rows unless ``X`` is float32.
    compute : {None, "bfloat16"}, default None
        With "bfloat16", the operands of matrix products are rounded to bfloat16; the network is
        float32.
    clip_norm : float, optional
        Largest norm of the gradient of a step.
    time_budget : float, optional
        Seconds after which training stops, at the end of an epoch.
    progress : bool, default False
        Whether to show a progress bar.

    Attributes
    ----------
    coefs_, intercepts_, n_iter_, loss_, loss_curve_, best_loss_, validation_scores_, \
best_validation_score_, t_, n_layers_, n_outputs_, out_activation_, n_features_in_, \
feature_names_in_
        As in scikit-learn. With several outputs, training minimises the sum of their losses, and
        ``loss_curve_`` holds the mean.
    validation_loss_curve_ : list of float, or None
        Loss on the validation set after each epoch.
    network_ : Sequential
        The network itself.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.sklearn import MLPRegressor
    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> model = MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", random_state=0)
    >>> model.fit(X, X.ravel() ** 2).score(X, X.ravel() ** 2) > 0.99
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions(_LOSSES), Loss],
    }
    _y_numeric = True

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        callbacks: Any = None,
        n_threads: int | None = None,
        dtype: str = "auto",
        compute: str | None = None,
        clip_norm: float | None = None,
        time_budget: float | None = None,
        progress: bool = False,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dropout = dropout
        self.callbacks = callbacks
        self.n_threads = n_threads
        self.dtype = dtype
        self.compute = compute
        self.clip_norm = clip_norm
        self.time_budget = time_budget
        self.progress = progress

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPRegressor:  # fmt: skip
        """Fit the network.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional
        X_val, y_val, sample_weight_val : optional
            A validation set for ``validation_scores_``, ``validation_loss_curve_`` and
            ``early_stopping``, which otherwise takes a part of ``X``.

        Returns
        -------
        self
            Unchanged if the fit fails or is interrupted.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), False)  # type: ignore[no-any-return]

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPRegressor:  # fmt: skip
        """Train one pass over the given rows.

        Parameters
        ----------
        X, y, sample_weight
            As in ``fit``.
        X_val, y_val, sample_weight_val : optional
            A validation set; with ``early_stopping`` the attribute ``should_stop_`` then says when
            patience has run out.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), True)  # type: ignore[no-any-return]

    def predict(self, X: Any) -> Array:
        """Return predictions, shape (n_samples,) or (n_samples, n_outputs)."""
        return self._values(self._scores(X))

    def _values(self, scores: Array) -> Array:
        found = np.exp(scores) if self.out_activation_ == "exp" else scores
        return found.ravel() if found.shape[1] == 1 else found

    # ---- for the base ----

    def _checked_targets(self, y: Any, first: bool, incremental: bool) -> Any:
        self.out_activation_ = "exp" if self.loss == "poisson" else "identity"
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self.loss == "poisson" and np.any(y < 0):
            raise ValueError("loss='poisson' wants y >= 0")
        return y

    def _encoded(self, y: Any, dtype: Any) -> tuple[Array, int]:
        table = np.ascontiguousarray(y, dtype)
        table = table.reshape(-1, 1) if table.ndim == 1 else table
        return table, table.shape[1]

    def _make_loss(self, width: int) -> tuple[Loss, float]:
        if isinstance(self.loss, (CrossEntropyLoss, MultiMarginLoss)):
            raise ValueError(f"loss: got {self.loss!r}, which is for classes; want one for numbers")
        if isinstance(self.loss, Loss):
            return self.loss, 1.0
        # scikit-learn takes the sum over the outputs, and half the square; fastmlp takes the mean.
        made: dict[str, tuple[Loss, float]] = {
            "squared_error": (MSELoss(), 0.5 * width),
            "poisson": (PoissonNLLLoss(), float(width)),
            "absolute_error": (L1Loss(), float(width)),
            "huber": (HuberLoss(), float(width)),
        }
        return made[self.loss]

    def _loss_offsets(self, y: Any) -> Array | None:
        if self.loss != "poisson":
            return None
        table = np.asarray(y, np.float64).reshape(len(y), -1)
        found: Array = (xlogy(table, table) - table).sum(axis=1)
        return found

    def _loss_share(self, width: int) -> float:
        # scikit-learn minimises the sum of the outputs' losses, and reports their mean.
        return 1.0 if self.loss == "poisson" or isinstance(self.loss, Loss) else 1.0 / width

    def _score_of(self, scores: Array, y: Any, weights: Array | None) -> float:
        found = self._values(scores)
        if not np.isfinite(found).all():
            return float("nan")
        return float(r2_score(y, found, sample_weight=weights))
