# Networks.

cdef class _NetHandle:
    """Owns the C network. Arrays over its memory keep this alive, not Net, so there is no cycle."""
    cdef fm_net *net

    def __dealloc__(self):
        fm_net_free(self.net)


# Calls with fewer rows are one block of work and cannot be interrupted.
cdef int64_t MANY_ROWS = 128

# Multiply-adds of a prediction that takes some microseconds. For shorter work the GIL stays: to
# hand it to another thread costs more than parallel predictions save.
cdef int64_t SHORT_WORK = 1 << 17
# The same for an update, by its number of parameters.
cdef int64_t SHORT_UPDATE = 1 << 13

# For so many seconds a prediction is tried again while the parameters are updated.
cdef double PATIENCE = 0.1


cdef class Net:
    """A compiled node list with its parameters and gradients."""
    cdef _NetHandle handle
    cdef fm_net *net
    cdef int typenum
    cdef int64_t kept_rows, n_params, gradient_version
    cdef int64_t short_rows  # so many take some microseconds
    cdef _Runners runners  # not in the handle: arrays over its memory would keep them alive
    cdef list widths
    cdef object kept_sparse  # the sparse rows that the next backward reads
    cdef readonly object params, grads, state, dtype
    cdef readonly list places, state_offsets, widths_in, widths_out
    cdef readonly tuple layout  # name, rows and columns of each array, and the size of the state
    cdef readonly dict roles  # role of each parameter array, by the index of its first element
    cdef readonly int64_t n_in, n_out
    cdef readonly set untrained  # begin and end of parameters that are frozen
    cdef public int64_t groups_version  # changes if a layer is frozen or no longer frozen

    def __init__(self, list widths, list nodes, list outputs, str dtype, uint64_t seed,
                 str compute=None, bint separate=False, bint frozen=False):
        """Make a network of float32 or float64.

        `compute`: "bfloat16" to round the operands of matrix products. `separate`: keep values and
        gradients of all nodes, for `value` and `delta`. `frozen`: for `predict` alone, after
        `freeze`.
        """
        if self.handle is not None:
            raise StateError("this core network has been made already")
        cdef fm_ends ends
        cdef const fm_array *array
        cdef cnp.ndarray packed = np.zeros(len(nodes) * sizeof(fm_node), np.uint8)
        cdef fm_node *node = <fm_node *>cnp.PyArray_DATA(packed)
        ends.separate, ends.frozen = separate, frozen
        ends.compute = FM_COMPUTE_STORAGE if compute is None else FM_COMPUTE_BFLOAT16
        ends.n_inputs, ends.n_outputs = len(widths), len(outputs)
        if not 0 < len(widths) <= FM_MOST_ENDS or not 0 < len(outputs) <= FM_MOST_ENDS:
            raise ArgumentError(f"got {len(widths)} inputs and {len(outputs)} outputs; "
                                f"want 1 to {FM_MOST_ENDS} of each")
        for i, width in enumerate(widths):
            ends.width[i] = width
        for i, output in enumerate(outputs):
            ends.output[i] = output
        run = {}
        for i, given in enumerate(nodes):
            fill_node(&node[i], given)
            if given.runner is not None:
                run[i] = given.runner
        self.untrained = set()
        self.handle = _NetHandle()
        check(fm_net_new(&ends, len(nodes), node, dtype_of(dtype), seed, &self.handle.net))
        self.net = self.handle.net
        self.typenum = cnp.NPY_FLOAT32 if dtype == "float32" else cnp.NPY_FLOAT64
        self.dtype = np.dtype(dtype)
        self.widths_in = list(widths)
        self.widths_out, self.places, self.state_offsets, self.widths = [], [], [], []
        for i in outputs:
            self.widths_out.append(fm_net_node(self.net, i).fan_out)
        self.n_in, self.n_out = self.widths_in[0], self.widths_out[0]
        self.roles, layout = {}, []
        for i in range(len(nodes)):
            self.places.append({})
            self.state_offsets.append(fm_net_state_at(self.net, i))
            self.widths.append(fm_net_node(self.net, i).fan_out)
        for i in range(fm_net_arrays(self.net)):
            array = fm_net_array(self.net, i)
            self.places[array.node][array.name.decode()] = array.at
            self.roles[array.at] = _ROLES[array.role]
            layout.append((array.name.decode(), array.rows, array.cols))
        self.layout = (*layout, fm_net_state_size(self.net))
        if run:
            self.runners = _Runners(run, self.typenum)
            fm_net_set_custom(self.net, run_custom, <void *>self.runners)
        self.n_params = fm_net_parameters(self.net)
        self.short_rows = SHORT_WORK // (self.n_params + 1)
        self.params = view(self.handle, fm_net_params(self.net), self.n_params, self.typenum)
        self.grads = None if frozen else view(self.handle, fm_net_grads(self.net), self.n_params,
                                              self.typenum)
        self.state = view(self.handle, fm_net_state(self.net), fm_net_state_size(self.net),
                          self.typenum)

    @property
    def step_count(self):
        """Number of training forwards so far; dropout masks depend on it."""
        return fm_net_step(self.net)

    @step_count.setter
    def step_count(self, uint32_t step):
        self.enter()
        fm_net_set_step(self.net, step)
        self.leave()

    @property
    def saved_rows(self):
        """Rows of the last forward pass if its backward has not run yet, otherwise -1."""
        return fm_net_saved_rows(self.net)

    @property
    def versions(self):
        """Numbers that change when the core updates the parameters, or overwrites gradients."""
        return fm_net_updates(self.net), self.gradient_version

    @property
    def takes_sparse(self):
        """Whether the rows of a call may be sparse."""
        return bool(fm_net_takes_sparse(self.net))

    @property
    def saved_sparse(self):
        """Whether the last forward pass was of sparse rows."""
        return self.kept_sparse is not None

    def advised_threads(self, int64_t rows, int most):
        """For benchmarks: the threads of a training step, if `most` had a core each."""
        return fm_advised_threads(self.net, rows, most)

    @property
    def workspace_bytes(self):
        """Bytes of memory that calls keep for later ones."""
        cdef int64_t found
        self.enter()
        found = fm_net_workspace_bytes(self.net)
        self.leave()
        return found

    def release(self):
        """Free the memory that calls keep for later ones, except that of running predictions."""
        self.enter()
        fm_net_release(self.net)
        self.leave()

    def passes(self):
        """For each node the number of its pass over the data; fused nodes have the same number."""
        found = []
        for node in range(len(self.widths)):
            found.append(fm_net_pass(self.net, node))
        return found

    def value(self, int node):
        """A copy of a node's value (rows, width) in the last forward of a `separate` network."""
        return self.entry(fm_net_value, node)

    def delta(self, int node):
        """The gradient dL/d(value) of a node, after a backward."""
        return self.entry(fm_net_delta, node)

    cdef object entry(self, const void *(*where)(const fm_net *, int) noexcept nogil, int node):
        self.enter()
        try:
            return matrix_at(
                where(self.net, node), self.kept_rows, self.widths[node], self.typenum
            ).copy()
        finally:
            self.leave()

    cdef int check(self, fm_status status) except -1:
        if status == FM_INTERRUPTED and self.runners is not None:
            return self.runners.raise_error()
        return check(status)

    cdef int enter(self) except -1:
        """Take the network for a call. The caller must `leave` it afterwards."""
        cdef fm_status status = fm_net_take(self.net)
        if status == FM_OK:
            return 0
        if status == FM_LOST:
            raise StateError("another thread was using this network when this process was forked, "
                             "so it cannot be used here any more: use a copy of it")
        raise StateError("this network is in use by another thread: forward, backward and "
                         "training need exclusive use of it (predict does not)")

    cdef void leave(self) noexcept:
        fm_net_give_back(self.net)

    def assign(self, params, state):
        """Copy numbers into parameters and state. A prediction sees all of them or none."""
        self.write([(self.params, params), (self.state, state)])

    def write(self, list pairs):
        """Copy numbers into views of parameters or state; (view, numbers) each, as `assign`."""
        self.enter()
        fm_net_begin_update(self.net)
        try:
            for view, numbers in pairs:
                view[...] = numbers
        finally:
            fm_net_end_update(self.net)
            self.leave()

    cdef object made(self, object given, list widths, int64_t rows):
        """Empty arrays of these widths: a list if `given` is a list, otherwise a single array."""
        if not isinstance(given, list):
            return empty(rows, self.n_out if widths is self.widths_out else self.n_in, self.typenum)
        arrays = []
        for width in widths:
            arrays.append(empty(rows, width, self.typenum))
        return arrays

    cdef int check_rows(self, fm_csr *to, object x, int64_t rows, int64_t fold=1) except -1:
        """Check the rows of a call. `to` points at sparse rows; its `start` is NULL for arrays.

        With a fold, rows have the columns of one of so many members.
        """
        cdef SparseRows sparse = sparse_in(x)
        to.start = NULL
        if sparse is None:
            return check_list("x", x, rows, self.widths_in, self.typenum, fold)
        if not fm_net_takes_sparse(self.net):
            raise ArgumentError("x: got a sparse matrix; want an array: only Linear layers without "
                                "groups and fold read sparse rows")
        if sparse.width != self.n_in or not is_ready(sparse._value, self.typenum, 1):
            raise changed("x", sparse, f"{self.n_in} columns of {self.dtype}")
        to.start = <const int64_t *>data(sparse._start)
        to.column = <const int32_t *>data(sparse._column)
        to.value = data(sparse._value)
        to.order = NULL
        return 0

    cdef fm_status run_predict(self, int64_t rows, void **x, const fm_csr *sparse, void **y,
                               fm_poll poll, void *context) noexcept nogil:
        if sparse.start != NULL:
            return fm_net_predict_sparse(self.net, rows, sparse, y, poll, context)
        return fm_net_predict(self.net, rows, <const void *const *>x, y, poll, context)

    cdef int compute(self, int64_t rows, void **x, const fm_csr *sparse, void **y) except -1:
        """Predict from checked arrays; returns FM_OK or FM_BAD_INDEX."""
        cdef _Signals signals = None
        cdef void *context = NULL
        cdef fm_poll poll = NULL
        cdef fm_status status
        if rows > MANY_ROWS:
            signals = _Signals()
            poll, context = poll_signals, <void *>signals
        if rows <= self.short_rows:
            status = self.run_predict(rows, x, sparse, y, poll, context)
        else:
            with nogil:
                status = self.run_predict(rows, x, sparse, y, poll, context)
        if status == FM_OK or status == FM_BAD_INDEX:
            return status
        if status == FM_IN_USE:
            # The updating thread may have lost its processor, or may wait for the GIL.
            until = monotonic() + PATIENCE
            while status == FM_IN_USE and monotonic() < until:
                PyErr_CheckSignals()
                with nogil:
                    status = self.run_predict(rows, x, sparse, y, poll, context)
        if status == FM_INTERRUPTED and signals is not None and signals.error is not None:
            raise signals.error
        if status == FM_IN_USE:
            raise StateError("predict: another thread is updating this network's parameters; call "
                             "it again, or predict with a copy of the network")
        if status != FM_BAD_INDEX:
            self.check(status)
        return status

    def predict(self, x, out):
        """Take and return lists of arrays."""
        x = own_list(x)
        cdef int64_t rows = rows_of(x)
        cdef fm_csr sparse
        self.check_rows(&sparse, x, rows)
        y = self.made(x, self.widths_out, rows) if out is None else own_list(out)
        check_list("out", y, rows, self.widths_out, self.typenum)
        cdef void *from_x[FM_MOST_ENDS]
        cdef void *to_y[FM_MOST_ENDS]
        if sparse.start == NULL:
            point_at(from_x, x)
        point_at(to_y, y)
        check(<fm_status>self.compute(rows, from_x, &sparse, to_y))
        return y

    def freeze(self):
        """Pack the parameters of a `frozen` network, once they have their values."""
        check(fm_net_freeze(self.net))
        self.params.flags.writeable = self.state.flags.writeable = False

    def set_trained(self, int64_t begin, int64_t end, bint trained):
        """Choose whether `backward` computes the gradients of these parameters.

        Those that it leaves out are zero.
        """
        self.enter()
        fm_net_set_trained(self.net, begin, end, trained)
        self.untrained.discard((begin, end))
        if not trained:
            self.untrained.add((begin, end))
            self.grads[begin:end] = 0
        self.groups_version += 1
        self.leave()

    def reserve(self, int64_t rows):
        """Allocate the memory that predict needs for this number of rows."""
        check(fm_net_reserve(self.net, rows))

    def forward(self, x, bint training):
        """Take and return a single array or a list of arrays."""
        x = own_list(x)
        cdef int64_t rows = rows_of(x)
        cdef fm_csr sparse
        self.check_rows(&sparse, x, rows)
        y = self.made(x, self.widths_out, rows)
        cdef void *from_x[FM_MOST_ENDS]
        cdef void *to_y[FM_MOST_ENDS]
        cdef fm_status status
        if sparse.start == NULL:
            point_at(from_x, x)
        point_at(to_y, y)
        self.enter()
        with nogil:
            if sparse.start != NULL:
                status = fm_net_forward_sparse(self.net, rows, &sparse, training, to_y)
            else:
                status = fm_net_forward(self.net, rows, <const void *const *>from_x, training,
                                        to_y)
        if status == FM_OK:
            self.kept_rows, self.kept_sparse = rows, sparse_in(x)
        self.leave()
        self.check(status)
        return y

    def backward(self, dy, bint accumulate, bint inputs=True):
        """Take and return a single array or a list of arrays; None without those of `inputs`."""
        dy = own_list(dy)
        cdef int64_t rows = rows_of(dy)
        check_list("dy", dy, rows, self.widths_out, self.typenum)
        dx = self.made(dy, self.widths_in, rows) if inputs else None
        cdef void *from_dy[FM_MOST_ENDS]
        cdef void *to_dx[FM_MOST_ENDS]
        cdef fm_status status
        point_at(from_dy, dy)
        if inputs:
            point_at(to_dx, dx)
        self.enter()
        if fm_net_saved_rows(self.net) != rows:
            self.leave()
            raise StateError("backward: another call has used this network since the forward pass")
        with nogil:
            status = fm_net_backward(self.net, rows, <const void *const *>from_dy, accumulate,
                                     to_dx if inputs else NULL)
        self.gradient_version += 1
        self.leave()
        if status == FM_STALE:
            raise stale("backward")
        self.check(status)
        return dx

    def vjp(self, x, dy, bint outputs):
        """The outputs, or None without `outputs`, and the product of dy and the Jacobian at x.

        Take and return a single array or a list of arrays. A function `dy` gets the list of the
        outputs, and returns the list of its arrays.
        """
        return vjp_of(self, x, dy, outputs)
