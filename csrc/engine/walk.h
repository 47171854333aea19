/* A thread on its way through the fused ops of a network. */
#ifndef FM_ENGINE_WALK_H
#define FM_ENGINE_WALK_H

#include "engine/schedule.h"

typedef struct {
    fm_run run; /* what operations see */
    const fm_net *net;
    const fm_workspace *workspace;
    fm_worker *worker;
    fm_operands *at; /* of each fused op */
    fm_axis axis;
    int64_t row_begin, row_end; /* this thread's rows of the batch */
} fm_walk;

/* What a call gives to all its threads; it has read the kernel tables once. */
typedef struct {
    const fm_net *net;
    const fm_workspace *workspace;
    fm_tables tables;
    _Atomic int *stop, *fault;
} fm_walk_of_call;

fm_walk fm_walk_new(const fm_walk_of_call *call, fm_worker *worker);
/* The number of rows, and this thread's part of them. */
void fm_walk_set_rows(fm_walk *walk, int64_t rows);

/* Sets where each input lies, for all who read it; gradients of inputs go to dx[k], which may be NULL like dx itself. */
void fm_walk_read(fm_walk *walk, const void *const *inputs);
void fm_walk_send(fm_walk *walk, void *const *dx);

/* This thread's tile of an array of `cols` columns; false where it is empty. An op that wants whole rows is for one
   thread when the work is divided by columns. */
int fm_walk_tile(const fm_walk *walk, int64_t cols, int whole_rows, fm_tile *tile);
/* This thread's columns of all rows; false where there are none. */
int fm_walk_columns(const fm_walk *walk, int64_t cols, fm_tile *tile);
void fm_walk_wait_for_columns(const fm_walk *walk);

/* Runs `work`, which needs all rows, on its threads, and waits before and behind it. */
void fm_walk_collect(const fm_walk *walk, const fm_operands *at, fm_tile_work *work);
int fm_walk_is_collective(const fm_walk *walk, const fm_op_row *row);

/* Copies of the parameters: those that forward reads, or all. Ends in a barrier. */
void fm_walk_renew(const fm_walk *walk, int for_down);

/* This thread's rows of an array; all of them by one thread where the work is divided by columns. */
void fm_walk_copy(const fm_walk *walk, int64_t width, const void *from, void *to);

#endif
