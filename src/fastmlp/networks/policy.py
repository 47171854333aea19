"""Policies: a network with a distribution of actions, for reinforcement learning."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.networks.base import Network
from fastmlp.networks.frozen import FrozenPredictor
from fastmlp.networks.predictor import EnginePredictor

DISTRIBUTIONS = ("categorical", "gaussian", "squashed_gaussian")
_LAST = "last column"


class Policy(_core.Actor):
    """A network whose scores are a distribution of actions, with a seeded generator.

    Parameters
    ----------
    net : Sequential, Graph or FrozenPredictor
        Its only output holds the scores, or of several the one named "policy", else the first.
        Later changes of its parameters take effect at once.
    distribution : {"categorical", "gaussian", "squashed_gaussian"}
        "categorical": the scores are the logits of the actions. "gaussian": an action is ``n``
        normal numbers, of which the scores are the means, then the logarithms of the standard
        deviations, unless ``log_std`` gives these. "squashed_gaussian": such numbers in a box,
        ``low + (high - low) (1 + tanh(u)) / 2``.
    value : str or network, optional
        The value of an observation: the name of an output of one column; "last column" for that of
        the scores, as ``PPOLoss`` takes them; or another network with the same inputs and one
        output of one column. By default the output named "value", if there is one.
    log_std : float or array_like of shape (n,), or str, optional
        Logarithms of the standard deviations that do not depend on the observation, or the name of
        an output. By default the output named "log_std", if there is one.
    low, high : float or array_like of shape (n,), default -1 and 1
        The box of a squashed Gaussian.
    seed : int, optional
        Of the random numbers; None: from the system's entropy.

    Attributes
    ----------
    log_std : ndarray of shape (n,) or None
        Yours to train, if given as numbers; writing into it takes effect at the next call.
    seed, drawn : int
        The seed, and how many random numbers were drawn since. They determine the next action;
        ``drawn`` can be set.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If outputs and distribution do not fit.

    Notes
    -----
    Random numbers are those of the engine (docs/numerics.md): the same seed gives the same actions,
    bit for bit, for every number of threads, and however the observations are divided into batches.

    Examples
    --------
    >>> import fastmlp as fm
    >>> x = fm.Input(4)
    >>> h = fm.Tanh()(fm.Linear(4, 64)(x))
    >>> net = fm.Graph(x, {"policy": fm.Linear(64, 2)(h), "value": fm.Linear(64, 1)(h)}, seed=0)
    >>> policy = fm.Policy(net, seed=1)
    >>> action, log_prob, value = policy.act([0.0, 0.1, 0.0, -0.1])
    >>> actions, log_probs, values = policy.act([[0.0, 0.1, 0.0, -0.1]] * 8)
    >>> actions.shape, log_probs.shape, values.shape
    ((8,), (8,), (8,))
    """

    def __init__(
        self,
        net: Any,
        distribution: str = "categorical",
        *,
        value: Any = None,
        log_std: Any = None,
        low: Any = -1.0,
        high: Any = 1.0,
        seed: int | None = None,
    ) -> None:
        self.net = _checked(net, "net")
        self.distribution = validation.choice(distribution, "distribution", DISTRIBUTIONS)
        self._options = {"value": value, "log_std": log_std, "low": low, "high": high}
        names, widths = net.output_names, net.core_net().widths_out
        scores = names.index("policy") if "policy" in names else 0
        critic, value_at = _value(self.net, value, scores)
        columns = widths[scores] - (value_at == scores)
        log_std_at, own, self._n = -1, None, columns
        if distribution != "categorical":
            log_std_at, own, self._n = self._spread(log_std, columns)
        elif log_std is not None:
            raise ArgumentError("log_std: got one for 'categorical'; want None")
        if self._n < 1:
            raise ArgumentError(
                f"net: got {columns} columns of scores; want one or more of actions"
            )
        self._log_std = own
        box = _box(low, high, self._n)
        number = validation.seed(seed)
        kind = DISTRIBUTIONS.index(self.distribution)
        self.value_net = critic
        self._bind_policy(
            self.net, critic, kind, self._n, scores, log_std_at, value_at, own, *box, number
        )

    def _spread(self, log_std: Any, columns: int) -> tuple[int, Array | None, int]:
        """Return the output of log_std or -1, the array of log_std or None, and the elements."""
        names = self.net.output_names
        if log_std is None and "log_std" in names:
            log_std = "log_std"
        if isinstance(log_std, str):
            at = _output(self.net, log_std, "log_std", columns)
            return at, None, columns
        if log_std is None:
            if columns % 2:
                raise ArgumentError(
                    f"net: got {columns} columns of scores; want an even number, means and "
                    "logarithms of standard deviations, or log_std="
                )
            return -1, None, columns // 2
        array = validation.numeric(log_std, "log_std")
        if array.ndim == 0:
            array = np.full(columns, array)
        return -1, validation.shaped(array, "log_std", (columns,), self.net.dtype).copy(), columns

    @property
    def log_std(self) -> Array | None:
        """Logarithms of the standard deviations, (n,), if the policy has its own."""
        return self._log_std

    @log_std.setter
    def log_std(self, values: Any) -> None:
        own = self._log_std
        if own is None:
            raise ArgumentError("log_std: this policy takes it from the network")
        own[...] = validation.shaped(values, "log_std", own.shape, own.dtype)

    def _act_checked(self, obs: Any, deterministic: Any) -> Any:
        rows, leading = self.net.own_engine().observations(obs)
        chosen = validation.flag(deterministic, "deterministic")
        return _shaped(self._acted(_given(rows), None, chosen), leading)

    def _evaluate_checked(self, obs: Any, actions: Any) -> Any:
        rows, leading = self.net.own_engine().observations(obs)
        array = validation.numeric(actions, "actions")
        width = () if self.distribution == "categorical" else (self._n,)
        if array.shape != (*leading, *width):
            raise ArgumentError(f"actions: got shape {array.shape}; want {(*leading, *width)}")
        flat = array.reshape((len(rows[0]), *width))
        if width:
            flat = validation.real_array(flat, "actions", self.net.dtype)
        else:
            flat = validation.labels(flat, "actions", len(flat), self._n, "action")
        return _shaped(self._acted(_given(rows), flat, False), leading)

    def value(self, obs: Any) -> Any:
        """Compute the values of observations alone.

        Parameters
        ----------
        obs : array_like, shape (in_features,) or (..., in_features)

        Returns
        -------
        float or ndarray, shape (...)
            None without a value head.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(4, 2))
        >>> critic = fm.Sequential(fm.Linear(4, 1, init="zeros"))
        >>> fm.Policy(net, value=critic).value([[0.0, 0.1, 0.0, -0.1]]).tolist()
        [0.0]
        """
        return self.act(obs, deterministic=True)[2]

    def __reduce__(self) -> Any:
        options = {**self._options, "seed": self.seed}
        if self._log_std is not None:
            options["log_std"] = self._log_std.copy()
        return _restored, (self.net, self.distribution, options, self.drawn)

    def __repr__(self) -> str:
        return f"Policy({self.distribution!r}, {self._n} {self._what()})"

    def _what(self) -> str:
        return "actions" if self.distribution == "categorical" else "numbers an action"


def _restored(net: Any, distribution: str, options: dict[str, Any], drawn: int) -> Policy:
    policy = Policy(net, distribution, **options)
    policy.drawn = drawn
    return policy


def _checked(net: Any, name: str) -> EnginePredictor:
    if not isinstance(net, (Network, FrozenPredictor)):
        raise ArgumentTypeError(
            f"{name}: got {validation.shown(net)}; want a Sequential, a Graph or a FrozenPredictor"
        )
    return net


def _output(net: EnginePredictor, name: str, argument: str, width: int) -> int:
    """Return the position of an output with this name and width."""
    names = net.output_names
    at = names.index(validation.choice(name, argument, names))
    found = net.core_net().widths_out[at]
    if found != width:
        raise ArgumentError(f"{argument}: got output {name!r} of {found} columns; want {width}")
    return at


def _value(net: EnginePredictor, value: Any, scores: int) -> tuple[EnginePredictor | None, int]:
    """Return the network of the value or None, and its output of the policy's network or -1."""
    if value is None:
        if "value" not in net.output_names or len(net.output_names) == 1:
            return None, -1
        value = "value"
    if isinstance(value, str):
        return None, scores if value == _LAST else _output(net, value, "value", 1)
    critic = _checked(value, "value")
    own, core = critic.core_net(), net.core_net()
    if own.widths_out != [1]:
        raise ArgumentError(f"value: got outputs of {own.widths_out} columns; want one of 1")
    if own.widths_in != core.widths_in or own.dtype != core.dtype:
        raise ArgumentError(
            f"value: got a {own.dtype} network of {own.widths_in} inputs; want {core.dtype} and "
            f"{core.widths_in}, as the policy has"
        )
    return critic, -1


def _box(low: Any, high: Any, n: int) -> tuple[Array, Array]:
    """Return the ends of the box, (n,) each."""
    ends = []
    for value, name in ((low, "low"), (high, "high")):
        array = validation.numeric(value, name)
        if array.shape not in {(), (n,)}:
            raise ArgumentError(f"{name}: got shape {array.shape}; want a number or ({n},)")
        ends.append(np.full(n, array, np.float64))
    if not np.isfinite(ends[1] - ends[0]).all() or not (ends[1] > ends[0]).all():
        raise ArgumentError(f"high: got {high!r:.60}; want finite numbers above low={low!r:.60}")
    return ends[0], ends[1]


def _given(rows: list[Array]) -> Any:
    return rows[0] if len(rows) == 1 else rows


def _shaped(found: tuple[Any, ...], leading: tuple[int, ...]) -> tuple[Any, ...]:
    """Return results of rows (N, ...) with their leading dimensions, or those of a single row."""
    return tuple(None if one is None else _reshaped(one, leading) for one in found)


def _reshaped(array: Array, leading: tuple[int, ...]) -> Any:
    shaped = array.reshape((*leading, *array.shape[1:]))
    return shaped if shaped.ndim else shaped.item()
