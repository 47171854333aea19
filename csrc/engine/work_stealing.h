/* Lets the threads of a large step take their work piece by piece.

   Each thread has the same part of the work as in a small step, so memory that it touched first stays its own. It
   takes this part in pieces, large ones first, and then takes pieces of other parts. So a thread that is slow, or that
   lost its processor, delays the others by its last piece only. Who computes a piece changes no bit. */
#ifndef FM_ENGINE_WORK_STEALING_H
#define FM_ENGINE_WORK_STEALING_H

#include "engine/walk.h"

/* The kinds of work in a step. A layerwise backward uses two queues in turn for rows, and two for gradients. */
typedef enum {
    FM_QUEUE_ROWS,
    FM_QUEUE_DOWN,
    FM_QUEUE_GRADIENTS = FM_QUEUE_DOWN + 2,
    FM_QUEUE_UPDATES = FM_QUEUE_GRADIENTS + 2,
    FM_QUEUES
} fm_queue;

/* How much was taken from a thread's part of each kind; all threads may take from it. */
struct fm_work_queue {
    _Atomic int64_t taken[FM_QUEUES];
};

/* Makes this thread's part of the queues first .. end - 1 available again. Between this and the first piece, and
   between the last piece and this, all threads must meet at a barrier. */
void fm_work_refill(const fm_walk *walk, int first, int end);

/* One thread's search for pieces of one kind. */
typedef struct {
    const fm_walk *walk;
    fm_queue queue;
    int first_op, end_op; /* strips: of these ops */
    int tried;            /* the number of parts that are empty, its own first */
} fm_search;

/* Takes some of `rows` rows, at most `most`, as those of the walk; false if none are left. */
int fm_take_rows(fm_search *search, fm_walk *walk, int64_t rows, int64_t most);

/* Rows begin .. end of a parameter array of a fused op. */
typedef struct {
    int op, array;
    int64_t begin, end;
} fm_strip;

int fm_take_strip(fm_search *search, fm_strip *strip);

#endif
