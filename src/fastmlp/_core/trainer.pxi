# Losses and trainers.

cdef fm_targets targets_of(object target, object sample_weight):
    cdef fm_targets targets
    cdef cnp.ndarray array = target
    targets.label = NULL
    targets.values = NULL
    targets.cols = 0
    targets.weight = data(sample_weight)
    # int64 may carry either of two type numbers, long's or long long's.
    if cnp.PyTypeNum_ISINTEGER(cnp.PyArray_TYPE(array)):
        targets.label = <const int64_t *>cnp.PyArray_DATA(array)
    else:
        targets.values = cnp.PyArray_DATA(array)
        targets.cols = cnp.PyArray_DIM(array, 1) if cnp.PyArray_NDIM(array) == 2 else 1
    return targets


cdef int fill_epoch(fm_epoch *epoch, object x, object target, object sample_weight) except -1:
    """Inputs and targets: one array each, or lists; nothing changes from step to step."""
    epoch.penalty = epoch.weight_decay = epoch.dropout = epoch.label_smoothing = NULL
    epoch.losses = NULL
    point_at(<void **>epoch.x, x)
    epoch.rows = rows_of(x)
    if not isinstance(target, list):
        epoch.targets[0] = targets_of(target, sample_weight)
        return 0
    for i, one in enumerate(<list>target):
        epoch.targets[i] = targets_of(one, sample_weight)
    return 0


cdef class _LossSpec:
    """A loss description and the memory it points to."""
    cdef fm_loss_spec spec
    cdef object params

    def __init__(self, int kind, params, str reduction):
        self.params = np.array(tuple(params) or (0.0,), np.float64)
        self.spec.kind = kind
        self.spec.mean = reduction == "mean"
        self.spec.n_params = len(self.params)
        self.spec.params = <const double *>data(self.params)


def loss_forward(int kind, params, str reduction, scores, target, sample_weight):
    """The loss and dL/dscores."""
    cdef _LossSpec loss = _LossSpec(kind, params, reduction)
    cdef cnp.ndarray array = scores
    cdef int64_t rows = cnp.PyArray_DIM(array, 0), n = cnp.PyArray_DIM(array, 1)
    cdef int typenum = cnp.PyArray_TYPE(array)
    cdef fm_dtype dtype = FM_F32 if typenum == cnp.NPY_FLOAT32 else FM_F64
    cdef fm_targets targets = targets_of(target, sample_weight)
    cdef double value = 0.0
    gradient = empty(rows, n, typenum)
    cdef void *to_gradient = data(gradient)
    cdef void *from_scores = data(scores)
    cdef fm_status status
    with nogil:
        status = fm_loss(&loss.spec, dtype, rows, n, from_scores, &targets, &value, to_gradient)
    check(status)
    return value, gradient


cdef class _TrainerHandle:
    """Owns the C trainer, and keeps the network that it borrows."""
    cdef fm_trainer *trainer
    cdef _NetHandle net

    def __dealloc__(self):
        fm_trainer_free(self.trainer)


