# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The bridge to the C core: owns handles, releases the GIL, maps statuses to exceptions.

No policy lives here. Net and Trainer trust arrays to be of the network's dtype, C-contiguous,
aligned and of matching shapes: `fastmlp.validation` sees to that. Predictor and Stepper only
recognise arrays that already are, and pass everything else to it (docs/decisions/ready-arrays.md).

Lists are made by `append`, not by comprehensions: where a list cannot grow for lack of memory,
Cython 3.3's comprehension releases the item twice, and the process crashes.
"""
import os
from threading import get_ident

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport Py_INCREF

import numpy as np

from fastmlp.errors import ArgumentError, OutOfMemoryError, StateError

cnp.import_array()

cdef extern from *:
    """
    #ifndef FM_COMPILER
    #define FM_COMPILER "unknown"
    #endif
    """
    const char *FM_COMPILER

_OPS = {
    "linear": FM_OP_LINEAR,
    "activation": FM_OP_ACTIVATION,
    "softmax": FM_OP_SOFTMAX,
    "dropout": FM_OP_DROPOUT,
    "maxout": FM_OP_MAXOUT,
    "add": FM_OP_ADD,
    "multiply": FM_OP_MULTIPLY,
    "maximum": FM_OP_MAXIMUM,
    "concat": FM_OP_CONCAT,
    "sum": FM_OP_SUM,
    "matmul": FM_OP_MATMUL,
    "parameter": FM_OP_PARAMETER,
    "layer_norm": FM_OP_LAYER_NORM,
    "batch_norm": FM_OP_BATCH_NORM,
    "custom": FM_OP_CUSTOM,
}
_TARGETS = {FM_TARGET_CLASS: "class", FM_TARGET_REAL: "real", FM_TARGET_QUANTILE: "quantile"}


cdef int check(fm_status status) except -1:
    if status == FM_OK:
        return 0
    if status == FM_NO_MEMORY:
        raise OutOfMemoryError("not enough memory for this call; nothing was changed")
    raise ArgumentError(f"the core refused its arguments (status {<int>status})")


cdef fm_dtype dtype_of(str name):
    return FM_F32 if name == "float32" else FM_F64


cdef inline void *data(object array) noexcept:
    return NULL if array is None else cnp.PyArray_DATA(<cnp.ndarray>array)


cdef object view(object owner, void *start, int64_t n, int typenum):
    """An array over memory that `owner` keeps alive."""
    cdef cnp.npy_intp shape = n
    array = cnp.PyArray_SimpleNewFromData(1, &shape, typenum, start)
    Py_INCREF(owner)
    cnp.PyArray_SetBaseObject(array, owner)
    return array


cdef bint is_ready(object value, int typenum, int ndim) noexcept:
    """Whether the core can take this as it is: an aligned, native, C-contiguous array."""
    if not cnp.PyArray_CheckExact(value):
        return False
    cdef cnp.ndarray array = value
    return (cnp.PyArray_TYPE(array) == typenum and cnp.PyArray_NDIM(array) == ndim
            and cnp.PyArray_ISCARRAY_RO(array))


cdef bint overlap(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Whether two contiguous arrays share memory."""
    cdef char *start_a = cnp.PyArray_BYTES(a)
    cdef char *start_b = cnp.PyArray_BYTES(b)
    return (start_a < start_b + cnp.PyArray_NBYTES(b)
            and start_b < start_a + cnp.PyArray_NBYTES(a))


cdef object empty(int64_t rows, int64_t cols, int typenum):
    cdef cnp.npy_intp shape[2]
    shape[0] = rows
    shape[1] = cols
    try:
        return cnp.PyArray_EMPTY(2, shape, typenum, 0)
    except (MemoryError, ValueError) as error:  # ValueError: more bytes than can be addressed
        raise OutOfMemoryError(
            f"got {rows} rows; not enough memory for {cols} columns of results"
        ) from error


cdef object matrix_at(const void *start, int64_t rows, int64_t cols, int typenum):
    """An array over memory that outlives it; not to be given away."""
    cdef cnp.npy_intp shape[2]
    shape[0] = rows
    shape[1] = cols
    return cnp.PyArray_SimpleNewFromData(2, shape, typenum, <void *>start)


