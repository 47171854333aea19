# Rows of numbers as callers have them: arrays of any real type and layout, lists of numbers, lists
# of rows. What is common is converted here, without a call of Python; everything else is left to
# `fastmlp.base.validation`, which gives the same numbers, or an error.

# What a call converts lies on its stack if it fits; MOST_CONVERTED elements are worth doing here.
cdef enum:
    SPACE_DOUBLES = 2048
    MOST_CONVERTED = 1 << 20
    MOST_DIMS = 4

# Every whole number up to this one is a double.
cdef int64_t EXACT_WHOLE = 1 << 53

cdef object _FLOAT64 = np.float64


cdef struct Space:
    char *next
    int64_t left


cdef struct Rows:
    void *start  # (count, width), in the type of the network
    int64_t count
    int ndim  # of the array; 1 for a single row
    cnp.npy_intp shape[MOST_DIMS]  # of the array


cdef inline bint is_worth_it(int64_t rows, int64_t cols) noexcept:
    """Whether a matrix is so small that Python's share of its conversion matters."""
    return cols <= 0 or rows <= MOST_CONVERTED // cols


cdef object room(void **to, Space *space, int64_t rows, int64_t cols, int typenum):
    """Find memory for a matrix of floats or int64; return what keeps it, True: the space itself."""
    cdef int64_t size = 4 if typenum == cnp.NPY_FLOAT32 else 8, bytes
    if rows * cols <= space.left:
        bytes = rows * cols * size
    else:
        bytes = space.left + 1
    if bytes <= space.left:
        to[0] = space.next
        bytes = (bytes + 63) & ~<int64_t>63
        space.next += bytes
        space.left -= bytes
        return True
    array = empty(rows, cols, typenum)
    to[0] = data(array)
    return array


cdef int number_type(cnp.ndarray array) noexcept:
    """The `fm_number` of an array's elements; -1 for any other type or byte order."""
    cdef int typenum = cnp.PyArray_TYPE(array)
    if not cnp.PyArray_ISNOTSWAPPED(array):
        return -1
    if typenum == cnp.NPY_FLOAT64:
        return FM_FROM_F64
    if typenum == cnp.NPY_FLOAT32:
        return FM_FROM_F32
    if typenum == cnp.NPY_BOOL:
        return FM_FROM_BOOL
    if not cnp.PyArray_ISINTEGER(array):
        return -1
    cdef int is_signed = cnp.PyArray_ISSIGNED(array), size = cnp.PyArray_ITEMSIZE(array)
    if size == 1:
        return FM_FROM_INT8 if is_signed else FM_FROM_UINT8
    if size == 2:
        return FM_FROM_INT16 if is_signed else FM_FROM_UINT16
    if size == 4:
        return FM_FROM_INT32 if is_signed else FM_FROM_UINT32
    return FM_FROM_INT64 if is_signed else FM_FROM_UINT64


cdef bint describe(fm_elements *to, cnp.ndarray array) noexcept:
    """Describe an array for a conversion as rows; False if the core has none.

    Arrays of more than two dimensions must be contiguous.
    """
    cdef int type = number_type(array), ndim = cnp.PyArray_NDIM(array)
    if type < 0:
        return False
    to.type = <fm_number>type
    to.start = cnp.PyArray_BYTES(array)
    to.cols, to.col_step = cnp.PyArray_DIM(array, ndim - 1), cnp.PyArray_STRIDE(array, ndim - 1)
    to.rows, to.row_step = 1, 0
    if ndim == 2:
        to.rows, to.row_step = cnp.PyArray_DIM(array, 0), cnp.PyArray_STRIDE(array, 0)
    elif ndim > 2:
        to.rows, to.row_step = cnp.PyArray_SIZE(array) // to.cols, to.cols * to.col_step
        return cnp.PyArray_IS_C_CONTIGUOUS(array)
    return True


cdef inline fm_dtype dtype_for(int typenum) noexcept:
    return FM_F32 if typenum == cnp.NPY_FLOAT32 else FM_F64


cdef object take_array(Rows *to, cnp.ndarray array, int64_t width, int typenum, Space *space):
    cdef int ndim = cnp.PyArray_NDIM(array), i
    cdef fm_elements elements
    if not 0 < ndim <= MOST_DIMS or cnp.PyArray_DIM(array, ndim - 1) != width:
        return None
    to.ndim, to.count = ndim, 1
    for i in range(ndim):
        to.shape[i] = cnp.PyArray_DIM(array, i)
        if i < ndim - 1:
            to.count *= to.shape[i]
    if cnp.PyArray_TYPE(array) == typenum and cnp.PyArray_ISCARRAY_RO(array):
        to.start = cnp.PyArray_DATA(array)
        return array
    if not is_worth_it(to.count, width) or not describe(&elements, array):
        return None
    kept = room(&to.start, space, to.count, width, typenum)
    fm_convert(&elements, dtype_for(typenum), to.start)
    return kept


