# Trainers.

cdef class Trainer(TrainerParts):
    """Runs whole steps and epochs in C, and steps in two halves."""

    cdef int raised(self, fm_status status, double value) except -1:
        """Raise the error of a call, or return FM_OK or FM_BAD_INDEX.

        `value` is the loss, or a wrong label.
        """
        if status == FM_OK or status == FM_BAD_INDEX:
            return status
        if status == FM_INTERRUPTED or status == FM_BAD_LABEL:
            # A loss, a node or the poll function raised it.
            self.runners.raise_error()
            if self.net.runners is not None:
                self.net.runners.raise_error()
            if status == FM_BAD_LABEL:
                raise bad_label(value)
            return FM_OK
        if status == FM_STALE:
            raise stale("apply")
        if status == FM_NOT_FINITE:
            is_loss = value - value != 0.0
            what = f"loss is {value}" if is_loss else "gradient of the loss has NaN or infinity"
            raise NotFiniteError(f"the {what}; nothing was changed by this step (nan='raise')")
        return check(status)

    cdef int run(self, const fm_epoch *epoch, double *value) except -1:
        """Train; returns FM_OK or FM_BAD_INDEX."""
        cdef fm_status status
        self.enter()
        with nogil:
            status = fm_train(self.trainer, epoch, value, &self.steps_done)
        self.net.gradient_version += 1
        self.net.leave()
        return self.raised(status, value[0])

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

    cdef int run_forward(self, int64_t rows, void **x, const fm_csr *sparse, void **y) except -1:
        """The first half of a step; returns FM_OK or FM_BAD_INDEX."""
        cdef fm_status status
        if self.ranks is not None and self.ranks.size > 1:
            raise StateError(f"forward: got a trainer with {self.ranks.size} ranks; want fit or "
                             "step(x, y), which give each rank its part of the rows")
        if fm_trainer_pending_rows(self.trainer) >= 0:
            raise StateError("forward: the scores of the last call still await apply(dscores); "
                             "call it, or discard() to drop them")
        self.enter()
        with nogil:
            status = fm_trainer_forward(self.trainer, rows, <const void *const *>x,
                                        sparse if sparse.start != NULL else NULL, y)
        self.net.leave()
        return self.raised(status, 0.0)

    def forward(self, list x):
        """The first half of a step, for checked rows; returns the outputs."""
        cdef int64_t rows = rows_of(x)
        cdef fm_csr sparse
        cdef void *from_x[FM_MOST_ENDS]
        cdef void *to_y[FM_MOST_ENDS]
        x = own_list(x)
        self.net.check_rows(&sparse, x, rows)
        y = self.net.made(x, self.net.widths_out, rows)
        if sparse.start == NULL:
            point_at(from_x, x)
        point_at(to_y, y)
        check(<fm_status>self.run_forward(rows, from_x, &sparse, to_y))
        self.pending_sparse = sparse_in(x)
        return y

    cdef int run_apply(self, int64_t rows, void **dy) except -1:
        """The second half, with the gradient of each output for the rows of the first."""
        cdef double lr = self.lr
        cdef fm_status status
        self.enter()
        with nogil:
            status = fm_trainer_apply(self.trainer, rows, <const void *const *>dy, lr)
        self.net.gradient_version += 1
        self.pending_sparse = None
        self.net.leave()
        self.raised(status, 0.0)
        return 0

    def apply(self, list dy):
        """The second half, for checked gradients."""
        cdef int64_t rows = fm_trainer_pending_rows(self.trainer)
        cdef void *from_dy[FM_MOST_ENDS]
        if rows < 0:
            raise StateError("apply: no forward pass awaits it; call scores = trainer.forward(x) "
                             "first (another training step makes it void)")
        dy = own_list(dy)
        check_list("dscores", dy, rows, self.net.widths_out, self.net.typenum)
        point_at(from_dy, dy)
        self.run_apply(rows, from_dy)

    @property
    def pending_rows(self):
        """Rows of a `forward` that awaits `apply`; -1: none."""
        return fm_trainer_pending_rows(self.trainer)

    def discard(self):
        """Forget the last `forward`."""
        self.net.enter()
        fm_trainer_discard(self.trainer)
        self.pending_sparse = None
        self.net.leave()

    def gradient_norm(self):
        """The norm of the network's gradients, without those of frozen parameters."""
        cdef double norm = 0.0
        self.enter()
        cdef fm_status status = fm_trainer_gradient_norm(self.trainer, &norm)
        self.net.leave()
        check(status)
        return norm
