# The rows of the core's registries as dicts.

_TARGETS = {FM_TARGET_CLASS: "class", FM_TARGET_REAL: "real", FM_TARGET_QUANTILE: "quantile",
            FM_TARGET_FIELDS: "fields"}


def _defaults(const char *text):
    pairs = []
    for item in text.decode().split():
        name, value = item.split("=")
        pairs.append((name, float(value)))
    return pairs


def operations():
    """The names of the operations, in the core's order."""
    names = []
    for op in range(FM_OPS):
        names.append(fm_op_name(op).decode())
    return names


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


# The names of the roles of parameter arrays.
_ROLES = {
    FM_WEIGHT: "weight",
    FM_BIAS: "bias",
    FM_GAIN: "gain",
    FM_SHIFT: "shift",
    FM_TABLE: "table",
    FM_ALPHA: "alpha",
    FM_FREE: "free",
}
