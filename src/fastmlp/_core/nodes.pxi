# The description of a network.

cdef int fill_node(fm_node *node, object given) except -1:
    """The C form of a `fastmlp.base.node.Node`."""
    cdef bytes name = given.op.encode()
    cdef int op = fm_op_find(name)
    if op < 0:
        raise ArgumentError(f"got an unknown operation {given.op!r}")
    node.op = <fm_op>op
    node.n_sources = len(given.sources)
    for k, source in enumerate(given.sources[:FM_MOST_SOURCES]):
        node.source[k] = source
    node.fan_in, node.fan_out = given.fan_in, given.fan_out
    node.kind, node.bias = given.kind, given.bias
    for k, param in enumerate(given.params[:FM_NODE_PARAMS]):
        node.param[k] = param
    for k, size in enumerate(given.sizes[:FM_NODE_SIZES]):
        node.size[k] = size
    if given.indices is not None:
        check_vector("indices", given.indices, len(given.indices), cnp.NPY_INT64)
        node.n_list, node.list = len(given.indices), <const int64_t *>data(given.indices)
    return 0


_ROLES = {
    FM_WEIGHT: "weight",
    FM_BIAS: "bias",
    FM_GAIN: "gain",
    FM_SHIFT: "shift",
    FM_TABLE: "table",
    FM_ALPHA: "alpha",
    FM_FREE: "free",
}
