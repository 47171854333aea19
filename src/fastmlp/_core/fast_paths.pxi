# The base classes of networks and trainers. What is commonly passed needs no other call of Python.

cdef class Predictor:
    """The base class of networks: `predict` runs no Python for what is commonly passed.

    A subclass binds its core network with the names of its inputs and outputs, and defines
    `_predict_checked(x, out)` for all other arguments.
    """
    cdef Net bound
    cdef tuple inputs, outputs

    def _bind_core(self, Net core, tuple inputs, tuple outputs):
        self.bound = core
        self.inputs, self.outputs = inputs, outputs

    cdef object take_inputs(self, Rows *rows, void **start, object x, Space *space):
        """The rows of all inputs; returns what keeps them, None if they need the validation."""
        cdef Net net = self.bound
        if len(self.inputs) > 1:
            return take_ends(rows, start, x, self.inputs, net.widths_in, net.typenum, space)
        kept = take_rows(rows, x, net.n_in, net.typenum, space)
        start[0] = rows.start
        return kept

    cdef object made(self, Rows *rows, void **to):
        """Arrays for the outputs, in the form in which `predict` returns them."""
        cdef Net net = self.bound
        cdef int k = 0
        if len(self.outputs) == 1:
            y = empty_rows(rows, net.n_out, net.typenum)
            to[0] = data(y)
            return y
        found = {}
        for name in self.outputs:
            y = empty_rows(rows, net.widths_out[k], net.typenum)
            to[k] = data(y)
            found[name] = y
            k += 1
        return found

    cdef bint takes_output(self, object out, const Rows *rows, object source) noexcept:
        """Whether the only output can be written into `out`; `source` is the input."""
        cdef Net net = self.bound
        cdef int i, last = rows.ndim - 1
        if (not is_ready(out, net.typenum, rows.ndim) or len(self.inputs) > 1
                or len(self.outputs) > 1):
            return False
        cdef cnp.ndarray array = out
        for i in range(last):
            if cnp.PyArray_DIM(array, i) != rows.shape[i]:
                return False
        return (cnp.PyArray_ISWRITEABLE(array) and cnp.PyArray_DIM(array, last) == net.n_out
                and not (isinstance(source, np.ndarray) and overlap(array, source))
                and not overlap(array, net.params))

    cdef object predicted(self, Net net, object x, object out):
        """The prediction; None if the arguments need the validation."""
        cdef double memory[SPACE_DOUBLES]
        cdef Space space
        cdef Rows rows
        cdef fm_csr sparse
        cdef void *from_x[FM_MOST_ENDS]
        cdef void *to_y[FM_MOST_ENDS]
        space.next, space.left = <char *>memory, sizeof(memory)
        kept = self.take_inputs(&rows, from_x, x, &space)
        if kept is None:
            return None
        if out is None:
            out = self.made(&rows, to_y)
        elif self.takes_output(out, &rows, kept):
            to_y[0] = data(out)
        else:
            return None
        sparse.start = NULL
        # The validation's error for a wrong row number of a table says where it is.
        return out if net.compute(rows.count, from_x, &sparse, to_y) == FM_OK else None

    def predict(self, x, out=None):
        """Compute the output. Several threads may call this at the same time.

        The values are those of ``forward(x, training=False)``.

        Parameters
        ----------
        x : array_like or sparse matrix, shape (..., in_features)
            One row, or rows with any leading dimensions. A matrix of scipy.sparse stays sparse;
            only ``Linear`` layers may read it.
        out : ndarray, optional
            Writable C-contiguous array with the shape of the output and ``net.dtype``. It must
            not overlap ``x``.

        Returns
        -------
        ndarray, shape (..., out_features)
            ``out`` if given.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If ``x`` or ``out`` does not fit.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(2, 1, init="zeros"), fm.Sigmoid())
        >>> net.predict([1.0, 2.0]).tolist()
        [0.5]
        """
        cdef Net net = self.bound  # keeps it alive if a custom node binds another one
        if net is None:
            raise StateError("predict: this network's __init__ has not run")
        y = self.predicted(net, x, out)
        return self._predict_checked(x, out) if y is None else y


cdef bint labels_fit(const int64_t *label, int64_t n, int64_t classes) noexcept:
    cdef int64_t i
    for i in range(n):
        if label[i] < 0 or label[i] >= classes:
            return False
    return True


