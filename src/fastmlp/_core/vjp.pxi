# Vector-Jacobian products, whose upstream gradient may be a function of the outputs.

cdef class _Upstream:
    """A function that gets the outputs of a network, and returns their gradients as checked arrays.

    `start` receives the address of each.
    """
    cdef object function, outputs, found, error
    cdef void **start
    cdef list widths
    cdef int typenum

    def __init__(self, function, list outputs, list widths, int typenum):
        self.function, self.outputs = function, outputs
        self.widths, self.typenum = widths, typenum


cdef int find_upstream(void *context) noexcept with gil:
    up = <_Upstream>context
    try:
        up.found = list(up.function(up.outputs))
        check_list("dy", up.found, rows_of(up.outputs), up.widths, up.typenum)
        point_at(up.start, up.found)
    except BaseException as error:
        up.error = error
        return 1
    return 0


cdef object vjp_of(Net net, object x, object dy, bint outputs):
    """See `Net.vjp`."""
    cdef bint asks = callable(dy)
    function = dy
    x, dy = own_list(x), [] if asks else own_list(dy)
    cdef int64_t rows = rows_of(x)
    check_list("x", x, rows, net.widths_in, net.typenum)
    y = net.made(dy, net.widths_out, rows) if outputs or asks else None
    dx = net.made(x, net.widths_in, rows)
    cdef void *from_x[FM_MOST_ENDS]
    cdef void *from_dy[FM_MOST_ENDS]
    cdef void *y_at[FM_MOST_ENDS]
    cdef void *to_dx[FM_MOST_ENDS]
    cdef void **to_y = NULL
    cdef fm_poll ask = NULL
    cdef fm_status status
    cdef _Upstream upstream = None
    if asks:
        ask = find_upstream
        upstream = _Upstream(function, y, net.widths_out, net.typenum)
        upstream.start = from_dy
    else:
        check_list("dy", dy, rows, net.widths_out, net.typenum)
        point_at(from_dy, dy)
    point_at(from_x, x)
    point_at(to_dx, dx)
    if y is not None:
        to_y = y_at
        point_at(to_y, y)
    net.enter()
    with nogil:
        status = fm_net_vjp(net.net, rows, <const void *const *>from_x,
                            <const void *const *>from_dy, to_y, to_dx, ask, <void *>upstream)
    net.leave()
    if asks and upstream.error is not None:
        raise upstream.error
    if status == FM_STALE:
        raise StateError("dy: this function has changed the parameters of the network")
    check(status)
    return y, dx