cdef int64_t rows_of(object arrays):
    """Rows of an array, or of the first one of a list."""
    return cnp.PyArray_DIM(<cnp.ndarray>(arrays[0] if isinstance(arrays, list) else arrays), 0)


cdef int point_at(void **to, object arrays) except -1:
    """Where an array, or each of a list, lies."""
    if not isinstance(arrays, list):
        to[0] = data(arrays)
        return 0
    for i, array in enumerate(<list>arrays):
        to[i] = data(array)
    return 0


# ---- registries ----

def _defaults(const char *text):
    pairs = []
    for item in text.decode().split():
        name, value = item.split("=")
        pairs.append((name, float(value)))
    return pairs


def activations():
    """The rows of the activation registry; the index of a row is its kind."""
    cdef const fm_activation_row *row
    rows = []
    for kind in range(fm_activation_count()):
        row = fm_activation_at(kind)
        rows.append({
            "name": row.name.decode(),
            "params": _defaults(row.params),
            "formula": row.formula.decode(),
            "slope": row.slope.decode(),
            "init": row.init.decode(),
            "tolerance": (row.tolerance[0], row.tolerance[1]),
        })
    return rows


def losses():
    """The rows of the loss registry; the index of a row is its kind."""
    cdef const fm_loss_row *row
    rows = []
    for kind in range(fm_loss_count()):
        row = fm_loss_at(kind)
        rows.append({
            "name": row.name.decode(),
            "params": _defaults(row.params),
            "target": _TARGETS[row.target],
            "tolerance": (row.tolerance[0], row.tolerance[1]),
        })
    return rows


def optimizers():
    """The rows of the optimizer registry; the index of a row is its kind."""
    cdef const fm_optimizer_row *row
    rows = []
    for kind in range(fm_optimizer_count()):
        row = fm_optimizer_at(kind)
        rows.append({
            "name": row.name.decode(),
            "hyper": _defaults(row.hyper),
            "slots": row.slots,
        })
    return rows


# ---- process ----

def _isas(bint supported=True):
    names = []
    for i in range(fm_isa_count()):
        if not supported or fm_isa_supported(i):
            names.append(fm_isa_name(i).decode())
    return names


def use_isa(str name, str argument="isa"):
    """Choose the kernel table by name; an error calls the name `argument`."""
    cdef bytes text = name.encode()
    cdef fm_status status = fm_use_isa(text)
    if status == FM_UNKNOWN_ISA:
        built = ", ".join(_isas(supported=False))
        raise ArgumentError(f"{argument}: got {name!r}; want one of {built}")
    if status == FM_UNSUPPORTED_ISA:
        raise ArgumentError(
            f"{argument}: got {name!r}; want one that this processor runs: {', '.join(_isas())}"
        )


def config():
    """What runs: ISA in use, ISAs available, threads, OpenMP version, compiler."""
    return {
        "isa": fm_isa_in_use().decode(),
        "isas": _isas(),
        "threads": fm_threads(),
        "openmp": fm_openmp_version(),
        "compiler": FM_COMPILER.decode(),
    }


def set_num_threads(int n):
    fm_set_process_threads(n)


def get_num_threads():
    return fm_threads()


def scoped_threads(int n):
    """Set the calling thread's override (0: none) and return the one before."""
    return fm_override_threads(n)


def cgroup_cpus(str root):
    """For tests: CPUs that the control groups leave whose files are under `root`; 0: no limit."""
    return fm_cgroup_cpus(root.encode())


def usable_cpus(str root=""):
    """For tests: what affinity and these groups leave together."""
    return fm_usable_cpus(root.encode())


def fail_allocation(int64_t n):
    """For tests: let the n-th request for memory from now, and all after it, fail; 0 ends that.

    Returns -1 when the failure asked for before has happened, else the requests left until then.
    """
    return fm_fail_allocation(n)


def ignore_thread_cost(bint ignore):
    """For tests: use every thread allowed, even where that is slower."""
    fm_ignore_thread_cost(ignore)


# ---- random numbers ----

def random_uniform(int64_t n, uint64_t seed, uint32_t stream, uint32_t step=0):
    cdef fm_rng rng = fm_rng_make(seed, stream, step)
    out = np.empty(n, np.float64)
    fm_random_uniform(&rng, n, <double *>data(out))
    return out


