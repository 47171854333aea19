# Rows of sparse matrices.

cdef class SparseRows:
    """Rows of a sparse matrix (N, width) in CSR form, which never change.

    Row i has the numbers `value[t]` in the columns `column[t]` for t from `start[i]` to
    `start[i + 1]`; columns ascend. It copies int64 `start` (N + 1) and int32 `column`, and checks
    them, because the core uses them as addresses; `value` is float32 or float64.
    """
    cdef object _start, _column, _value
    cdef readonly int64_t rows, width

    def __init__(self, start, column, value, int64_t width):
        self._start = np.array(start, np.int64)
        self._column = np.array(column, np.int32)
        self._value = np.ascontiguousarray(value)
        self.width = width
        if not self.is_valid():
            raise ArgumentError("a sparse matrix in CSR form: got rows or columns out of order or "
                                f"out of range; want ascending columns from 0 to {width - 1}")
        self.rows = len(self._start) - 1
        for array in (self._start, self._column):
            array.flags.writeable = False

    cdef bint is_valid(self) except -1:
        cdef int64_t row, entry, entries = len(self._column)
        if not (is_ready(self._start, cnp.NPY_INT64, 1) and len(self._start) > 0
                and is_ready(self._column, cnp.NPY_INT32, 1)
                and len(self._value) == entries
                and (is_ready(self._value, cnp.NPY_FLOAT32, 1)
                     or is_ready(self._value, cnp.NPY_FLOAT64, 1))):
            return False
        cdef const int64_t *start = <const int64_t *>data(self._start)
        cdef const int32_t *column = <const int32_t *>data(self._column)
        cdef int64_t rows = len(self._start) - 1
        if start[0] < 0 or start[rows] > entries:
            return False
        for row in range(rows):
            if start[row] > start[row + 1]:
                return False
        cdef int64_t last
        for row in range(rows):
            last = -1
            for entry in range(start[row], start[row + 1]):
                if column[entry] <= last or column[entry] >= self.width:
                    return False
                last = column[entry]
        return True

    @property
    def start(self):
        return self._start

    @property
    def column(self):
        return self._column

    @property
    def value(self):
        return self._value

    @property
    def dtype(self):
        return self._value.dtype

    @property
    def ndim(self):
        return 2

    @property
    def shape(self):
        return self.rows, self.width

    def __len__(self):
        return self.rows

    def __getitem__(self, index):
        """The rows at a slice or an array of positions."""
        place = np.arange(self.rows)[index]
        first = self._start[place]
        counts = self._start[place + 1] - first
        start = np.concatenate([[0], np.cumsum(counts)])
        entry = np.repeat(first - start[:len(counts)], counts) + np.arange(start[len(counts)])
        return SparseRows(start, self._column[entry], self._value[entry], self.width)


cdef object sparse_in(object x):
    """The sparse rows of a call, which are the only item of a list; None for arrays."""
    if not isinstance(x, list) or len(<list>x) != 1:
        return None
    first = (<list>x)[0]
    return first if isinstance(first, SparseRows) else None
