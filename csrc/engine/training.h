/* What the files of training share: train.c, pass.c, train_arrays.c and split_step.c. A step has phase A, which ends with
   the deltas of all ops, and phase B, which ends with the update of all parameters. */
#ifndef FM_ENGINE_TRAINING_H
#define FM_ENGINE_TRAINING_H

#include "engine/schedule.h"
#include "engine/update.h"
#include "engine/walk.h"

typedef struct {
    fm_trainer *trainer;
    const fm_epoch *epoch; /* NULL: a step in two calls */
    fm_tables tables;
    int packs;                   /* see fm_run */
    int64_t part;                /* see fm_schedule_part_rows */
    _Atomic int stop, regroup;   /* stop: 1 if raised in phase A, 2 if raised in phase B */
    _Atomic int fault;           /* status of an operation that stopped the run */
    _Atomic int never;           /* stop flag of work that must not stop */
    _Atomic int64_t wrong_label; /* label that is not a class and stopped the run; 0: none */
    int64_t next_row;            /* first row of the next step */
    double last_poll;            /* time of the calling thread's last poll */
    fm_shift shift;              /* threads of this region, as planned */
    fm_totals done;              /* of the finished steps */
    int64_t steps, rows_run;     /* also those that were skipped */
    int64_t rows_before;         /* rows run before this region */
    int64_t not_finite;          /* steps whose loss is NaN or infinite */
    int is_refused;              /* FM_NAN_RAISE has stopped at the loss `refused` */
    double refused;
    double values[3]; /* losses of a step with other ranks, which only one thread can ask */
} fm_training;

typedef struct {
    fm_training *run;
    fm_walk walk;
    fm_step_state state;
    double total_weight;           /* sample weights of the batch */
    double penalty;                /* factor of the penalties in this step */
    const double *label_smoothing; /* of this step; NULL: the loss's own */
    int phase;                     /* 0: A, 1: B */
    int steals;                    /* a large step: threads take work of others */
    int is_last;                   /* last step of this region: the copies for the next step are not needed */
} fm_training_thread;

fm_training_thread fm_training_thread_of(fm_training *run, fm_worker *self);
/* Sets the number of rows of the batch, and what this thread has of them. */
void fm_training_set_rows(fm_training_thread *t, int64_t rows);

/* Forward, losses and backward of this thread's rows; in a layerwise workspace also `gradients` of each op. The step's
   first row is row `first` of the epoch. */
void fm_pass(fm_training_thread *t, int64_t first, void (*gradients)(void *thread, int op));

/* The gradients of an op, for a backward that computes them beside its `down`. */
void fm_train_gradients_of_op(void *thread, int op);

/* Whether all gradients are computed before the first update. */
int fm_train_updates_come_last(const fm_training_thread *t);
/* Phase B: gradients, update, and the copies of parameters for the next step. The caller has called fm_net_begin_update
   unless updates come last. False if the run was stopped before the first update. After the first update, all others
   must follow. */
int fm_train_update(fm_training_thread *t);

#endif