cdef bint whole_numbers(const double *numbers, int64_t n, int64_t *to) noexcept:
    """Convert numbers that are whole and small; False if one is not."""
    cdef int64_t i
    for i in range(n):
        if not -<double>EXACT_WHOLE <= numbers[i] <= <double>EXACT_WHOLE:
            return False
        to[i] = <int64_t>numbers[i]
        if <double>to[i] != numbers[i]:
            return False
    return True


cdef object take_labels(int64_t **to, object value, int64_t n, int64_t classes, Space *space):
    """Class labels (n,) as int64; returns what keeps them, None if they need the validation."""
    cdef fm_elements elements
    cdef void *numbers
    cdef void *start
    if is_ready(value, cnp.NPY_INT64, 1):
        if cnp.PyArray_DIM(<cnp.ndarray>value, 0) != n:
            return None
        kept, to[0] = value, <int64_t *>data(value)
        return kept if labels_fit(to[0], n, classes) else None
    if not is_worth_it(n, 1):
        return None
    kept = room(&start, space, n, 1, cnp.NPY_INT64)
    to[0] = <int64_t *>start
    if cnp.PyArray_CheckExact(value):
        if (cnp.PyArray_NDIM(<cnp.ndarray>value) != 1 or not describe(&elements, value)
                or elements.cols != n or elements.type >= FM_FROM_F32):
            return None
        fm_convert_whole(&elements, to[0])
    else:
        own = room(&numbers, space, n, 1, cnp.NPY_FLOAT64)
        if (not take_numbers(<double *>numbers, value, n)
                or not whole_numbers(<double *>numbers, n, to[0])):
            return None
    return kept if labels_fit(to[0], n, classes) else None


cdef object take_vector(void **to, object value, int64_t n, int typenum, Space *space):
    """Numbers (n,)."""
    cdef Rows row
    kept = take_rows(&row, value, n, typenum, space)
    to[0] = row.start
    return kept if kept is not None and row.ndim == 1 else None


cdef class Stepper:
    """The base class of trainers: `step` runs no Python for what is commonly passed.

    A subclass binds its core trainer with the names of inputs and outputs, and the targets that
    each loss takes without further checks ("class", "real" or ""). It defines
    `_step_checked(x, y, sample_weight)` for all other arguments.
    """
    cdef Trainer bound
    cdef tuple inputs, outputs, targets

    def _bind_core(self, Trainer core, tuple inputs, tuple outputs, tuple targets):
        self.bound = core
        self.inputs, self.outputs, self.targets = inputs, outputs, targets

    cdef object take_target(self, fm_targets *to, int k, object y, int64_t n, Space *space):
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

    cdef object take_targets(self, fm_targets *to, object y, int64_t n, Space *space):
        """The targets of all outputs, by name or in order."""
        cdef bint by_name = type(y) is dict
        cdef int k = 0
        if len(self.outputs) == 1:
            return self.take_target(to, 0, y, n, space)
        if not (by_name or type(y) is list or type(y) is tuple) or len(y) != len(self.outputs):
            return None
        kept = []
        for name in self.outputs:
            one = self.take_target(&to[k], k, (<dict>y).get(name) if by_name else y[k], n, space)
            if one is None:
                return None
            kept.append(one)
            k += 1
        return kept

    cdef object stepped(self, Trainer core, object x, object y, object sample_weight):
        """The loss of a step; None if the arguments need the validation."""
        cdef double memory[SPACE_DOUBLES]
        cdef Space space
        cdef Rows rows
        cdef fm_epoch epoch
        cdef void *weights = NULL
        cdef double value = 0.0
        cdef Net net = core.net
        cdef int k
        space.next, space.left = <char *>memory, sizeof(memory)
        if len(self.inputs) == 1:
            of_x = take_rows(&rows, x, net.n_in, net.typenum, &space)
            epoch.x[0] = rows.start
        else:
            of_x = take_ends(&rows, <void **>epoch.x, x, self.inputs, net.widths_in, net.typenum,
                             &space)
        if of_x is None or rows.ndim != 2 or rows.count == 0:
            return None
        of_y = self.take_targets(epoch.targets, y, rows.count, &space)
        if of_y is None:
            return None
        if sample_weight is not None:
            of_weights = take_vector(&weights, sample_weight, rows.count, net.typenum, &space)
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
        """
        if self.bound is None:
            raise StateError("step: this trainer's __init__ has not run")
        cdef Trainer core = self.bound  # keeps it alive if a custom loss binds another one
        value = self.stepped(core, x, y, sample_weight)
        return self._step_checked(x, y, sample_weight) if value is None else value
