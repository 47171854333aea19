# The base class of trainers. What is commonly passed needs no other call of Python.

cdef bint has_rows(object array, int64_t rows) noexcept:
    return (cnp.PyArray_CheckExact(array) and cnp.PyArray_NDIM(<cnp.ndarray>array) > 0
            and cnp.PyArray_DIM(<cnp.ndarray>array, 0) == rows)


cdef bint take_own(OwnLoss own, object y, object sample_weight, int64_t rows, int typenum):
    """Let a loss of the user use an array, or a dict of arrays; False: they must be checked."""
    if sample_weight is not None:
        if not own.takes_weights or not is_ready(sample_weight, typenum, 1):
            return False
    if not isinstance(y, dict):
        if not has_rows(y, rows):
            return False
    elif not <dict>y:
        return False
    else:
        for array in (<dict>y).values():
            if not has_rows(array, rows):
                return False
    own.use(y, sample_weight, rows)
    return True


cdef class Stepper:
    """The base class of trainers: steps run no Python for what is commonly passed.

    A subclass binds its core trainer with the names of inputs and outputs, and the targets that
    each loss takes without further checks: "class", "real", "" (none), a tuple of fields (name,
    columns, end of whole numbers or 0), or an OwnLoss, which may be a single one for all outputs.
    Without targets, every call is checked. A subclass defines
    `_step_checked(x, y, sample_weight)`, `_forward_checked(x)` and `_apply_checked(dscores)` for
    all other arguments, and `_settings_changed()`, `_refuses(value)` and `_not_finite(value)`.
    """
    cdef Trainer bound
    cdef tuple inputs, outputs, targets
    cdef int64_t settings_version

    def _bind_core(self, Trainer core, tuple inputs, tuple outputs, tuple targets):
        self.bound = core
        self.inputs, self.outputs, self.targets = inputs, outputs, targets
        self.settings_version = settings_version

    cdef Trainer current(self, str call):
        """The core trainer, with the settings as they are now."""
        if self.bound is None:
            raise StateError(f"{call}: this trainer's __init__ has not run")
        if self.settings_version != settings_version:
            self._settings_changed()
            self.settings_version = settings_version
        return self.bound

    def current_settings(self):
        """Take settings that have been changed since the last step."""
        self.current("trainer")

    cdef object take_target(self, fm_targets *to, int k, object y, object sample_weight, int64_t n,
                            Space *space):
        """The target of output k; returns what keeps it, None if it needs the validation."""
        cdef Trainer core = self.bound
        cdef int64_t width = core.net.widths_out[k] // max(core.folds[k], 1)
        cdef int64_t *label = NULL
        cdef void *values = NULL
        cdef Rows rows
        kind = self.targets[k]
        to.label, to.values, to.cols, to.own, to.weight = NULL, NULL, 0, 0, NULL
        if kind == "class":
            kept = take_labels(&label, y, n, width, space)
            to.label = label
        elif type(kind) is tuple:
            kept = take_fields(to, kind, y, n, core.net.typenum, space)
        elif isinstance(kind, OwnLoss):
            return y if take_own(kind, y, sample_weight, n, core.net.typenum) else None
        elif kind != "real":
            return None
        elif width == 1 and not (cnp.PyArray_Check(y) and cnp.PyArray_NDIM(<cnp.ndarray>y) == 2):
            kept = take_vector(&values, y, n, core.net.typenum, space)
            to.values, to.cols = values, 1
        else:
            kept = take_rows(&rows, y, width, core.net.typenum, space)
            if kept is None or rows.ndim != 2 or rows.count != n:
                return None
            to.values, to.cols = rows.start, width
        return kept

    cdef object take_targets(self, fm_targets *to, object y, object sample_weight, int64_t n,
                             Space *space):
        """The targets of all outputs, by name or in order."""
        cdef bint by_name = type(y) is dict
        cdef int k = 0
        if len(self.outputs) == 1:
            return self.take_target(to, 0, y, sample_weight, n, space)
        if len(self.targets) == 1:  # one loss reads all outputs
            for k in range(1, <int>len(self.outputs)):
                to[k].label, to[k].values, to[k].cols, to[k].own = NULL, NULL, 0, 0
                to[k].weight = NULL
            return self.take_target(to, 0, y, sample_weight, n, space)
        if not (by_name or type(y) is list or type(y) is tuple) or len(y) != len(self.outputs):
            return None
        kept = []
        for name in self.outputs:
            value = (<dict>y).get(name) if by_name else y[k]
            one = self.take_target(&to[k], k, value, sample_weight, n, space)
            if one is None:
                return None
            kept.append(one)
            k += 1
        return kept

    cdef object take_inputs(self, Rows *rows, void **start, object x, Space *space):
        """The rows of all inputs, at least one; None if they need the validation."""
        cdef Net net = self.bound.net
        if len(self.inputs) > 1:
            kept = take_ends(rows, start, x, self.inputs, net.widths_in, net.typenum, space)
        else:
            kept = take_rows(rows, x, net.n_in, net.typenum, space)
            start[0] = rows.start
        return kept if kept is not None and rows.ndim == 2 and rows.count > 0 else None

    cdef object stepped(self, Trainer core, object x, object y, object sample_weight):
        """The loss of a step; None if the arguments need the validation."""
        cdef double memory[SPACE_DOUBLES]
        cdef Space space
        cdef Rows rows
        cdef fm_epoch epoch
        cdef void *weights = NULL
        cdef double value = 0.0
        cdef int k
        space.next, space.left = <char *>memory, sizeof(memory)
        of_x = self.take_inputs(&rows, <void **>epoch.x, x, &space)
        if of_x is None:
            return None
        of_y = self.take_targets(epoch.targets, y, sample_weight, rows.count, &space)
        if of_y is None:
            return None
        if sample_weight is not None:
            of_weights = take_vector(&weights, sample_weight, rows.count, core.net.typenum, &space)
            if of_weights is None:
                return None
            for k in range(len(self.outputs)):
                epoch.targets[k].weight = weights
        core.one_batch(&epoch, rows.count)
        # The validation's error for a wrong row number of a table says where it is.
        return value if core.run(&epoch, &value) == FM_OK else None

    def step(self, x, y, sample_weight=None):
        """Forward, loss, backward and update on one batch, in one call of the core.

        Parameters
        ----------
        x : array_like, shape (N, in_features)
            At least one row. More leading dimensions are allowed; targets and weights must have
            the same ones.
        y : array_like
            Targets of the loss.
        sample_weight : array_like, shape (N,), optional

        Returns
        -------
        float
            Loss with penalties, before the update.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If shapes, types or values do not fit; parameters are unchanged.
        NotFiniteError
            If the trainer has ``nan="raise"`` and the loss is NaN or infinite; parameters, the
            optimizer's state and running moments are unchanged.
        """
        cdef Trainer core = self.current("step")  # keeps it alive if a loss binds another one
        value = self.stepped(core, x, y, sample_weight) if self.targets else None
        if value is None:
            return self._step_checked(x, y, sample_weight)
        if fm_trainer_not_finite(core.trainer) > 0:
            self._not_finite(value)
        return value

    cdef object forwarded(self, Trainer core, object x):
        """The scores by output; None if the inputs need the validation."""
        cdef double memory[SPACE_DOUBLES]
        cdef Space space
        cdef Rows rows
        cdef fm_csr sparse
        cdef void *from_x[FM_MOST_ENDS]
        cdef void *to_y[FM_MOST_ENDS]
        cdef int k = 0
        space.next, space.left = <char *>memory, sizeof(memory)
        sparse.start = NULL
        of_x = self.take_inputs(&rows, from_x, x, &space)
        if of_x is None:
            return None
        scores = {}
        for name in self.outputs:
            y = empty(rows.count, core.net.widths_out[k], core.net.typenum)
            to_y[k], scores[name] = data(y), y
            k += 1
        if core.run_forward(rows.count, from_x, &sparse, to_y) != FM_OK:
            return None
        return scores if k > 1 else y

    def forward(self, x):
        """Compute the scores for a step whose gradient you compute: the first half of a step.

        Parameters
        ----------
        x : array_like, shape (N, in_features)
            At least one row; copied.

        Returns
        -------
        ndarray, shape (N, out_features)
            A dict by name if there are several outputs.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If ``x`` does not fit.
        StateError
            If the scores of the last call still await ``apply``.

        See Also
        --------
        step_gradient : Both halves in one call.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(1, 1, init="zeros"))
        >>> trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.5))
        >>> scores = trainer.forward([[1.0]])
        >>> trainer.apply(scores - 3.0)
        >>> net.params.tolist()
        [1.5, 1.5]
        """
        cdef Trainer core = self.current("forward")
        scores = self.forwarded(core, x) if self.targets else None
        return self._forward_checked(x) if scores is None else scores

    cdef bint applied(self, Trainer core, object dscores):
        """Make the second half of a step; False if the gradients need the validation."""
        cdef double memory[SPACE_DOUBLES]
        cdef Space space
        cdef Rows rows
        cdef Net net = core.net
        cdef void *from_dy[FM_MOST_ENDS]
        space.next, space.left = <char *>memory, sizeof(memory)
        if len(self.outputs) > 1:
            kept = take_ends(&rows, from_dy, dscores, self.outputs, net.widths_out, net.typenum,
                             &space)
        else:
            kept = take_rows(&rows, dscores, net.n_out, net.typenum, &space)
            from_dy[0] = rows.start
        if (kept is None or rows.ndim != 2 or rows.count < 1
                or rows.count != fm_trainer_pending_rows(core.trainer)):
            return False
        core.run_apply(rows.count, from_dy)
        return True

    def apply(self, dscores=None):
        """Make the step: backward and update, with your gradient of the scores.

        Parameters
        ----------
        dscores : array_like, shape (N, out_features), optional
            The gradient of the loss with respect to the scores of the last ``forward``; a dict by
            name if there are several outputs. Without it, the step is made from the gradients
            that ``accumulate`` has added up.

        Returns
        -------
        float or None
            After ``accumulate``, the loss of all its rows with penalties; None with ``dscores``.

        Raises
        ------
        StateError
            If there is no ``forward`` that awaits this call, or the parameters have been changed
            since: the gradient would be wrong.
        ArgumentError, ArgumentTypeError
            If shapes or types do not fit; the scores still await a gradient then.
        NotFiniteError
            If the trainer has ``nan="raise"`` and the gradient has NaN or infinity.
        """
        cdef Trainer core = self.current("apply")
        if dscores is None or not self.targets or not self.applied(core, dscores):
            return self._apply_checked(dscores)
        if fm_trainer_not_finite(core.trainer) > 0:
            self._not_finite(None)
        return None

    def step_gradient(self, x, fn):
        """One step with the gradient that ``fn`` computes from the scores.

        Parameters
        ----------
        x : array_like, shape (N, in_features)
        fn : callable
            ``fn(scores)`` returns the gradient of the scores, or a pair of the loss's value and the
            gradient. Scores and gradient are as for ``forward`` and ``apply``.

        Returns
        -------
        float or None
            The value, if ``fn`` gives one.

        Raises
        ------
        ArgumentError, ArgumentTypeError, StateError, NotFiniteError
            As ``forward`` and ``apply``; after any error, and if ``fn`` raises, the parameters are
            unchanged.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(1, 1, init="zeros"))
        >>> trainer = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.5))
        >>> trainer.step_gradient([[1.0]], lambda scores: scores - 3.0)
        >>> net.params.tolist()
        [1.5, 1.5]
        """
        scores = self.forward(x)
        value = None
        try:
            gradient = fn(scores)
            if isinstance(gradient, tuple) and len(gradient) == 2 and np.ndim(gradient[0]) == 0:
                value, gradient = float(gradient[0]), gradient[1]
                if value - value != 0.0 and self._refuses(value):
                    return value
            self.apply(gradient)
        finally:
            if fm_trainer_pending_rows(self.bound.trainer) >= 0:
                self.bound.discard()
        return value
