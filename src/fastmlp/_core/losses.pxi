# Losses by hand, and targets in the form that C takes.

cdef struct Scores:
    int loss  # row of losses.def; -1 for a custom loss
    int64_t rows, n  # of the targets; n: columns of the scores of one member
    int typenum
    const double *params  # of the loss


cdef bint takes_columns(const Scores *scores, int64_t cols) noexcept:
    """Whether targets with this number of columns fit the scores."""
    if fm_loss_at(scores.loss).target == FM_TARGET_QUANTILE:
        return cols > 0 and scores.n % cols == 0
    return cols == fm_loss_target_cols(scores.loss, scores.n, scores.params)


cdef int set_targets(fm_targets *targets, object target, object sample_weight,
                     const Scores *scores) except -1:
    cdef cnp.ndarray array
    targets.label = NULL
    targets.values = NULL
    targets.cols = 0
    targets.own = 0
    targets.weight = data(sample_weight)
    if scores.loss < 0:  # a loss that the user wrote keeps its own
        return 0
    cdef bint of_classes = fm_loss_at(scores.loss).target == FM_TARGET_CLASS
    # int64 has one of two type numbers, that of long or of long long.
    if of_classes and (is_ready(target, cnp.NPY_INT64, 1) or is_ready(target, cnp.NPY_LONGLONG, 1)):
        array = target
        targets.label = <const int64_t *>cnp.PyArray_DATA(array)
    elif is_ready(target, scores.typenum, 1) or is_ready(target, scores.typenum, 2):
        array = target
        targets.values = cnp.PyArray_DATA(array)
        targets.cols = cnp.PyArray_DIM(array, 1) if cnp.PyArray_NDIM(array) == 2 else 1
        if not takes_columns(scores, targets.cols):
            raise changed("y", target, f"targets of {scores.n} columns of scores")
    else:
        raise changed("y", target, "labels" if of_classes else f"shape ({scores.rows}, {scores.n})")
    if cnp.PyArray_DIM(array, 0) != scores.rows:
        raise changed("y", target, f"{scores.rows} rows")
    return 0


cdef object bad_label(double label):
    """The error for a label that was a class when it was checked and is none now."""
    return ArgumentError(f"y: got label {int(label)}, written during the call; want labels "
                         "that do not change until it returns")


# In the order of `fm_loss_spec.mean`.
_REDUCTIONS = ("sum", "mean", "batchmean")


cdef class _LossSpec:
    """A loss description and the memory it points to."""
    cdef fm_loss_spec spec
    cdef object params

    def __init__(self, int kind, params, str reduction, int64_t fold=1):
        self.spec.fold = fold
        self.params = np.array(tuple(params) or (0.0,), np.float64)
        self.spec.kind = kind
        self.spec.mean = _REDUCTIONS.index(reduction)
        self.spec.n_params = len(self.params)
        self.spec.params = <const double *>data(self.params)


def loss_target_columns(int kind, params, int64_t n):
    """Columns of the targets of n columns of scores; -1 if n does not fit or they are labels."""
    cdef _LossSpec loss = _LossSpec(kind, params, "mean")
    return fm_loss_target_cols(kind, n, loss.spec.params)


def loss_forward(int kind, params, str reduction, scores, target, sample_weight,
                 int64_t fold=1, members=None):
    """The loss and dL/dscores.

    `fold` members predict the same targets, or targets of their own if there are rows * fold of
    them. `members` (fold) receives the loss of each.
    """
    cdef _LossSpec loss = _LossSpec(kind, params, reduction, fold)
    cdef cnp.ndarray array = scores
    cdef int64_t rows = cnp.PyArray_DIM(array, 0), n = cnp.PyArray_DIM(array, 1)
    cdef int typenum = cnp.PyArray_TYPE(array)
    cdef fm_dtype dtype = FM_F32 if typenum == cnp.NPY_FLOAT32 else FM_F64
    cdef Scores shape
    cdef bint own = fold > 1 and len(target) != rows
    shape.loss, shape.rows, shape.n, shape.typenum = kind, rows, n // fold, typenum
    shape.params = loss.spec.params
    if own:
        shape.rows = rows * fold
    cdef fm_targets targets
    check_vector("sample_weight", sample_weight, shape.rows, typenum)
    check_vector("members", members, fold, cnp.NPY_FLOAT64)
    set_targets(&targets, target, sample_weight, &shape)
    targets.own = own
    cdef double *to_members = <double *>data(members)
    cdef double value = 0.0
    gradient = empty(rows, n, typenum)
    cdef void *to_gradient = data(gradient)
    cdef void *from_scores = data(scores)
    cdef fm_status status
    with nogil:
        status = fm_loss(&loss.spec, dtype, rows, n, from_scores, &targets, &value, to_members,
                         to_gradient)
    if status == FM_BAD_LABEL:
        raise bad_label(value)
    check(status)
    return value, gradient
