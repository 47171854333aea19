# Sums over the processes of an MPI program. The functions of MPI come from the library that mpi4py
# has loaded.

cdef extern from "base/ranks.h" nogil:
    ctypedef struct fm_mpi:
        uintptr_t comm
        uintptr_t byte
        int rank
        int ranks
    ctypedef struct fm_ranks:
        pass
    fm_ranks *fm_ranks_new(const fm_mpi *mpi, fm_wire wire)
    void fm_ranks_free(fm_ranks *ranks)
    void fm_ranks_set_poll(fm_ranks *ranks, fm_poll poll, void *context)
    const fm_reducer *fm_ranks_reducer(const fm_ranks *ranks)
    void fm_ranks_set_long(fm_ranks *ranks, int64_t bytes)
    void fm_ranks_spent(fm_ranks *ranks, double *seconds, int64_t *bytes)

cdef extern from * nogil:
    """
    static void set_mpi_functions(fm_mpi *mpi, uintptr_t isend, uintptr_t irecv, uintptr_t test) {
        mpi->isend = (fm_mpi_isend *)isend;
        mpi->irecv = (fm_mpi_irecv *)irecv;
        mpi->test = (fm_mpi_test *)test;
    }
    """
    void set_mpi_functions(fm_mpi *mpi, uintptr_t isend, uintptr_t irecv, uintptr_t test)


cdef class Ranks:
    """The ranks of a communicator, and sums over them in the order of a binary tree."""

    cdef fm_ranks *ranks
    cdef readonly int rank, size
    cdef readonly bint bfloat16

    def __init__(self, tuple functions, uintptr_t comm, uintptr_t byte, int rank, int size,
                 bint bfloat16):
        """`functions` holds the addresses of MPI_Isend, MPI_Irecv and MPI_Test."""
        cdef fm_mpi mpi
        set_mpi_functions(&mpi, functions[0], functions[1], functions[2])
        mpi.comm, mpi.byte = comm, byte
        mpi.rank, mpi.ranks = rank, size
        self.rank, self.size, self.bfloat16 = rank, size, bfloat16
        fm_ranks_free(self.ranks)
        self.ranks = fm_ranks_new(&mpi, FM_WIRE_BFLOAT16 if bfloat16 else FM_WIRE_F32)
        if self.ranks == NULL:
            raise OutOfMemoryError("not enough memory for sums over ranks")

    def __dealloc__(self):
        fm_ranks_free(self.ranks)

    cdef const fm_reducer *reducer(self) except NULL:
        if self.ranks == NULL:
            raise StateError("ranks: its __init__ has not run")
        return fm_ranks_reducer(self.ranks)

    def set_long(self, int64_t bytes):
        """Arrays of more bytes are divided among the ranks; others go as a whole."""
        self.reducer()
        fm_ranks_set_long(self.ranks, bytes)

    def spent(self):
        """Seconds spent in waiting, and bytes sent, since the last call."""
        cdef double seconds
        cdef int64_t bytes
        self.reducer()
        fm_ranks_spent(self.ranks, &seconds, &bytes)
        return seconds, bytes

    def sum(self, list arrays):
        """Replace each array, contiguous and of floats, by its sum over the ranks."""
        cdef const fm_reducer *reducer = self.reducer()
        cdef _Signals signals = _Signals()
        cdef fm_wire wire
        cdef void *values
        cdef int64_t count
        cdef bint is_over
        for array in arrays:
            if array.dtype == np.float64:
                wire = FM_WIRE_F64
            else:
                wire = reducer.wire
            values, count = data(array), array.size
            if not reducer.start(reducer.self, values, count, wire):
                raise OutOfMemoryError("not enough memory for sums over ranks")
        fm_ranks_set_poll(self.ranks, poll_signals, <void *>signals)
        with nogil:
            is_over = reducer.finish(reducer.self)
        fm_ranks_set_poll(self.ranks, NULL, NULL)
        if signals.error is not None:
            raise signals.error
        if not is_over:
            raise StateError("sums over ranks: MPI reports an error; the ranks no longer agree")