def random_normal(int64_t n, uint64_t seed, uint32_t stream, uint32_t step=0):
    cdef fm_rng rng = fm_rng_make(seed, stream, step)
    out = np.empty(n, np.float64)
    fm_random_normal(&rng, n, <double *>data(out))
    return out


def dropout_mask(int64_t n, double p, uint64_t seed, uint32_t stream, uint32_t step):
    cdef fm_rng rng = fm_rng_make(seed, stream, step)
    out = np.empty(n, np.uint8)
    fm_random_keep(&rng, n, p, <uint8_t *>data(out))
    return out


def permutation(int64_t n, uint64_t seed, uint32_t epoch):
    out = np.empty(n, np.int64)
    cdef int64_t *order = <int64_t *>data(out)
    with nogil:
        fm_permutation(seed, epoch, n, order)
    return out


# ---- signals ----

cdef class _Signals:
    """What the poll function found: the exception a signal handler raised."""
    cdef object error


cdef int poll_signals(void *context) noexcept with gil:
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        (<_Signals>context).error = error
        return 1
    return 0


# ---- nodes and losses of the caller's ----

cdef class _Runners:
    """Python objects that the core calls, and what they raised, by thread."""
    cdef dict run
    cdef dict errors
    cdef int typenum

    def __init__(self, run, int typenum):
        self.run = run
        self.errors = {}
        self.typenum = typenum

    cdef int raise_error(self) except -1:
        """Raise what a runner has raised in this thread."""
        error = self.errors.pop(get_ident(), None)
        if error is not None:
            raise error
        return 0


cdef int put(object to, object value, bint add) except -1:
    if add:
        to += value
    else:
        to[...] = value
    return 0


cdef object run_forward(_Runners runners, const fm_custom_call *call):
    runner = runners.run[call.node]
    widths, rows = runner.widths, call.rows
    x = []
    for k, width in enumerate(widths):
        x.append(matrix_at(call.x[k], rows, width, runners.typenum).copy())
    put(matrix_at(call.y, rows, runner.width, runners.typenum), runner.forward(x, call.keeps), 0)


cdef object run_backward(_Runners runners, const fm_custom_call *call):
    runner = runners.run[call.node]
    dx, grads = runner.backward(
        matrix_at(call.dy, call.rows, runner.width, runners.typenum).copy()
    )
    for k, width in enumerate(runner.widths):
        if call.dx[k] != NULL:
            put(matrix_at(call.dx[k], call.rows, width, runners.typenum), dx[k], call.add[k])
    if grads is not None:
        put(matrix_at(call.grads, 1, runner.n_parameters, runners.typenum), grads, call.add_grads)


cdef int run_custom(void *context, const fm_custom_call *call) noexcept with gil:
    runners = <_Runners>context
    try:
        if call.dy == NULL:
            run_forward(runners, call)
        else:
            run_backward(runners, call)
    except BaseException as error:
        runners.errors[get_ident()] = error
        return 1
    return 0


cdef object run_loss(_Runners runners, fm_custom_loss_call *call):
    runner = runners.run[call.head]
    cdef cnp.npy_intp rows = call.rows
    if call.order == NULL:
        chosen = slice(call.first, call.first + call.rows)
    else:
        chosen = cnp.PyArray_SimpleNewFromData(1, &rows, cnp.NPY_INT64, <void *>call.order).copy()
    scores = matrix_at(call.scores, rows, runner.width, runners.typenum).copy()
    call.value, gradient = runner.run(scores, chosen)
    matrix_at(call.gradient, rows, runner.width, runners.typenum)[...] = gradient


cdef int run_custom_loss(void *context, fm_custom_loss_call *call) noexcept with gil:
    runners = <_Runners>context
    try:
        run_loss(runners, call)
    except BaseException as error:
        runners.errors[get_ident()] = error
        return 1
    return 0


# ---- networks ----

cdef class _NetHandle:
    """Owns the C network. Arrays over its memory hold this, and not Net: no reference cycles."""
    cdef fm_net *net

    def __dealloc__(self):
        fm_net_free(self.net)


# Fewer rows than this are one block of work: there would be nothing to interrupt.
cdef int64_t MANY_ROWS = 128

# Multiply-adds of a prediction, some microseconds: threads that predict at once lose more by
# handing the GIL round for less than they gain.
cdef int64_t SHORT_WORK = 1 << 17


