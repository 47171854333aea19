# Trainers.

cdef class _TrainerHandle:
    """Owns the C trainer, and keeps its network alive."""
    cdef fm_trainer *trainer
    cdef _NetHandle net

    def __dealloc__(self):
        fm_trainer_free(self.trainer)


cdef class Trainer:
    """A network, a loss and an optimizer with its state; runs whole steps and epochs in C."""
    cdef _TrainerHandle handle
    cdef fm_trainer *trainer
    cdef int kinds[FM_MOST_ENDS]  # the loss of each output
    cdef int64_t folds[FM_MOST_ENDS]  # the number of its members
    cdef list losses
    cdef _Runners runners
    cdef readonly Net net
    cdef readonly list state
    cdef readonly object powers
    cdef object groups  # a function that returns the parameter groups
    cdef int64_t groups_version
    cdef public double lr
    cdef readonly int64_t steps_done

    def __init__(self, Net net, list heads, tuple optimizer, list penalties, double clip_norm,
                 groups=None):
        """`heads`: for each output, the description of its loss and its weight.

        `groups()` returns the parameter groups, each as (end, factor of the learning rate, factor
        of weight decay). It is called now, and again before the first update after a change of
        `net.groups_version`.
        """
        if self.handle is not None:
            raise StateError("this core trainer has been made already")
        cdef fm_optimizer_spec spec
        cdef fm_head head[FM_MOST_ENDS]
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
        # A custom loss is an object, not a description.
        custom = {i: loss for i, (loss, _) in enumerate(heads) if not isinstance(loss, tuple)}
        none = (-1, (), "mean")
        self.losses = []
        for i, (loss, weight) in enumerate(heads):
            self.losses.append(_LossSpec(*(none if i in custom else loss)))
            head[i].loss = (<_LossSpec>self.losses[i]).spec
            self.kinds[i], self.folds[i] = head[i].loss.kind, head[i].loss.fold
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
        """Number of updates so far."""
        return fm_trainer_updates(self.trainer)[0]

    @t.setter
    def t(self, int64_t value):
        self.net.enter()
        fm_trainer_updates(self.trainer)[0] = value
        self.net.leave()

    cdef int set_groups(self) except -1:
        """Read the current groups."""
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
        """Take the network, and read its groups if they have changed."""
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

    cdef int run(self, const fm_epoch *epoch, double *value) except -1:
        """Train; returns FM_OK or FM_BAD_INDEX."""
        cdef fm_status status
        self.enter()
        with nogil:
            status = fm_train(self.trainer, epoch, value, &self.steps_done)
        self.net.leave()
        if status == FM_INTERRUPTED or status == FM_BAD_LABEL:
            # A loss, a node or the poll function raised it.
            self.runners.raise_error()
            if self.net.runners is not None:
                self.net.runners.raise_error()
            if status == FM_BAD_LABEL:
                raise bad_label(value[0])
            return FM_OK
        if status != FM_BAD_INDEX:
            check(status)
        return status

    cdef double train(self, const fm_epoch *epoch) except? -1.0:
        cdef double value = 0.0
        check(<fm_status>self.run(epoch, &value))
        return value

    cdef void one_batch(self, fm_epoch *epoch, int64_t rows) noexcept:
        """One step on all rows; the caller sets `x`, or `sparse`, and the targets."""
        epoch.sparse.start = NULL
        epoch.rows = epoch.batch = rows
        epoch.fold = 1
        epoch.order = NULL
        epoch.lr = &self.lr
        epoch.penalty = epoch.weight_decay = epoch.dropout = epoch.label_smoothing = NULL
        epoch.losses = epoch.members = epoch.totals = NULL
        epoch.poll = NULL
        epoch.poll_context = NULL

    cdef int fill(self, fm_epoch *epoch, object x, object target, object sample_weight,
                  int64_t fold) except -1:
        """Set inputs and targets, each a single array or a list, and reset everything else.

        With a fold, each row of an input has the columns of one of so many members.
        """
        cdef Net net = self.net
        cdef Scores scores
        self.one_batch(epoch, rows_of(x))
        epoch.fold = fold
        scores.rows, scores.typenum = epoch.rows, net.typenum
        if isinstance(x, list):
            net.check_rows(&epoch.sparse, x, epoch.rows, fold)
        else:
            check_matrix("x", x, epoch.rows, net.n_in // fold, net.typenum)
        if epoch.sparse.start == NULL:
            point_at(<void **>epoch.x, x)
        check_vector("sample_weight", sample_weight, epoch.rows, net.typenum)
        if not isinstance(target, list):
            scores.loss, scores.n = self.kinds[0], net.n_out // max(self.folds[0], 1)
            scores.params = (<_LossSpec>self.losses[0]).spec.params
            set_targets(&epoch.targets[0], target, sample_weight, &scores)
            return 0
        if len(<list>target) != len(net.widths_out):
            raise changed("y", target, f"{len(net.widths_out)} arrays")
        for i, one in enumerate(<list>target):
            scores.loss, scores.n = self.kinds[i], net.widths_out[i] // max(self.folds[i], 1)
            scores.params = (<_LossSpec>self.losses[i]).spec.params
            set_targets(&epoch.targets[i], one, sample_weight, &scores)
        return 0

    def check_data(self, x, target, sample_weight, int64_t fold=1):
        """Raise an error if `epoch` cannot use these arrays."""
        cdef fm_epoch epoch
        self.fill(&epoch, own_list(x), own_list(target), sample_weight, fold)

    cpdef double step(self, object x, object target, object sample_weight) except? -1.0:
        """One step on one batch; returns the loss with penalties, before the update."""
        cdef fm_epoch epoch
        x, target = own_list(x), own_list(target)
        self.fill(&epoch, x, target, sample_weight, 1)
        return self.train(&epoch)

    def epoch(self, x, target, sample_weight, order, int64_t batch_size, lrs,
              penalties=None, losses=None, weight_decays=None, dropouts=None,
              label_smoothings=None, members=None, int64_t fold=1, totals=None):
        """Train on all batches once; a signal's exception is raised after the last finished step.

        `order` holds the positions of the rows to train on; None: all rows as they are. With a
        `fold`, it holds those of the fold's members for each row, one behind another. `members`
        (fold of the first loss) receives the loss of each member.
        `penalties` and `dropouts` (steps) are factors of the penalties and of the dropout
        probabilities. `weight_decays` and `label_smoothings` (steps) replace those of the optimizer
        and of the losses. `losses` (steps, 2) receives the loss and the penalties of each step.
        `totals` (5) is for an epoch in several calls: 0 before the first one, changed by each.
        """
        cdef fm_epoch epoch
        cdef _Signals signals = _Signals()
        x, target = own_list(x), own_list(target)
        self.fill(&epoch, x, target, sample_weight, fold)
        if order is not None:  # its elements are trusted
            check_vector("order", order, len(order), cnp.NPY_INT64)
            epoch.rows = len(order) // fold
        check_vector("members", members, max(self.folds[0], 1), cnp.NPY_FLOAT64)
        epoch.members = <double *>data(members)
        check_vector("totals", totals, 5, cnp.NPY_FLOAT64)
        epoch.totals = <fm_totals *>data(totals)
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
        cdef fm_status status
        cdef double lr = self.lr
        self.enter()
        if self.net.n_params <= SHORT_UPDATE:
            status = fm_trainer_update(self.trainer, lr)
        else:
            with nogil:
                status = fm_trainer_update(self.trainer, lr)
        self.net.leave()
        check(status)

    def penalty(self):
        """The value of the penalties."""
        cdef double value = 0.0
        check(fm_trainer_penalty(self.trainer, &value))
        return value

    def add_penalty_gradient(self, double factor=1.0):
        """Add the gradient of the penalties, times `factor`, to the network's gradients."""
        self.net.enter()
        with nogil:
            fm_trainer_add_penalty_gradient(self.trainer, factor)
        self.net.leave()
