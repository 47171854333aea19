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
    cdef dict run
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
