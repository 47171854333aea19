# Functions that the core calls back: signals, custom nodes and custom losses.

cdef class _Signals:
    """Keeps the exception that a signal handler raised during a poll."""
    cdef object error


cdef int poll_signals(void *context) noexcept with gil:
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        (<_Signals>context).error = error
        return 1
    return 0


# ---- custom nodes and losses ----

cdef class _Runners:
    """The Python objects that the core calls, and for each thread the error they raised."""
    cdef object run  # custom nodes by index, or a list of the losses
    cdef dict errors
    cdef int typenum

    def __init__(self, run, int typenum):
        self.run = run
        self.errors = {}
        self.typenum = typenum

    cdef int raise_error(self) except -1:
        """Raise the error of a runner in this thread, if there is one."""
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


cdef object copy_at(const void *start, int64_t rows, int64_t cols, int typenum):
    """A copy of a matrix, which the user may keep."""
    array = empty(rows, cols, typenum)
    memcpy(data(array), start, cnp.PyArray_NBYTES(<cnp.ndarray>array))
    return array


cdef object rows_at(object values, object rows):
    """Some rows of an array, or of each array of a dict."""
    if not isinstance(values, dict):
        return None if values is None else values[rows]
    found = {}
    for name, array in values.items():
        found[name] = array[rows]
    return found


cdef class OwnLoss:
    """A loss that the user wrote, in a trainer: the outputs that it reads, and its current data."""
    cdef object call, check
    cdef readonly tuple outputs
    cdef tuple widths, names
    cdef readonly str reduction
    cdef bint takes_weights
    cdef double weight
    cdef object target, sample_weight
    cdef int64_t rows

    def __init__(self, call, check, outputs, widths, names, double weight, str reduction,
                 bint takes_weights):
        """Of some outputs, with their widths.

        `call(scores, target, sample_weight)` returns value and gradient, as the user gives them;
        `check(value, gradient, scores)` turns them into a float and a list of arrays. `names` are
        those of the outputs if scores and gradients are dicts; otherwise None. The gradient is
        multiplied by `weight`. `reduction` says what the value is, a mean of rows or a sum.
        """
        self.call, self.check = call, check
        self.outputs, self.widths = tuple(outputs), tuple(widths)
        self.names = None if names is None else tuple(names)
        self.weight, self.reduction, self.takes_weights = weight, reduction, takes_weights

    def use(self, target, sample_weight, int64_t rows):
        """Use these targets, an array or a dict of arrays, and weights from now on."""
        self.target, self.sample_weight, self.rows = target, sample_weight, rows

    cdef object scores(self, fm_custom_loss_call *call, int typenum):
        if self.names is None:
            return copy_at(call.scores[<int>self.outputs[0]], call.rows, self.widths[0], typenum)
        found = {}
        for name, k, width in zip(self.names, self.outputs, self.widths):
            found[name] = copy_at(call.scores[<int>k], call.rows, width, typenum)
        return found

    cdef list ready(self, object gradient, int64_t rows, int typenum):
        """The gradients as a list, or None if one of them must be checked."""
        if self.names is not None and not isinstance(gradient, dict):
            return None
        found = []
        for i in range(len(self.outputs)):
            one = gradient if self.names is None else (<dict>gradient).get(self.names[i])
            if not (is_ready(one, typenum, 2) and cnp.PyArray_DIM(<cnp.ndarray>one, 0) == rows
                    and cnp.PyArray_DIM(<cnp.ndarray>one, 1) == <int64_t>self.widths[i]):
                return None
            found.append(one)
        return found if self.names is None or len(<dict>gradient) == len(found) else None

    cdef int run(self, fm_custom_loss_call *call, int typenum) except -1:
        cdef cnp.npy_intp rows = call.rows
        target, weights = self.target, self.sample_weight
        if call.order != NULL or rows != self.rows:
            chosen = slice(call.first, call.first + rows)
            if call.order != NULL:
                chosen = cnp.PyArray_SimpleNewFromData(
                    1, &rows, cnp.NPY_INT64, <void *>call.order).copy()
            target, weights = rows_at(target, chosen), rows_at(weights, chosen)
        scores = self.scores(call, typenum)
        value, gradient = self.call(scores, target, weights)
        gradients = self.ready(gradient, rows, typenum)
        if gradients is None or not isinstance(value, (float, np.floating)):
            value, gradients = self.check(value, gradient, scores)
        call.value[<int>self.outputs[0]] = value
        for i, one in enumerate(gradients):
            if self.weight != 1.0:
                one = self.weight * one
            matrix_at(call.gradient[<int>self.outputs[i]], rows, self.widths[i], typenum)[...] = one
        return 0


cdef int run_custom_loss(void *context, fm_custom_loss_call *call) noexcept with gil:
    runners = <_Runners>context
    try:
        for own in runners.run:
            (<OwnLoss>own).run(call, runners.typenum)
    except BaseException as error:
        runners.errors[get_ident()] = error
        return 1
    return 0
