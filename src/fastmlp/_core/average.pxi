# Averages of two networks.

def average(Net target not None, Net source not None, double tau):
    """Move the parameters of `target` towards those of `source`, and take its state."""
    cdef fm_status status
    target.enter()
    try:
        source.enter()
    except BaseException:
        target.leave()
        raise
    if target.n_params <= SHORT_UPDATE:
        status = fm_net_average(target.net, source.net, tau)
    else:
        with nogil:
            status = fm_net_average(target.net, source.net, tau)
    source.leave()
    target.leave()
    check(status)