cdef class Net:
    """A compiled node list with its parameters and gradients."""
    cdef _NetHandle handle
    cdef fm_net *net
    cdef int typenum
    cdef int64_t kept_rows, n_params
    cdef _Runners runners  # not of the handle: arrays over its memory would keep them alive
    cdef list widths
    cdef readonly object params, grads, state, dtype
    cdef readonly list offsets, state_offsets, widths_in, widths_out
    cdef readonly int64_t n_in, n_out

    def __init__(self, list widths, list nodes, list outputs, str dtype, uint64_t seed,
                 bint separate=False):
        """`separate`: values and gradients of all nodes are kept, for `value` and `delta`."""
        cdef fm_ends ends
        cdef const fm_node *planned
        cdef cnp.ndarray packed = np.zeros(len(nodes) * sizeof(fm_node), np.uint8)
        cdef fm_node *node = <fm_node *>cnp.PyArray_DATA(packed)
        ends.separate = separate
        ends.n_inputs, ends.n_outputs = len(widths), len(outputs)
        if not 0 < len(widths) <= FM_MOST_ENDS or not 0 < len(outputs) <= FM_MOST_ENDS:
            raise ArgumentError(f"got {len(widths)} inputs and {len(outputs)} outputs; "
                                f"want 1 to {FM_MOST_ENDS} of each")
        for i, width in enumerate(widths):
            ends.width[i] = width
        for i, output in enumerate(outputs):
            ends.output[i] = output
        run = {}
        for i, (op, sources, fan_in, fan_out, kind, p0, p1, bias, *more) in enumerate(nodes):
            node[i].op = _OPS[op]
            node[i].n_sources = len(sources)
            for k, source in enumerate(sources[:FM_MOST_SOURCES]):
                node[i].source[k] = source
            node[i].fan_in = fan_in
            node[i].fan_out = fan_out
            node[i].kind = kind
            node[i].param[0] = p0
            node[i].param[1] = p1
            node[i].bias = bias
            if op == "matmul":
                for k, size in enumerate(more[0]):
                    node[i].shape[k] = size
            if op == "custom":
                run[i] = more[0]
                node[i].n_custom = more[0].n_parameters
        self.handle = _NetHandle()
        check(fm_net_new(&ends, len(nodes), node, dtype_of(dtype), seed, &self.handle.net))
        self.net = self.handle.net
        self.typenum = cnp.NPY_FLOAT32 if dtype == "float32" else cnp.NPY_FLOAT64
        self.dtype = np.dtype(dtype)
        self.widths_in = list(widths)
        self.widths_out, self.offsets, self.widths = [], [], []
        for i in outputs:
            self.widths_out.append(fm_net_node(self.net, i).fan_out)
        self.n_in, self.n_out = self.widths_in[0], self.widths_out[0]
        for i in range(len(nodes)):
            planned = fm_net_node(self.net, i)
            self.offsets.append((planned.weight_at, planned.bias_at))
            self.widths.append(planned.fan_out)
        if run:
            self.runners = _Runners(run, self.typenum)
            fm_net_set_custom(self.net, run_custom, <void *>self.runners)
        self.state_offsets = [0] * len(nodes)
        at = 0
        for i, given in enumerate(nodes):
            self.state_offsets[i] = at
            at += 2 * node[i].fan_out if given[0] == "batch_norm" else 0
        self.n_params = fm_net_parameters(self.net)
        self.params = view(self.handle, fm_net_params(self.net), self.n_params, self.typenum)
        self.grads = view(self.handle, fm_net_grads(self.net), self.n_params, self.typenum)
        self.state = view(self.handle, fm_net_state(self.net), fm_net_state_size(self.net),
                          self.typenum)

    @property
    def step_count(self):
        """Training forwards so far, which number dropout's masks."""
        return fm_net_step(self.net)

    @step_count.setter
    def step_count(self, uint32_t step):
        self.enter()
        fm_net_set_step(self.net, step)
        self.leave()

    @property
    def saved_rows(self):
        """Rows of the forward pass that awaits its backward, -1 when there is none."""
        return fm_net_saved_rows(self.net)

    def passes(self):
        """For each node the number of its pass over the data; fused nodes have one number."""
        found = []
        for node in range(len(self.widths)):
            found.append(fm_net_pass(self.net, node))
        return found

    def value(self, int node):
        """What a node of a `separate` network gave in the last forward: (rows, width), a copy."""
        return self.entry(fm_net_value, node)

    def delta(self, int node):
        """dL/d(value), after a backward."""
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
        """Take the network for a call; whoever returns from this must `leave`."""
        cdef fm_status status = fm_net_take(self.net)
        if status == FM_OK:
            return 0
        if status == FM_LOST:
            raise StateError("this network was at work in another thread when this process was "
                             "forked, and stays as it was at that moment: use a copy of it")
        raise StateError("this network is in use by another thread: forward, backward and "
                         "training need it for themselves (predict does not)")

    cdef void leave(self) noexcept:
        fm_net_give_back(self.net)

    cdef object made(self, object given, list widths, int64_t rows):
        """Empty arrays of these widths: a list where `given` is one, else the only one."""
        if not isinstance(given, list):
            return empty(rows, self.n_out if widths is self.widths_out else self.n_in, self.typenum)
        arrays = []
        for width in widths:
            arrays.append(empty(rows, width, self.typenum))
        return arrays

    cpdef object predict(self, object x, object out):
        """From one array to one array, or from a list to a list."""
        cdef int64_t rows = rows_of(x)
        cdef _Signals signals = None
        y = self.made(x, self.widths_out, rows) if out is None else out
        cdef void *from_x[8]
        cdef void *to_y[8]
        cdef void *context = NULL
        cdef fm_poll poll = NULL
        cdef fm_status status
        point_at(from_x, x)
        point_at(to_y, y)
        if rows > MANY_ROWS:
            signals = _Signals()
            poll, context = poll_signals, <void *>signals
        if rows <= SHORT_WORK // (self.n_params + 1):
            status = fm_net_predict(self.net, rows, <const void *const *>from_x, to_y, poll,
                                    context)
        else:
            with nogil:
                status = fm_net_predict(self.net, rows, <const void *const *>from_x, to_y, poll,
                                        context)
        if status == FM_INTERRUPTED and signals is not None and signals.error is not None:
            raise signals.error
        self.check(status)
        return y

    def reserve(self, int64_t rows):
        """Take the memory that predict needs for so many rows."""
        check(fm_net_reserve(self.net, rows))

    def forward(self, x, bint training):
        """From one array to one array, or from a list to a list."""
        cdef int64_t rows = rows_of(x)
        y = self.made(x, self.widths_out, rows)
        cdef void *from_x[8]
        cdef void *to_y[8]
        cdef fm_status status
        point_at(from_x, x)
        point_at(to_y, y)
        self.enter()
        with nogil:
            status = fm_net_forward(self.net, rows, <const void *const *>from_x, training, to_y)
        if status == FM_OK:
            self.kept_rows = rows
        self.leave()
        self.check(status)
        return y

    def backward(self, dy, bint accumulate):
        """From one array to one array, or from a list to a list."""
        cdef int64_t rows = rows_of(dy)
        dx = self.made(dy, self.widths_in, rows)
        cdef void *from_dy[8]
        cdef void *to_dx[8]
        cdef fm_status status
        point_at(from_dy, dy)
        point_at(to_dx, dx)
        self.enter()
        if fm_net_saved_rows(self.net) != rows:
            self.leave()
            raise StateError("backward: another call has used this network since the forward pass")
        with nogil:
            status = fm_net_backward(self.net, rows, <const void *const *>from_dy, accumulate,
                                     to_dx)
        self.leave()
        self.check(status)
        return dx


