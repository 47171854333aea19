"""The classifier."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import column_or_1d

from fastmlp.base.validation import Array
from fastmlp.losses.base import Loss
from fastmlp.losses.classes import BCEWithLogitsLoss, CrossEntropyLoss, MultiMarginLoss
from fastmlp.sklearn._base import BaseMLP


class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]
    """Multi-layer perceptron classifier with scikit-learn's interface, trained by fastmlp.

    Parameters and fitted attributes of ``sklearn.neural_network.MLPClassifier`` have the same
    meaning and the same defaults here. With the same ``random_state``, the initial weights and the
    order of the rows are also the same. The parameters with a text below are fastmlp's additions,
    or have more choices.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default (100,)
    activation : str or Layer, default "relu"
        "identity", "logistic", "tanh", "relu"; "leaky_relu", "elu", "selu", "gelu", "silu",
        "mish", "softplus"; or one of fastmlp's activation layers.
    solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle, \
random_state, tol, verbose, warm_start, momentum, nesterovs_momentum, early_stopping, \
validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change, max_fun
        As in scikit-learn.
    loss : {"log_loss", "hinge"} or Loss, default "log_loss"
        "hinge" is the loss of the multiclass SVM; it gives no probabilities.
    class_weight : dict, list of dict, "balanced" or None, default None
        With several labels for each row: a list with a dict of the classes 0 and 1 for each label.
    label_smoothing : float, default 0
        Label smoothing of "log_loss", from 0 to 1.
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
    classes_, coefs_, intercepts_, n_iter_, loss_, loss_curve_, best_loss_, validation_scores_, \
