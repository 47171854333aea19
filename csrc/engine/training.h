/* What the files of the training loop share: train.c and pass.c. */
#ifndef FM_ENGINE_TRAINING_H
#define FM_ENGINE_TRAINING_H

#include "engine/schedule.h"
#include "engine/update.h"
#include "engine/walk.h"

typedef struct {
    fm_trainer *trainer;
    const fm_epoch *epoch;
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
    double rows_before;          /* rows done before this region */
    fm_totals done;              /* of the finished steps */
    int64_t steps;
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

/* Forward, losses and backward of this thread's rows; in a layerwise workspace also `gradients` of each op. The step's
   first row is row `first` of the epoch. */
void fm_pass(fm_training_thread *t, int64_t first, void (*gradients)(void *thread, int op));

#endif