cdef bint take_number(double *to, object value) noexcept:
    """A float or a whole number that a double holds exactly."""
    cdef int overflow = 0
    cdef int64_t whole
    if PyFloat_CheckExact(value) or type(value) is _FLOAT64:
        to[0] = PyFloat_AS_DOUBLE(value)
        return True
    if not PyLong_CheckExact(value):
        return False
    whole = PyLong_AsLongLongAndOverflow(value, &overflow)
    to[0] = <double>whole
    return overflow == 0 and -EXACT_WHOLE <= whole <= EXACT_WHOLE


cdef bint take_numbers(double *to, object row, int64_t width):
    """The numbers of a list or a tuple of this length."""
    cdef int64_t i = 0
    if not (type(row) is list or type(row) is tuple) or len(row) != width:
        return False
    for value in row:
        if i >= width or not take_number(&to[i], value):
            return False
        i += 1
    return i == width


cdef bint take_arrays(void *to, object rows, int64_t width, int typenum):
    """Convert arrays (width,) of one type, one behind another."""
    cdef fm_elements elements
    cdef cnp.ndarray array
    cdef int64_t i = 0, count = len(rows), size = 4 if typenum == cnp.NPY_FLOAT32 else 8
    cdef int type = -1
    for row in rows:
        if not cnp.PyArray_CheckExact(row) or i >= count:
            return False
        array = row
        if cnp.PyArray_NDIM(array) != 1 or cnp.PyArray_DIM(array, 0) != width:
            return False
        if not describe(&elements, array) or (i > 0 and <int>elements.type != type):
            return False
        type = elements.type
        fm_convert(&elements, dtype_for(typenum), <char *>to + i * width * size)
        i += 1
    return i == count


cdef object take_list(Rows *to, object value, int64_t width, int typenum, Space *space):
    """A row of numbers, or rows that are lists, tuples or arrays."""
    cdef int64_t count = len(value), i = 0
    cdef void *numbers
    cdef fm_elements elements
    if count == 0 or not is_worth_it(count, width):
        return None
    first = value[0]
    cdef bint is_row = type(first) is list or type(first) is tuple or isinstance(first, np.ndarray)
    to.ndim = 2 if is_row else 1
    to.count = count if to.ndim == 2 else 1
    to.shape[0], to.shape[to.ndim - 1] = to.count, width
    if cnp.PyArray_CheckExact(first):
        kept = room(&to.start, space, count, width, typenum)
        return kept if take_arrays(to.start, value, width, typenum) else None
    kept = room(&numbers, space, to.count, width, cnp.NPY_FLOAT64)
    for row in value if to.ndim == 2 else (value,):
        if i >= to.count or not take_numbers(<double *>numbers + i * width, row, width):
            return None
        i += 1
    if i < to.count:
        return None
    if typenum == cnp.NPY_FLOAT64:
        to.start = numbers
        return kept
    converted = room(&to.start, space, to.count, width, typenum)
    elements.start, elements.type = <const char *>numbers, FM_FROM_F64
    elements.rows, elements.cols = 1, to.count * width
    elements.row_step, elements.col_step = 0, 8
    fm_convert(&elements, dtype_for(typenum), to.start)
    return converted


cdef object take_rows(Rows *to, object value, int64_t width, int typenum, Space *space):
    """Find the rows (..., width) that `value` holds, and return what keeps them; None: not here.

    That is `value` itself if the core can read it in place.
    """
    if cnp.PyArray_CheckExact(value):
        return take_array(to, value, width, typenum, space)
    if type(value) is list or type(value) is tuple:
        return take_list(to, value, width, typenum, space)
    return None


cdef object empty_rows(const Rows *rows, int64_t width, int typenum):
    """An array with the leading dimensions of the rows."""
    cdef cnp.npy_intp shape[MOST_DIMS]
    cdef int i
    for i in range(rows.ndim):
        shape[i] = rows.shape[i]
    shape[rows.ndim - 1] = width
    return empty_of(rows.ndim, shape, typenum)


cdef bint have_same_leading(const Rows *a, const Rows *b) noexcept:
    cdef int i
    if a.ndim != b.ndim:
        return False
    for i in range(a.ndim - 1):
        if a.shape[i] != b.shape[i]:
            return False
    return True


cdef object take_ends(Rows *to, void **start, object values, tuple names, list widths, int typenum,
                      Space *space):
    """The rows of several inputs: a dict by name, or a list or a tuple in order."""
    cdef bint by_name = type(values) is dict
    cdef Rows rows
    cdef int k = 0
    if not (by_name or type(values) is list or type(values) is tuple):
        return None
    if len(values) != len(names):
        return None
    kept = []
    for name in names:
        value = (<dict>values).get(name) if by_name else values[k]
        one = take_rows(&rows, value, widths[k], typenum, space)
        if one is None or (k > 0 and not have_same_leading(to, &rows)):
            return None
        to[0] = rows
        start[k] = rows.start
        kept.append(one)
        k += 1
    return kept
