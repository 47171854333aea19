/* Who does what: how many threads a call takes, which rows or columns are whose, and when another number of threads is
   to be tried. Nothing here changes a bit of a result. */
#ifndef FM_ENGINE_SCHEDULE_H
#define FM_ENGINE_SCHEDULE_H

#include "base/parallel.h"
#include "engine/autotuner.h"
#include "engine/net.h"

/* ---- how many threads ---- */

typedef enum { FM_WORK_FORWARD, FM_WORK_BACKWARD, FM_WORK_STEP } fm_work;

/* Threads that pay for `rows` rows, `times` times in one parallel region. */
int fm_schedule_threads(const fm_net *net, int64_t rows, fm_work work, int64_t times);
int fm_schedule_update(const fm_net *net); /* for an update by hand */

/* The threads of a part of an epoch: how many, and until when before others are tried. */
typedef struct {
    int threads;
    int is_trial;        /* the autotuner chose, and wants to know how it went */
    double start, until; /* until: 0 for the epoch's end */
} fm_shift;

/* `rows` rows a step, `steps` left. */
fm_shift fm_schedule_shift(fm_autotuner *tuner, const fm_net *net, int64_t rows, int64_t steps);
/* Another number of threads is due. */
int fm_schedule_shift_is_over(const fm_shift *shift, const fm_worker *self);
/* `taken` threads have done `steps` steps. */
void fm_schedule_note(fm_autotuner *tuner, const fm_shift *shift, int taken, int64_t steps);

/* Whether the gradients of a step take so long that a stop must be heard while they are made. */
int fm_schedule_gradients_are_long(const fm_net *net, int64_t rows, int threads);

/* Threads that put `bytes` in their places, each what it will update. */
int fm_schedule_first_touch(int64_t bytes);

/* ---- whose part is whose ---- */

/* By rows: each thread takes its rows through all ops, and waits for nobody. By columns of every op, with a barrier after
   each, when the rows are too few to share. */
typedef enum { FM_BY_ROWS, FM_BY_COLUMNS } fm_axis;

fm_axis fm_schedule_axis(int64_t rows, int threads);

/* Rows of a block that predict takes through all ops at a time. */
int64_t fm_schedule_block(const fm_net *net);

/* This worker's rows of an array of parameters. */
void fm_schedule_array(const fm_worker *self, const fm_kernels *kernels, const fm_array *array, int64_t *begin,
                       int64_t *end);

#endif