cdef class Trainer:
    """A network, a loss and an optimizer with its state: whole steps and epochs in C."""
    cdef _TrainerHandle handle
    cdef fm_trainer *trainer
    cdef list losses
    cdef _Runners runners
    cdef readonly Net net
    cdef readonly list state
    cdef readonly object powers
    cdef object groups  # gives the parameter groups
    cdef int64_t groups_version
    cdef public double lr
    cdef readonly int64_t steps_done

    def __init__(self, Net net, list heads, tuple optimizer, list penalties, double clip_norm,
                 groups=None):
        """`heads`: for each output its loss's description and its weight.

        `groups()` gives the parameter groups, (end, factor of the rate, of the decay) each: it is
        called now, and before the first update after `net.groups_version` has changed.
        """
        cdef fm_optimizer_spec spec
        cdef fm_head head[8]
        cdef void *slot
        pairs = np.array(penalties, np.float64)  # (exponent, lambda) each
        kind, hyper = optimizer
        spec.kind = kind
        for i in range(FM_HYPERS):
            spec.hyper[i] = hyper[i] if i < len(hyper) else 0.0
        spec.clip_norm = clip_norm
        spec.n_penalties = len(penalties)
        spec.penalties = <const fm_penalty *>data(pairs)
        self.net = net
        # A loss of the caller's own comes as an object, not as a description.
        custom = {i: loss for i, (loss, _) in enumerate(heads) if not isinstance(loss, tuple)}
        none = (-1, (), "mean")
        self.losses = []
        for i, (loss, weight) in enumerate(heads):
            self.losses.append(_LossSpec(*(none if i in custom else loss)))
            head[i].loss = (<_LossSpec>self.losses[i]).spec
            head[i].weight = weight
        self.handle = _TrainerHandle()
        self.handle.net = net.handle
        check(fm_trainer_new(net.net, head, &spec, &self.handle.trainer))
        self.trainer = self.handle.trainer
        self.runners = _Runners(custom, net.typenum)
        fm_trainer_set_custom(self.trainer, run_custom_loss, <void *>self.runners)
        self.lr = 1e-3
        self.state = []
        for i in range(FM_SLOTS):
            slot = fm_trainer_slot(self.trainer, i)
            if slot != NULL:
                self.state.append(view(self.handle, slot, net.params.size, net.typenum))
        self.powers = view(self.handle, fm_trainer_powers(self.trainer), 2, cnp.NPY_FLOAT64)
        self.groups = groups
        self.set_groups()

    @property
    def t(self):
        """Updates done."""
        return fm_trainer_updates(self.trainer)[0]

    @t.setter
    def t(self, int64_t value):
        self.net.enter()
        fm_trainer_updates(self.trainer)[0] = value
        self.net.leave()

    cdef int set_groups(self) except -1:
        """Take the groups as they are now."""
        self.groups_version = self.net.groups_version
        if self.groups is None:
            return 0
        found = self.groups()
        cdef cnp.ndarray packed = np.zeros(len(found) * sizeof(fm_group), np.uint8)
        cdef fm_group *group = <fm_group *>cnp.PyArray_DATA(packed)
        for i, (end, lr, weight_decay) in enumerate(found):
            group[i].end = end
            group[i].lr = lr
            group[i].weight_decay = weight_decay
        check(fm_trainer_set_groups(self.trainer, len(found), group))
        return 0

    cdef int enter(self) except -1:
        """Take the network, and its groups if they have changed."""
        self.net.enter()
        if self.groups_version == self.net.groups_version:
            return 0
        try:
            self.set_groups()
        except BaseException:
            self.groups_version = -1
            self.net.leave()
            raise
        return 0

    cdef double train(self, const fm_epoch *epoch) except? -1.0:
        cdef double value = 0.0
        cdef fm_status status
        self.enter()
        with nogil:
            status = fm_train(self.trainer, epoch, &value, &self.steps_done)
        self.net.leave()
        if status == FM_INTERRUPTED:  # by a loss, by a node, or by the poll function
            self.runners.raise_error()
            if self.net.runners is not None:
                self.net.runners.raise_error()
        else:
            check(status)
        return value

    cpdef double step(self, object x, object target, object sample_weight) except? -1.0:
        """One step on one batch; returns the loss with penalties, before the update."""
        cdef fm_epoch epoch
        fill_epoch(&epoch, x, target, sample_weight)
        epoch.batch = epoch.rows
        epoch.order = NULL
        epoch.lr = &self.lr
        epoch.poll = NULL
        epoch.poll_context = NULL
        return self.train(&epoch)

    def epoch(self, x, target, sample_weight, order, int64_t batch_size, lrs,
              penalties=None, losses=None, weight_decays=None, dropouts=None,
              label_smoothings=None):
        """All batches once; a signal's exception is raised after the last finished step.

        `penalties` and `dropouts` (steps) are factors of the penalties and of dropout's
        probabilities, `weight_decays` and `label_smoothings` (steps) take the place of the
        optimizer's and the losses' own; `losses` (steps, 2) takes each step's loss and its
        penalties.
        """
        cdef fm_epoch epoch
        cdef _Signals signals = _Signals()
        fill_epoch(&epoch, x, target, sample_weight)
        epoch.order = <const int64_t *>data(order)
        epoch.batch = batch_size
        epoch.lr = <const double *>data(lrs)
        epoch.penalty = <const double *>data(penalties)
        epoch.weight_decay = <const double *>data(weight_decays)
        epoch.dropout = <const double *>data(dropouts)
        epoch.label_smoothing = <const double *>data(label_smoothings)
        epoch.losses = <double *>data(losses)
        epoch.poll = poll_signals
        epoch.poll_context = <void *>signals
        value = self.train(&epoch)
        if signals.error is not None:
            raise signals.error
        return value

    def update(self):
        """One optimizer update from the network's gradients."""
        self.enter()
        cdef fm_status status = fm_trainer_update(self.trainer, self.lr)
        self.net.leave()
        check(status)

    def penalty(self):
        """The penalties' value."""
        cdef double value = 0.0
        check(fm_trainer_penalty(self.trainer, &value))
        return value

    def add_penalty_gradient(self, double factor=1.0):
        """Add the penalties' gradient, times `factor`, to the network's."""
        self.net.enter()
        fm_trainer_add_penalty_gradient(self.trainer, factor)
        self.net.leave()
