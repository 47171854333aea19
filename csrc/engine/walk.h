/* The way of one thread through the fused ops of a network. */
#ifndef FM_ENGINE_WALK_H
#define FM_ENGINE_WALK_H

#include "engine/schedule.h"

typedef struct {
    fm_run run; /* the part that operations see */
    const fm_net *net;
    const fm_workspace *workspace;
    fm_worker *worker;
    fm_operands *at;          /* for each fused op */
    const fm_trainer *shared; /* trains with other processes; NULL: with none */
    fm_axis axis;
    int64_t batch_rows;         /* run.rows, unless a step goes by parts of the batch */
    int64_t row_begin, row_end; /* this thread's rows of the batch; by columns, one thread has all of them */
} fm_walk;

/* What all threads of a call use; it reads the kernel tables once. */
typedef struct {
    const fm_net *net;
    const fm_workspace *workspace;
    fm_tables tables;
    _Atomic int *stop, *fault;
    int packs; /* see fm_run */
} fm_walk_of_call;

fm_walk fm_walk_new(const fm_walk_of_call *call, fm_worker *worker);
/* Sets the number of rows and this thread's part of them. */
void fm_walk_set_rows(fm_walk *walk, int64_t rows);

/* The first sets where each input is, for all ops that read it; those of a sparse input read it in the run. The second sets where the gradients of inputs go; dx
   and each dx[k] may be NULL. */
void fm_walk_read(fm_walk *walk, const void *const *inputs);
void fm_walk_send(fm_walk *walk, void *const *dx);

/* Moves on by so many rows of the batch, to a part of `rows` rows. */
void fm_walk_go_on(fm_walk *walk, int64_t by, int64_t rows);

/* This thread's tile of an op's array with `cols` columns; false if it is empty. An op that needs whole rows is divided
   by the threads' rows. */
int fm_walk_tile(const fm_walk *walk, const fm_fused *op, int64_t cols, int whole_rows, fm_tile *tile);
/* This thread's columns of all rows; false if it has none. */
int fm_walk_columns(const fm_walk *walk, int64_t cols, fm_tile *tile);
/* Waits until all threads have finished an op, unless each thread needs only its own rows of it. */
void fm_walk_wait_for_others(const fm_walk *walk);

/* Runs `work` on a tile. If the operation treats the rows of each shard by themselves, it runs for each of them. */
void fm_walk_work(const fm_walk *walk, const fm_operands *at, const fm_tile *tile, fm_tile_work *work);
/* Runs `work`, which needs all rows, on its threads; all threads wait before and after it. */
void fm_walk_collect(const fm_walk *walk, const fm_operands *at, fm_tile_work *work);
int fm_walk_is_collective(const fm_walk *walk, const fm_op_row *row);

/* This thread's rows of a parameter array of a fused op; returns the array. */
const fm_array *fm_walk_array(const fm_walk *walk, int op, int array, int64_t *begin, int64_t *end);

/* Updates the copies of the parameters: those that forward reads, or all. Ends with a barrier. */
void fm_walk_renew(const fm_walk *walk, int for_down);

/* Copies this thread's rows of an array. */
void fm_walk_copy(const fm_walk *walk, int64_t width, const void *from, void *to);

#endif
