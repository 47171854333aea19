/* Decides how many threads a call takes, which rows or columns each thread computes, and when to try another number
   of threads. None of this changes a bit of a result. */
#ifndef FM_ENGINE_SCHEDULE_H
#define FM_ENGINE_SCHEDULE_H

#include "base/parallel.h"
#include "engine/autotuner.h"
#include "engine/net.h"

/* ---- how many threads ---- */

typedef enum { FM_WORK_FORWARD, FM_WORK_BACKWARD, FM_WORK_STEP } fm_work;

/* By prediction, the fastest number of threads for `rows` rows, `times` times in one parallel region. */
int fm_schedule_threads(const fm_net *net, int64_t rows, fm_work work, int64_t times);
int fm_schedule_update(const fm_net *net); /* for one pass over the parameters */

/* The threads for a call or one part of an epoch, and when this part ends to try another number. */
typedef struct {
    int threads;
    fm_autotuner *tuner; /* it chose the number and needs the time it took; NULL: there was no choice */
    double start, until; /* until: 0 means the end of the epoch */
} fm_shift;

/* `rows` rows in each step, `steps` steps left; `tuners` may be NULL. */
fm_shift fm_schedule_shift(fm_tuners *tuners, const fm_net *net, int64_t rows, fm_work work, int64_t steps);
fm_shift fm_schedule_update_shift(fm_tuners *tuners, const fm_net *net); /* for an update by hand */
/* Whether to change the number of threads now, after `rows` rows of a training shift. */
int fm_schedule_shift_is_over(const fm_shift *shift, const fm_worker *self, int64_t rows);
/* Records that the region did all steps of the shift, of `rows` rows together. */
void fm_schedule_note(const fm_shift *shift, fm_region region, int64_t rows);

/* Whether the gradients of a step take so long that the stop flag must be checked during them. `sparse`: not counting
   those of the weights of the input, which has few entries. */
int fm_schedule_gradients_are_long(const fm_net *net, int64_t rows, int sparse, int threads);

/* Whether a step's arrays are so large that backward should compute gradients op by op, with a barrier for each, to
   reuse memory. */
int fm_schedule_is_layerwise(const fm_net *net, int64_t rows);

/* If a single thread trains: the rows of the parts of a batch that go through forward, backward and gradients one after
   another, so that their arrays stay in cache; 0: the whole batch at once. */
int64_t fm_schedule_part_rows(const fm_net *net, int64_t rows);

/* Whether threads take the work of a step piece by piece (see work_stealing.h): if it is long, while other programs use
   our processors. */
fm_team_kind fm_schedule_team(const fm_net *net, int64_t rows, int threads);

/* The rows of the smallest piece: `usual`, or fewer in tests. */
int64_t fm_schedule_least_piece(int64_t usual);

/* The number of threads to zero `bytes` with, each its own part. */
int fm_schedule_first_touch(int64_t bytes);

/* ---- the division of work ---- */

/* By rows: each thread takes its rows through all ops without waiting. By columns: if there are too few rows, all
   threads divide the columns of each op, with a barrier after each op. By ops: threads divide rows and columns of each
   op, with a barrier after each op. Then each weight is packed by the threads that read it, for more rows. */
typedef enum { FM_BY_ROWS, FM_BY_COLUMNS, FM_BY_OPS } fm_axis;

/* `trains`: the pass belongs to a training step, or backward may follow. */
fm_axis fm_schedule_axis(const fm_net *net, int64_t rows, const fm_worker *self, int trains);

/* By ops: the number of parts that `cols` columns of an op are divided into, a divisor of `threads`. */
int fm_schedule_column_parts(const fm_fused *op, int64_t cols, int threads);

/* Whether a call with `rows` rows in a pass packs the copies of its weights. Training makes copies for backward in any
   case; predict only if so many rows read them that packing pays. */
int fm_schedule_packs(fm_use use, fm_compute compute, int64_t rows);

/* The number of rows that predict takes through all ops at once. */
int64_t fm_schedule_block(const fm_net *net);

/* This worker's rows of a parameter array. */
void fm_schedule_array(const fm_worker *self, const fm_kernels *kernels, const fm_array *array, int64_t *begin,
                       int64_t *end);

#endif