cdef class Predictor:
    """The base of networks: `predict` on arrays that need no conversion makes no other call.

    A subclass binds its core network and defines `_predict_checked(x, out)` for everything else.
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
        """Compute the output, keeping no state: several threads may call it at once.

        The values are those of ``forward(x, training=False)``.

        Parameters
        ----------
        x : array_like, shape (N, in_features) or (in_features,)
        out : ndarray, optional
            Writable C-contiguous array of the output's shape and ``net.dtype``, apart from ``x``.

        Returns
        -------
        ndarray, shape (N, out_features) or (out_features,)
            ``out`` where given.

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
        cdef Net net = self.bound
        if net is None:
            raise StateError("predict: this network's __init__ has not run")
        if (self.has_one_end and is_ready(x, net.typenum, 2)
                and cnp.PyArray_DIM(<cnp.ndarray>x, 1) == net.n_in
                and (out is None or self.takes_output(x, out))):
            return net.predict(x, out)
        return self._predict_checked(x, out)


# ---- losses and training ----

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
    """Inputs and targets: one array each, or lists; penalties count fully."""
    epoch.penalty = NULL
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
    cdef public double lr
    cdef readonly int64_t steps_done

    def __init__(self, Net net, list heads, tuple optimizer, list penalties, double clip_norm):
        """`heads`: for each output its loss's description and its weight."""
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

    @property
    def t(self):
        """Updates done."""
        return fm_trainer_updates(self.trainer)[0]

    @t.setter
    def t(self, int64_t value):
        self.net.enter()
        fm_trainer_updates(self.trainer)[0] = value
        self.net.leave()

    cdef double train(self, const fm_epoch *epoch) except? -1.0:
        cdef double value = 0.0
        cdef fm_status status
        self.net.enter()
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
              penalties=None, losses=None):
        """All batches once; a signal's exception is raised after the last finished step.

        `penalties` (steps) are factors of the penalties; `losses` (steps, 2) takes each step's
        loss and its penalties.
        """
        cdef fm_epoch epoch
        cdef _Signals signals = _Signals()
        fill_epoch(&epoch, x, target, sample_weight)
        epoch.order = <const int64_t *>data(order)
        epoch.batch = batch_size
        epoch.lr = <const double *>data(lrs)
        epoch.penalty = <const double *>data(penalties)
        epoch.losses = <double *>data(losses)
        epoch.poll = poll_signals
        epoch.poll_context = <void *>signals
        value = self.train(&epoch)
        if signals.error is not None:
            raise signals.error
        return value

    def update(self):
        """One optimizer update from the network's gradients."""
        self.net.enter()
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


