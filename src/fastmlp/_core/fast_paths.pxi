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
