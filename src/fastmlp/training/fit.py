"""``fit``: a trainer made and used in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastmlp.networks.base import Network
from fastmlp.optim.base import Optimizer
from fastmlp.optim.schedules import Schedule
from fastmlp.training.history import History
from fastmlp.training.members import Members
from fastmlp.training.trainer import Trainer


def fit(
    net: Network,
    x: Any,
    y: Any = None,
    *,
    loss: Any,
    optimizer: Optimizer | None = None,
    epochs: int = 10,
    batch_size: int | None = None,
    drop_last: bool = False,
    validation: Any = None,
    sample_weight: Any = None,
    callbacks: Iterable[Any] = (),
    shuffle: bool = True,
    seed: int | None = None,
    progress: bool | None = None,
    schedule: Schedule | None = None,
    schedules: Mapping[str, Schedule] | None = None,
    penalty: Any = None,
    loss_weights: Any = None,
    check_finite: bool = True,
    members: int | Members | None = None,
    nan: str = "warn",
    shards: int | None = None,
    world: Any = None,
) -> History:
    """Train a network for some epochs; each epoch is one call of the core.

    Parameters
    ----------
    net : Sequential or Graph
        Trained in place.
    x : array_like or sparse matrix, shape (N, in_features), or a source of blocks
        At least one row; a dict by name if there are several inputs. With more leading dimensions,
        ``(2, 5, in_features)``, targets and weights have the same, and there are 10 rows. A matrix
        of scipy.sparse stays sparse; only ``Linear`` layers may read it.
        A source of blocks gives ``(x, y)`` or ``(x, y, sample_weight)`` again in each epoch: an
        iterable, a function that returns one, a PyTorch ``DataLoader``, or what the functions of
        ``fm.data`` return. A ``np.memmap`` stays in its file. See Notes.
    y : array_like
        Targets, as ``loss`` takes them; a dict by name if there are several outputs. None for a
        source of blocks.
    loss : Loss, function or object, or dict of them
        A loss of fastmlp, or one of your own: a function ``loss(scores, y)`` that returns value
        and gradient, or an object with ``forward`` and ``backward``. A dict by name if there are
        several outputs; the first one's score is then reported. One loss of your own may read all
        outputs (see ``fm.losses.custom``).
    optimizer : Optimizer, optional
        ``Adam()`` by default.
    epochs : int, default 10
        May be 0.
    batch_size : int, optional
        Rows of a step, 128 by default; the last step of an epoch takes the remaining rows. A
        number above N is N. ``LBFGS`` takes all rows. For a ``DataLoader``, the default is its own.
    drop_last : bool, default False
        Whether each epoch leaves out the remaining rows, so that all steps have ``batch_size``
        rows. With ``shuffle``, these are other rows in each epoch.
    validation : (x, y), (x, y, sample_weight), float or a source of blocks, optional
        Data on which loss and score are computed after each epoch, or the fraction of the rows to
        set aside for this, chosen at random with ``seed``. A source is read once an epoch; scores
        and targets of its rows are held in memory.
    sample_weight : array_like, shape (N,), optional
    callbacks : iterable of objects with ``on_epoch_end(state)`` or ``on_step_end(state)``
        Called in order, after each epoch or after each ``step_every`` steps.
    shuffle : bool, default True
        Whether each epoch takes the rows in a new order, determined by ``seed``.
    seed : int, optional
        ``net.seed`` by default.
    progress : bool, optional
        Whether to show a ``ProgressBar``; by default on terminals and in notebooks.
    schedule : Schedule, optional
        Computes the learning rates from the optimizer's ``lr``, which does not change.
    schedules : dict of str to Schedule, optional
        Schedules of other settings. ``"weight_decay"`` and ``"label_smoothing"`` are values and
        start from those of the optimizer and the loss. ``"dropout"`` is a factor of each
        ``Dropout`` layer's ``p`` and starts from 1.
    penalty : Penalty or list of Penalty, optional
    loss_weights : dict of str to float, optional
        Weights of the losses of several outputs in the sum; 1 by default.
    check_finite : bool, default True
        Whether NaN and infinity in the data are an error. Blocks are checked as they are read.
    members : int or Members, optional
        For a network of several members (a loss with this ``fold``): each member takes the rows of
        ``x`` in an order of its own, or rows of its own. ``x`` and ``validation`` have the columns
        of one member, those of the network's input divided by the number of members.
    nan : {"warn", "raise", "skip", "ignore"}, default "warn"
        What happens if the loss of a step is NaN or infinite. "warn" and "ignore" make the step;
        "raise" raises `NotFiniteError`, and "skip" leaves the step out. Both leave parameters and
        optimizer as they were before the step. A skipped step does not count in the loss of its
        epoch.
    shards : int, optional
        A power of two, 1 by default: each batch is cut into so many contiguous parts, whose
        gradients are computed by themselves and added in a fixed order. So they may be computed
        in several processes, with the same bits. ``BatchNorm`` normalises each part by itself.
    world : World, optional
        The ranks of an MPI program, ``fm.distributed.world()``. Every rank calls ``fit`` with the
        same arguments and rows, and computes with its shards (8 in all by default). Any number of
        ranks gives the bits of one process with as many shards.

    Returns
    -------
    History

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If shapes, types or values do not fit; the parameters are unchanged. If this is noticed
        later, in a block of a source, they are those of the last finished step.
    NotFiniteError
        With ``nan="raise"``, if the loss of a step is NaN or infinite.
    KeyboardInterrupt
        On Ctrl-C. The network then has the parameters of the last finished step. Every exception
        that ends the training has an attribute ``history``, the ``History`` so far.

    Warns
    -----
    RuntimeWarning
        Once, if the loss is no longer finite, with ``nan="warn"``.

    Notes
    -----
    A thread of its own reads a source while the network trains. The batches are cut from its rows
    across the borders of blocks, so the same rows in the same order give the same bits as arrays.
    With ``shuffle``, the blocks of memory maps and of Arrow datasets are permuted in each epoch,
    then the rows of each window of 64 MiB, both by ``seed``; iterables keep the order of their
    blocks, and a ``DataLoader`` its whole order. Rows that fit into one window get the order of
    arrays. Schedules that change from step to step need the number of rows: see
    ``fm.data.iterable``. ``LBFGS`` and ``Members`` take arrays only, and read memory maps like
    them.

    Examples
    --------
    >>> import numpy as np
    >>> import fastmlp as fm
    >>> x = np.linspace(-1, 1, 64).reshape(-1, 1)
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> history = fm.fit(net, x, 2 * x, loss=fm.MSELoss(), optimizer=fm.Adam(lr=0.1),
    ...                  epochs=100, batch_size=16, progress=False)
    >>> history.loss[-1] < 1e-3
    True
    """
    trainer = Trainer(net, loss, optimizer, penalty, loss_weights, nan, shards, world)
    return trainer.fit(x, y, epochs=epochs, batch_size=batch_size, drop_last=drop_last,
                       validation=validation, sample_weight=sample_weight, callbacks=callbacks,
                       shuffle=shuffle, seed=seed, progress=progress, schedule=schedule,
                       schedules=schedules, check_finite=check_finite, members=members)  # fmt: skip