cdef bint labels_fit(cnp.ndarray labels, int64_t classes) noexcept:
    cdef const int64_t *label = <const int64_t *>cnp.PyArray_DATA(labels)
    cdef int64_t i
    for i in range(cnp.PyArray_DIM(labels, 0)):
        if label[i] < 0 or label[i] >= classes:
            return False
    return True


cdef class Stepper:
    """The base of trainers: `step` on arrays that need no conversion makes no other call.

    A subclass binds its core trainer, says what targets its loss takes without further checks
    ("class", "real" or ""), and defines `_step_checked(x, y, sample_weight)` for everything else.
    """
    cdef Trainer bound
    cdef bint takes_labels, takes_values

    def _bind_core(self, Trainer core, str target):
        self.bound = core
        self.takes_labels = target == "class"
        self.takes_values = target == "real"

    cdef bint takes_target(self, object y, int64_t rows) noexcept:
        cdef Net net = self.bound.net
        if self.takes_labels and is_ready(y, cnp.NPY_INT64, 1):
            return (cnp.PyArray_DIM(<cnp.ndarray>y, 0) == rows
                    and labels_fit(y, net.n_out))
        if self.takes_values and is_ready(y, net.typenum, 2):
            return (cnp.PyArray_DIM(<cnp.ndarray>y, 0) == rows
                    and cnp.PyArray_DIM(<cnp.ndarray>y, 1) == net.n_out)
        return (self.takes_values and net.n_out == 1 and is_ready(y, net.typenum, 1)
                and cnp.PyArray_DIM(<cnp.ndarray>y, 0) == rows)

    def step(self, x, y, sample_weight=None):
        """Forward, loss, backward and update on one batch, in one call of the core.

        Parameters
        ----------
        x : array_like, shape (N, in_features)
            At least one row.
        y : array_like
            Targets, as the loss takes them.
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
        cdef Net net = self.bound.net
        cdef int64_t rows
        if sample_weight is None and is_ready(x, net.typenum, 2):
            rows = cnp.PyArray_DIM(<cnp.ndarray>x, 0)
            if (rows > 0 and cnp.PyArray_DIM(<cnp.ndarray>x, 1) == net.n_in
                    and self.takes_target(y, rows)):
                return self.bound.step(x, y, None)
        return self._step_checked(x, y, sample_weight)


if os.environ.get("FASTMLP_ISA"):
    use_isa(os.environ["FASTMLP_ISA"], "FASTMLP_ISA")
