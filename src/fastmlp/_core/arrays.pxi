# Turns statuses into exceptions, and makes NumPy arrays over the core's memory.

cdef int check(fm_status status) except -1:
    if status == FM_OK:
        return 0
    if status == FM_NO_MEMORY:
        raise OutOfMemoryError("not enough memory for this call; nothing was changed")
    if status == FM_BAD_INDEX:
        raise ArgumentError("x: got a value that is not a row number of an Embedding's table; want "
                            "whole numbers from 0 to num_embeddings - 1")
    raise ArgumentError(f"the core refused its arguments (status {<int>status})")


cdef object stale(str call):
    """The error for a backward pass whose forward pass has become worthless."""
    return StateError(f"{call}: parameters have been changed since the forward pass (by a step, or "
                      "written into net.params or a layer's array), so the gradient would be "
                      "wrong; call forward(x) again")


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
    """Whether the core can use this object as it is: an aligned, native, C-contiguous array."""
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


cdef object empty_of(int ndim, cnp.npy_intp *shape, int typenum):
    try:
        return cnp.PyArray_SimpleNew(ndim, shape, typenum)
    except (MemoryError, ValueError) as error:  # ValueError: more bytes than the address space has
        rows = 1
        for i in range(ndim - 1):
            rows *= shape[i]
        raise OutOfMemoryError(
            f"got {rows} rows; not enough memory for {shape[ndim - 1]} columns of results"
        ) from error


cdef object empty(int64_t rows, int64_t cols, int typenum):
    cdef cnp.npy_intp shape[2]
    shape[0] = rows
    shape[1] = cols
    return empty_of(2, shape, typenum)


cdef object matrix_at(const void *start, int64_t rows, int64_t cols, int typenum):
    """An array over memory that must outlive it; never returned to the user."""
    cdef cnp.npy_intp shape[2]
    shape[0] = rows
    shape[1] = cols
    return cnp.PyArray_SimpleNewFromData(2, shape, typenum, <void *>start)


cdef int64_t rows_of(object arrays) except -1:
    """The number of rows of an array, or of the first array of a list."""
    first = arrays
    if isinstance(arrays, list):
        first = arrays[0] if arrays else None
    if isinstance(first, SparseRows):
        return (<SparseRows>first).rows
    if not cnp.PyArray_Check(first) or cnp.PyArray_NDIM(<cnp.ndarray>first) == 0:
        raise changed("x", first, "arrays of rows")
    return cnp.PyArray_DIM(<cnp.ndarray>first, 0)


cdef object changed(str name, object value, str wanted):
    """The error for an array that was changed after it had been checked."""
    got = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
    return ArgumentError(f"{name}: got {got}; want {wanted}, as it was when it was checked: do not "
                         "change type, shape or number of arrays while a call uses them")


cdef int check_matrix(str name, object array, int64_t rows, int64_t cols, int typenum) except -1:
    if (is_ready(array, typenum, 2) and cnp.PyArray_DIM(<cnp.ndarray>array, 0) == rows
            and cnp.PyArray_DIM(<cnp.ndarray>array, 1) == cols):
        return 0
    raise changed(name, array, f"shape ({rows}, {cols})")


cdef int check_vector(str name, object array, int64_t n, int typenum) except -1:
    """The array must have n elements, or be None."""
    if array is None or (is_ready(array, typenum, 1)
                         and cnp.PyArray_DIM(<cnp.ndarray>array, 0) == n):
        return 0
    raise changed(name, array, f"shape ({n},)")


cdef object own_list(object arrays):
    """A copy of the list, so that nobody can remove its arrays during the call."""
    return list(arrays) if isinstance(arrays, list) else arrays


cdef int check_list(str name, object arrays, int64_t rows, list widths, int typenum,
                    int64_t fold=1) except -1:
    """Check each array of a list: its rows, and its width times the fold.

    A single array has been checked before.
    """
    if not isinstance(arrays, list):
        return 0
    if len(<list>arrays) != len(widths):
        raise changed(name, arrays, f"{len(widths)} arrays")
    for i, array in enumerate(<list>arrays):
        check_matrix(name, array, rows, widths[i] // fold, typenum)
    return 0


cdef int point_at(void **to, object arrays) except -1:
    """Store the address of an array, or of each array of a list."""
    if not isinstance(arrays, list):
        to[0] = data(arrays)
        return 0
    for i, array in enumerate(<list>arrays):
        to[i] = data(array)
    return 0
