# The base classes of networks and trainers. One call is enough for arrays that need no conversion.

cdef class Predictor:
    """The base class of networks: `predict` makes no other call for arrays that need no conversion.

    A subclass binds its core network and defines `_predict_checked(x, out)` for all other
    arguments.
    """
    cdef Net bound
    cdef bint has_one_end

    def _bind_core(self, Net core):
        self.bound = core
        self.has_one_end = len(core.widths_in) == 1 and len(core.widths_out) == 1

    cdef bint takes_output(self, object x, object out) noexcept:
        cdef Net net = self.bound
        if not is_ready(out, net.typenum, 2):
            return False
        cdef cnp.ndarray array = out
        return (cnp.PyArray_ISWRITEABLE(array)
                and cnp.PyArray_DIM(array, 0) == cnp.PyArray_DIM(<cnp.ndarray>x, 0)
                and cnp.PyArray_DIM(array, 1) == net.n_out
                and not overlap(array, x) and not overlap(array, net.params))

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
        if (self.has_one_end and is_ready(x, net.typenum, 2)
                and cnp.PyArray_DIM(<cnp.ndarray>x, 1) == net.n_in
                and (out is None or self.takes_output(x, out))):
            return net.predict(x, out)
        return self._predict_checked(x, out)


cdef bint labels_fit(cnp.ndarray labels, int64_t classes) noexcept:
    cdef const int64_t *label = <const int64_t *>cnp.PyArray_DATA(labels)
    cdef int64_t i
    for i in range(cnp.PyArray_DIM(labels, 0)):
        if label[i] < 0 or label[i] >= classes:
            return False
    return True


cdef class Stepper:
    """The base class of trainers: `step` makes no other call for arrays that need no conversion.

    A subclass binds its core trainer. It says which targets its loss takes without further checks
    ("class", "real" or ""), and defines `_step_checked(x, y, sample_weight)` for all other
    arguments.
    """
    cdef Trainer bound
    cdef bint takes_labels, takes_values
    cdef int64_t width  # columns of the scores of one member

    def _bind_core(self, Trainer core, str target):
        self.bound = core
        self.width = core.net.n_out // max(core.folds[0], 1)
        self.takes_labels = target == "class"
        self.takes_values = target == "real"

    cdef bint takes_target(self, object y, int64_t rows) noexcept:
        cdef Net net = self.bound.net
        if self.takes_labels and is_ready(y, cnp.NPY_INT64, 1):
            return (cnp.PyArray_DIM(<cnp.ndarray>y, 0) == rows
                    and labels_fit(y, self.width))
        if self.takes_values and is_ready(y, net.typenum, 2):
            return (cnp.PyArray_DIM(<cnp.ndarray>y, 0) == rows
                    and cnp.PyArray_DIM(<cnp.ndarray>y, 1) == self.width)
        return (self.takes_values and self.width == 1 and is_ready(y, net.typenum, 1)
                and cnp.PyArray_DIM(<cnp.ndarray>y, 0) == rows)

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
        cdef Net net = core.net
        cdef int64_t rows
        if sample_weight is None and is_ready(x, net.typenum, 2):
            rows = cnp.PyArray_DIM(<cnp.ndarray>x, 0)
            if (rows > 0 and cnp.PyArray_DIM(<cnp.ndarray>x, 1) == net.n_in
                    and self.takes_target(y, rows)):
                return core.step(x, y, None)
        return self._step_checked(x, y, sample_weight)
