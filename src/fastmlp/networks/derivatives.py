"""Derivatives of a network's outputs with respect to its inputs."""

from __future__ import annotations

from typing import Any

from fastmlp.base import derivatives
from fastmlp.base.engine import Engine
from fastmlp.base.validation import Array


class Derivatives:
    """Part of ``Network``: derivatives that compute no gradients of parameters.

    The network is as in ``forward(training=False)``. Neither ``grads`` nor what a ``forward`` has
    saved for its ``backward`` changes. Like ``forward``, these calls need exclusive use of the
    network: while another thread runs one of them, ``forward`` or training, they raise
    ``StateError``. ``predict`` may run at the same time.
    """

    _engine: Engine

    def input_gradient(self, x: Any, dy: Any) -> Any:
        """Compute the gradient of ``sum(dy * net.predict(x))`` with respect to ``x``.

        It is the gradient of a loss for the input if ``dy`` is that for the output: an actor's
        gradient through a critic, an adversarial example, the sensitivity of a prediction. It
        costs forward and backward without the gradients of parameters.

        Parameters
        ----------
        x : array_like, shape (..., in_features)
            One row, or rows with any leading dimensions. A dict by name, or a list, if there are
            several inputs.
        dy : array_like, shape (..., out_features), or callable
            Upstream gradient, with the leading dimensions of ``x``. A dict by name, or a list, if
            there are several outputs. A function gets the outputs, and returns it: so a gradient
            that depends on the outputs needs no ``predict`` before. It may predict with the
            network, and must not change it.

        Returns
        -------
        ndarray, shape (..., in_features)
            A dict by name if there are several inputs.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If ``x`` or ``dy`` does not fit. Sparse rows are refused.
        StateError
            If another thread computes with the network (predictions do not count), or a function
            ``dy`` changes its parameters.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(2, 1, init=fm.initializers.Constant(3.0)))
        >>> net.input_gradient([[1.0, 2.0]], [[1.0]]).tolist()
        [[3.0, 3.0]]
        """
        return derivatives.vjp(self._engine, x, dy, outputs=False)[1]

    def vjp(self, x: Any, dy: Any) -> tuple[Any, Any]:
        """Compute the output too: ``(net.predict(x), net.input_gradient(x, dy))`` in one pass.

        The second is the vector-Jacobian product ``dy @ J`` of each row. Arguments and errors are
        those of ``input_gradient``.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(2, 1, init=fm.initializers.Constant(3.0)))
        >>> scores, dx = net.vjp([[1.0, 2.0]], [[1.0]])
        >>> scores.tolist(), dx.tolist()
        ([[9.0]], [[3.0, 3.0]])
        >>> net.vjp([[1.0, 2.0]], lambda scores: 2 * scores)[1].tolist()  # of the square
        [[54.0, 54.0]]
        """
        return derivatives.vjp(self._engine, x, dy, outputs=True)

    def jvp(self, x: Any, dx: Any) -> Any:
        """Compute the derivative of the outputs along a direction of the inputs: ``J @ dx``.

        It costs as much as the Jacobian: forward and backward over every row once for each output.

        Parameters
        ----------
        x : array_like, shape (..., in_features)
        dx : array_like, shape (..., in_features)
            A direction for each row. Both are a dict by name, or a list, if there are several
            inputs.

        Returns
        -------
        ndarray, shape (..., out_features)
            A dict by name if there are several outputs.

        Raises
        ------
        ArgumentError, ArgumentTypeError, StateError
            As for ``input_gradient``.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Square(), in_features=2)
        >>> net.jvp([3.0, 5.0], [1.0, 0.5]).tolist()
        [6.0, 5.0]
        """
        return derivatives.jvp(self._engine, x, dx)

    def jacobian(self, x: Any) -> Array:
        """Compute the gradient of every output with respect to the input, for each row.

        Forward and backward run over every row once for each output.
        ``grads``, and what a ``forward`` of the network has saved, stay as they are.

        Parameters
        ----------
        x : array_like, shape (..., in_features)
            One row, or rows with any leading dimensions.

        Returns
        -------
        ndarray, shape (..., out_features, in_features)
            ``J[..., m, n]`` is the derivative of output ``m`` with respect to input ``n``. Lecture
            notes that write ``(dy/dx)[n, m] = dy_m / dx_n`` mean its transpose.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If ``x`` does not fit, or the network has several inputs or outputs.

        Notes
        -----
        The network is as in ``forward(training=False)``. A shallow copy of the object of a
        ``Custom`` node is called, so what the object has saved stays, and its ``gradients``. A
        node of your own that mixes the rows of a batch cannot be right here: an output's gradient
        is taken with respect to its own row alone, in a batch that has each row several times.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.ReLU(), in_features=3)
        >>> net.jacobian([1.0, -2.0, 3.0]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
        """
        return derivatives.jacobian(self._engine, x)
