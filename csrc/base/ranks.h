/* Sums over the processes of an MPI program; see reducer.h. MPI's functions and handles come from the library that the
   host has loaded, so that nothing of MPI is needed to build or to load the core. */
#ifndef FM_BASE_RANKS_H
#define FM_BASE_RANKS_H

#include "base/reducer.h"

/* A handle is an int in some libraries and a pointer in others; as an argument it fits into one register in both. */
typedef uintptr_t fm_mpi_handle;

typedef int fm_mpi_isend(const void *from, int count, fm_mpi_handle type, int to, int tag, fm_mpi_handle comm,
                         void *request);
typedef int fm_mpi_irecv(void *to, int count, fm_mpi_handle type, int from, int tag, fm_mpi_handle comm, void *request);
typedef int fm_mpi_test(void *request, int *is_done, void *status);

typedef struct {
    fm_mpi_isend *isend;
    fm_mpi_irecv *irecv;
    fm_mpi_test *test;
    fm_mpi_handle comm, byte;
    int rank, ranks; /* a power of two of ranks */
} fm_mpi;

typedef struct fm_ranks fm_ranks;

/* Asked now and then while a sum waits; true: give up. */
typedef int (*fm_ranks_poll)(void *context);

/* NULL: no memory. `wire` is for gradients in float. */
fm_ranks *fm_ranks_new(const fm_mpi *mpi, fm_wire wire);
void fm_ranks_free(fm_ranks *ranks);
void fm_ranks_set_poll(fm_ranks *ranks, fm_ranks_poll poll, void *context);
const fm_reducer *fm_ranks_reducer(const fm_ranks *ranks);

/* Arrays of more bytes are divided among the ranks, which then add only their part. */
void fm_ranks_set_long(fm_ranks *ranks, int64_t bytes);

/* For reports: seconds spent in waiting, and bytes sent, since the last call. */
void fm_ranks_spent(fm_ranks *ranks, double *seconds, int64_t *bytes);

#endif
