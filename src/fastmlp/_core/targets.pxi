# Targets as callers have them: labels, weights, rows of several named numbers.

cdef bint labels_fit(const int64_t *label, int64_t n, int64_t classes) noexcept:
    cdef int64_t i
    for i in range(n):
        if label[i] < 0 or label[i] >= classes:
            return False
    return True


cdef bint whole_numbers(const double *numbers, int64_t n, int64_t *to) noexcept:
    """Convert numbers that are whole and small; False if one is not."""
    cdef int64_t i
    for i in range(n):
        if not -<double>EXACT_WHOLE <= numbers[i] <= <double>EXACT_WHOLE:
            return False
        to[i] = <int64_t>numbers[i]
        if <double>to[i] != numbers[i]:
            return False
    return True


cdef object take_labels(int64_t **to, object value, int64_t n, int64_t classes, Space *space):
    """Class labels (n,) as int64; returns what keeps them, None if they need the validation."""
    cdef fm_elements elements
    cdef void *numbers
    cdef void *start
    if is_ready(value, cnp.NPY_INT64, 1):
        if cnp.PyArray_DIM(<cnp.ndarray>value, 0) != n:
            return None
        kept, to[0] = value, <int64_t *>data(value)
        return kept if labels_fit(to[0], n, classes) else None
    if not is_worth_it(n, 1):
        return None
    kept = room(&start, space, n, 1, cnp.NPY_INT64)
    to[0] = <int64_t *>start
    if cnp.PyArray_CheckExact(value):
        if (cnp.PyArray_NDIM(<cnp.ndarray>value) != 1 or not describe(&elements, value)
                or elements.cols != n or elements.type >= FM_FROM_F32):
            return None
        fm_convert_whole(&elements, to[0])
    else:
        own = room(&numbers, space, n, 1, cnp.NPY_FLOAT64)
        if (not take_numbers(<double *>numbers, value, n)
                or not whole_numbers(<double *>numbers, n, to[0])):
            return None
    return kept if labels_fit(to[0], n, classes) else None


cdef object take_vector(void **to, object value, int64_t n, int typenum, Space *space):
    """Numbers (n,)."""
    cdef Rows row
    kept = take_rows(&row, value, n, typenum, space)
    to[0] = row.start
    return kept if kept is not None and row.ndim == 1 else None


cdef bint are_whole(const char *start, int64_t n, int64_t step, int64_t end, int typenum) noexcept:
    """Whether numbers that are `step` bytes apart are whole and from 0 to end - 1."""
    cdef int64_t i
    cdef double value
    for i in range(n):
        if typenum == cnp.NPY_FLOAT32:
            value = (<const float *>(start + i * step))[0]
        else:
            value = (<const double *>(start + i * step))[0]
        if not 0.0 <= value < <double>end or <double><int64_t>value != value:
            return False
    return True


cdef bint take_field(char *to, object value, int64_t n, int64_t columns, int64_t row_step,
                     int typenum, Space space) except -1:
    """Store the columns of one field in rows that are `row_step` bytes apart.

    The space is a copy: what is converted here is needed no longer afterwards.
    """
    cdef Rows rows
    cdef void *numbers = NULL
    cdef int64_t i, bytes = columns * (4 if typenum == cnp.NPY_FLOAT32 else 8)
    cdef bint is_matrix = cnp.PyArray_Check(value) and cnp.PyArray_NDIM(<cnp.ndarray>value) == 2
    if columns == 1 and not is_matrix:
        kept = take_vector(&numbers, value, n, typenum, &space)
    else:
        kept = take_rows(&rows, value, columns, typenum, &space)
        if kept is not None and (rows.ndim != 2 or rows.count != n):
            return False
        numbers = rows.start
    if kept is None:
        return False
    for i in range(n):
        memcpy(to + i * row_step, <const char *>numbers + i * bytes, bytes)
    return True


cdef object take_fields(fm_targets *to, tuple layout, object y, int64_t n, int typenum,
                        Space *space):
    """Rows of fields, (name, columns, end) each: one array of them side by side, or a dict.

    It gives what `fastmlp.losses.packing` gives. Returns what keeps the target, None if it needs
    the validation.
    """
    cdef int64_t width = 0, at = 0, columns, end
    cdef int64_t size = 4 if typenum == cnp.NPY_FLOAT32 else 8
    cdef Rows rows
    cdef void *start = NULL
    for _, columns, _ in layout:
        width += columns
    if type(y) is dict:
        if len(<dict>y) != len(layout) or not is_worth_it(n, width):
            return None
        kept = room(&start, space, n, width, typenum)
        for name, columns, _ in layout:
            if not take_field(<char *>start + at * size, (<dict>y).get(name), n, columns,
                              width * size, typenum, space[0]):
                return None
            at += columns
    elif width == 1 and not (cnp.PyArray_Check(y) and cnp.PyArray_NDIM(<cnp.ndarray>y) == 2):
        kept = take_vector(&start, y, n, typenum, space)
    else:
        kept = take_rows(&rows, y, width, typenum, space)
        start = rows.start
        if kept is not None and (rows.ndim != 2 or rows.count != n):
            return None
    if kept is None:
        return None
    at = 0
    for _, columns, end in layout:
        if end > 0 and not are_whole(<char *>start + at * size, n, width * size, end, typenum):
            return None
        at += columns
    to.values, to.cols = start, width
    return kept