best_validation_score_, t_, n_layers_, n_outputs_, out_activation_, n_features_in_, \
feature_names_in_
        As in scikit-learn.
    validation_loss_curve_ : list of float, or None
        Loss on the validation set after each epoch.
    network_ : Sequential
        The network itself; its outputs are logits.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastmlp.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), solver="lbfgs", random_state=0, max_iter=500).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({"log_loss", "hinge"}), Loss],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
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
        loss: Any = "log_loss",
        class_weight: Any = None,
        label_smoothing: float = 0.0,
        dropout: float = 0.0,
        callbacks: Any = None,
        n_threads: int | None = None,
        dtype: str = "auto",
        compute: str | None = None,
        clip_norm: float | None = None,
        time_budget: float | None = None,
        progress: bool = False,
    ) -> None:
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
        self.loss = loss
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
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
    ) -> MLPClassifier:  # fmt: skip
        """Fit the network.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,), or (n_samples, n_labels) of 0 and 1
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
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None, X_val: Any = None,
        y_val: Any = None, sample_weight_val: Any = None,
    ) -> MLPClassifier:  # fmt: skip
        """Train one pass over the given rows.

        Parameters
        ----------
        X, y, sample_weight
            As in ``fit``.
        classes : array-like, optional
            All classes; needed at the first call.
        X_val, y_val, sample_weight_val : optional
            A validation set. With ``early_stopping``, the attribute ``should_stop_`` becomes True
            after ``n_iter_no_change`` passes without an improvement.
        """
        held_out = (X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, held_out, True, classes)  # type: ignore[no-any-return]

    def predict(self, X: Any) -> Array:
        """Return the classes, shape (n_samples,) or (n_samples, n_labels)."""
        return self._labels(self._scores(X))

    @available_if(lambda estimator: estimator._is_hinge())
    def decision_function(self, X: Any) -> Array:
        """Return the scores (n_samples, n_classes); for two classes their difference (n_samples,).

        Only with ``loss="hinge"``.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    @available_if(lambda estimator: not estimator._is_hinge())
    def predict_proba(self, X: Any) -> Array:
        """Return probabilities, shape (n_samples, n_classes), in the order of ``classes_``."""
        scores = self._scores(X).astype(np.float64)
        if self.out_activation_ == "softmax":
            found: Array = softmax(scores, axis=1)
            return found
        ones: Array = expit(scores)
        return ones if scores.shape[1] > 1 else np.hstack([expit(-scores), ones])

    @available_if(lambda estimator: not estimator._is_hinge())
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of ``predict_proba``."""
        scores = self._scores(X).astype(np.float64)
        if self.out_activation_ == "softmax":
            found: Array = log_softmax(scores, axis=1)
            return found
        if scores.shape[1] == 1:
            return np.hstack([log_expit(-scores), log_expit(scores)])
        # Near 1, take the logarithm of the rounded probability: equal probabilities then have equal
        # logarithms, and both have their maximum at the same label.
        ones: Array = np.where(
            scores > 0.0, np.log(expit(np.maximum(scores, 0.0))), log_expit(scores)
        )
        return ones

    def _labels(self, scores: Array) -> Array:
        if self.out_activation_ == "softmax" or (
            self.out_activation_ == "identity" and scores.shape[1] > 1
        ):
            found: Array = self.classes_[scores.argmax(axis=1)]
            return found
        chosen = (scores > 0).astype(int)
        chosen = chosen if chosen.shape[1] > 1 else chosen.ravel()
        labels: Array = self._binarizer.inverse_transform(chosen)
        return labels

    # ---- for the base ----

    def _begin_partly(self, y: Any, classes: Any) -> None:
        if _check_partial_fit_first_call(self, classes):
            multilabel = type_of_target(y).startswith("multilabel")
            self._binarizer = LabelBinarizer().fit(y if multilabel else classes)

    def _checked_targets(self, y: Any, first: bool, incremental: bool) -> Any:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if "classes_" not in vars(self) or (not self.warm_start and not incremental):
            self._binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._binarizer.classes_
            return y
        multilabel = type_of_target(y).startswith("multilabel")
        if multilabel != self._binarizer.y_type_.startswith("multilabel"):
            raise ValueError(
                f"y: got a target of type {type_of_target(y)!r}; want {self._binarizer.y_type_!r}, "
                "as in the previous call"
            )
        classes = unique_labels(y)
        if self.warm_start and not incremental and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {classes}."
            )
        return y

    def _is_hinge(self) -> bool:
        return self.loss == "hinge" or isinstance(self.loss, MultiMarginLoss)

    def _encoded(self, y: Any, dtype: Any) -> tuple[Array, int]:
        kind = self._binarizer.y_type_
        as_labels = self._is_hinge() or isinstance(self.loss, CrossEntropyLoss)
        if kind == "multiclass" or (kind == "binary" and as_labels):
            self.out_activation_ = "identity" if self._is_hinge() else "softmax"
            labels = np.searchsorted(self.classes_, y).astype(np.int64)
            return labels, len(self.classes_)
        self.out_activation_ = "logistic"
        ones = np.ascontiguousarray(self._binarizer.transform(y), dtype)
        smooth = self.label_smoothing
        return ones * (1 - smooth) + smooth / 2, ones.shape[1]

    def _make_loss(self, width: int) -> tuple[Loss, float]:
        if self.label_smoothing and self.loss != "log_loss":
            raise ValueError(
                f"label_smoothing: got {self.label_smoothing} with loss={self.loss!r}; it is for "
                "'log_loss', want 0"
            )
        if isinstance(self.loss, Loss):
            wanted = BCEWithLogitsLoss if self.out_activation_ == "logistic" else CrossEntropyLoss
            if not isinstance(self.loss, (wanted, MultiMarginLoss)):
                raise ValueError(
                    f"loss: got {self.loss!r}; want MultiMarginLoss or {wanted.__name__} for this y"
                )
            return self.loss, 1.0
        if self._is_hinge():
            return MultiMarginLoss(), 1.0
        if self.out_activation_ == "softmax":
            return CrossEntropyLoss(self.label_smoothing), 1.0
        # scikit-learn takes the sum over the labels, BCEWithLogitsLoss the mean.
        return BCEWithLogitsLoss(), float(width)

    def _balanced(self, y: Any, weights: Array | None) -> Array | None:
        if self.class_weight is None:
            return weights
        of_classes: Array = compute_sample_weight(self.class_weight, y)
        return of_classes if weights is None else of_classes * weights

    def _score_of(self, scores: Array, y: Any, weights: Array | None) -> float:
        return float(accuracy_score(y, self._labels(scores), sample_weight=weights))

    def _stratifies(self, y: Any) -> bool:
        # As in scikit-learn, two classes are split in their proportion, more at random.
        return bool(y.ndim == 1 and len(self.classes_) <= 2)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
