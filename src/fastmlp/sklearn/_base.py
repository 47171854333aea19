"""The common base of classifier and regressor: parameters, fit and fitted attributes."""

from __future__ import annotations

from contextlib import ExitStack
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastmlp.base.threads import threads
from fastmlp.base.validation import Array
from fastmlp.layers import Linear
from fastmlp.layers.activations import Activation
from fastmlp.losses.base import Loss
from fastmlp.sklearn import _rows
from fastmlp.sklearn._epochs import EpochFit
from fastmlp.sklearn._lbfgs import LbfgsFit
from fastmlp.sklearn._network import (
    ACTIVATION_NAMES,
    Views,
    hidden_sizes,
    make_network,
    remake_network,
)

# Below this number of rows time does not matter, so "auto" takes the more exact type.
FEW_ROWS = 1000


class BaseMLP(BaseEstimator):  # type: ignore[misc]
    """Base of ``MLPClassifier`` and ``MLPRegressor``."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATION_NAMES)), Activation],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "callbacks": [None, list, tuple],
        "n_threads": [None, Interval(Integral, 1, None, closed="left")],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "compute": [None, StrOptions({"bfloat16"})],
        "clip_norm": [None, Interval(Real, 0, None, closed="neither")],
        "time_budget": [None, Interval(Real, 0, None, closed="neither")],
        "progress": ["boolean"],
    }
    loss: Any
    _net: Any

    @property
    def coefs_(self) -> list[Array]:
        """Weights of each layer, (n_inputs, n_outputs), as writable views."""
        return Views(layer.W for layer in self._linears(self._fitted_net()))

    @coefs_.setter
    def coefs_(self, values: Any) -> None:
        self.coefs_[:] = values

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of each layer, as writable views."""
        return Views(layer.b for layer in self._linears(self._fitted_net()))

    @intercepts_.setter
    def intercepts_(self, values: Any) -> None:
        self.intercepts_[:] = values

    @property
    def network_(self) -> Any:
        """The trained ``Sequential``; its outputs are logits, or means before the inverse link."""
        return self._fitted_net()

    @staticmethod
    def _linears(net: Any) -> list[Any]:
        return [layer for layer in net.layers if isinstance(layer, Linear)]

    def _fitted_net(self) -> Any:
        net = vars(self).get("_net")
        if net is None:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")
        return net

    def __sklearn_is_fitted__(self) -> bool:
        return "_net" in vars(self)

    def _check_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        return True

    # ---- defined by the subclasses ----

    def _checked_targets(self, y: Any, first: bool, incremental: bool) -> Any:
        raise NotImplementedError

    def _begin_partly(self, y: Any, classes: Any) -> None:
        """Prepare a pass of ``partial_fit``."""

    def _encoded(self, y: Any, dtype: Any) -> tuple[Array, int]:
        """Return the targets for the loss, and the width of the network's output."""
        raise NotImplementedError

    def _make_loss(self, width: int) -> tuple[Loss, float]:
        """Return the loss, and the factor that makes it equal to scikit-learn's."""
        raise NotImplementedError

    def _loss_offsets(self, y: Any) -> Array | None:
        """Return the constant that scikit-learn adds to the loss of each row."""
        return None

    def _loss_share(self, width: int) -> float:
        """Return the factor between the minimised loss and the one that scikit-learn reports."""
        return 1.0

    def _score_of(self, scores: Array, y: Any, weights: Array | None) -> float:
        raise NotImplementedError

    def _balanced(self, y: Any, weights: Array | None) -> Array | None:
        """Return the sample weights times the class weights."""
        return weights

    # ---- fit ----

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, held_out: tuple[Any, Any, Any],
        incremental: bool, classes: Any = None,
    ) -> Any:  # fmt: skip
        before = dict(vars(self))
        try:
            if incremental:
                self._begin_partly(y, classes)
            with ExitStack() as stack:
                if self.n_threads is not None:
                    stack.enter_context(threads(int(self.n_threads)))
                self._train(X, y, sample_weight, held_out, incremental)
        except BaseException:
            # A failed fit must leave the estimator unchanged.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _train(
        self, X: Any, y: Any, sample_weight: Any, held_out: tuple[Any, Any, Any],
        incremental: bool,
    ) -> None:  # fmt: skip
        hidden = hidden_sizes(self.hidden_layer_sizes)
        first = not hasattr(self, "_net") or not (self.warm_start or incremental)
        given = (held_out[0] is None) + (held_out[1] is None)
        if given == 1:
            raise ValueError("X_val and y_val go together: one of them is None")
        if held_out[2] is not None and held_out[0] is None:
            raise ValueError("sample_weight_val: got weights without X_val; want both, or None")
        X, y = self._checked(X, y, first, incremental)
        dtype = self._float_type(X)
        weights = None
        if sample_weight is not None:
            weights = _row_weights(sample_weight, X, "sample_weight", dtype)
        random = check_random_state(self.random_state)
        _, width = self._encoded(y[:1], dtype)
        if first:
            widths = [X.shape[1], *hidden, width]
            net = make_network(widths, self.activation, self.dropout, dtype, random, self.compute)
            self.n_iter_, self.t_ = 0, 0
        else:
            dtype = self._net.dtype if self.dtype == "auto" else dtype
            widths = [X.shape[1], *hidden, width]
            self._check_widths(widths)
            net = remake_network(
                self._net, widths, self.activation, self.dropout, dtype, self.compute
            )
        self.n_layers_, self.n_outputs_ = len(hidden) + 2, width
        y, weights, chosen, held = self._held_out(X, y, weights, held_out, incremental, random)
        weights = self._balanced(y, weights)
        if self.solver == "lbfgs":
            LbfgsFit(self, net, X, y, weights, chosen, held, random).run()
        else:
            old = None if first else dict(vars(self))
            EpochFit(self, net, X, y, weights, chosen, held, random, old, incremental).run()
        self._net = net

    def _check_widths(self, wanted: list[int]) -> None:
        """Raise if the parameters and y need another network than the one to continue with."""
        known = [weights.shape[0] for weights in self.coefs_] + [self.coefs_[-1].shape[1]]
        if known != wanted:
            raise ValueError(
                f"this fit goes on with a network of widths {known}, but hidden_layer_sizes, X and "
                f"y ask for {wanted}"
            )

    def _checked(self, X: Any, y: Any, first: bool, incremental: bool) -> tuple[Any, Any]:
        X, y = validate_data(
            self, X, y, accept_sparse=["csr", "csc"], multi_output=True,
            y_numeric=self._y_numeric, dtype=(np.float64, np.float32), reset=first,
        )  # fmt: skip
        return X, self._checked_targets(y, first, incremental)

    def _float_type(self, X: Any) -> np.dtype[Any]:
        few = X.shape[0] < FEW_ROWS and X.dtype != np.float32
        exact = self.compute is None and (self.solver == "lbfgs" or few)
        auto = "float64" if exact else "float32"
        return np.dtype(auto if self.dtype == "auto" else self.dtype)

    def _held_out(
        self, X: Any, y: Any, weights: Any, given: tuple[Any, Any, Any], incremental: bool,
        random: Any,
    ) -> tuple[Any, Any, Any, Any]:  # fmt: skip
        """Return what belongs to the training rows, their positions in X, and the validation set.

        No positions mean all rows. The validation set is None, or its rows, targets and weights.
        If it is a part of X, its rows are given by their positions.
        """
        if given[0] is not None:
            xv, yv = self._checked(given[0], given[1], False, True)
            wv = given[2]
            if wv is not None:
                wv = _row_weights(wv, xv, "sample_weight_val")
            return y, weights, None, (xv, yv, wv)
        if not self.early_stopping or self.solver == "lbfgs":
            return y, weights, None, None
        if incremental:
            raise ValueError(
                "partial_fit does not support early_stopping=True without a validation set: give "
                "X_val and y_val"
            )
        stratify = y if self._stratifies(y) else None
        train, test = train_test_split(
            np.arange(X.shape[0]), random_state=random, test_size=self.validation_fraction,
            stratify=stratify,
        )  # fmt: skip
        if len(test) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        w, wv = (None, None) if weights is None else (weights[train], weights[test])
        return y[train], w, train, (test, y[test], wv)

    def _stratifies(self, y: Any) -> bool:
        return False

    _y_numeric = False

    # ---- afterwards ----

    def _scores(self, X: Any) -> Array:
        """Return the network's outputs for X, in its float type."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        if X.dtype.kind not in "biuf" or X.dtype == np.longdouble:
            # Check again: large numbers may be infinite in the network's type, and the first check
            # does not look into lists of objects.
            X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=np.float64, reset=False)
        with ExitStack() as stack:
            if self.n_threads is not None:
                stack.enter_context(threads(int(self.n_threads)))
            return _rows.scores(self._net, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _row_weights(given: Any, X: Any, name: str, dtype: Any = np.float64) -> Any:
    """Return the weights in a float type; refuse complex ones, which would lose a part."""
    if np.iscomplexobj(np.asarray(given)):
        raise ValueError(f"{name}: got {given!r:.80}; want real numbers")
    return _check_sample_weight(given, X, dtype=dtype)
