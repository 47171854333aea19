/* Phase B of a step: the gradients of the parameters, and their update. */
#include <math.h>

#include "engine/backward.h"
#include "engine/between_ranks.h"
#include "engine/forward.h"
#include "engine/groups.h"
#include "engine/sparse.h"
#include "engine/training.h"
#include "engine/work_stealing.h"

typedef enum { GRADIENTS = 1, UPDATES = 2 } strip_work;

/* Rows of one array: gradient and penalties; update and the copies for the next step. */
static void work_on_piece(fm_training_thread *t, int work, const fm_strip *strip) {
    const fm_trainer *trainer = t->run->trainer;
    const fm_kernels *kernels = t->walk.run.kernels;
    const fm_operands *at = &t->walk.at[strip->op];
    const fm_array *all = &t->walk.net->arrays[t->walk.net->first_array[at->op->index] + strip->array];
    const int64_t from = all->at + strip->begin * all->cols, to = all->at + strip->end * all->cols;
    if (from >= to || fm_array_is_frozen(trainer, all)) return;
    if (work & GRADIENTS) {
        fm_backward_gradient(&t->walk, strip->op, strip->array, strip->begin, strip->end);
        const int is_complete = t->walk.run.first_row + t->walk.run.rows == t->walk.batch_rows;
        if (is_complete && t->walk.shared == NULL && fm_takes_penalties(all))
            fm_penalty_gradient_range(trainer, kernels, t->penalty, from, to);
    }
    if (!(work & UPDATES)) return;
    fm_update_range(trainer, kernels, &t->state, from, to);
    if (strip->array == 0 && at->op->row->renew != NULL && !t->is_last)
        at->op->row->renew(&t->walk.run, at, 1, strip->begin, strip->end);
}

/* Products of dense rows want large pieces. The gradient of a sparse input's weights has few terms, and most of its time
   goes to memory, so a piece stays in cache until its update. */
static void work_on(fm_training_thread *t, int work, const fm_strip *strip) {
    enum { PIECE_BYTES = 1 << 17 };
    const fm_operands *at = &t->walk.at[strip->op];
    const int64_t row_bytes = at->op->node.fan_out * (int64_t)t->walk.run.size;
    int64_t rows = strip->end - strip->begin;
    if (strip->array == 0 && fm_reads_sparse(&t->walk.run, at) && rows * row_bytes > PIECE_BYTES)
        rows = row_bytes < PIECE_BYTES ? PIECE_BYTES / row_bytes : 1;
    for (fm_strip piece = *strip; piece.begin < strip->end; piece.begin += rows) {
        piece.end = strip->end - piece.begin < rows ? strip->end : piece.begin + rows;
        work_on_piece(t, work, &piece);
    }
}

/* Strips of the ops first_op .. end_op: this thread's own, or all that it can take from `queue`. */
static void work_on_arrays(fm_training_thread *t, int work, fm_queue queue, int first_op, int end_op) {
    const fm_walk *walk = &t->walk;
    fm_strip strip;
    if (t->steals) {
        fm_search search = {walk, queue, first_op, end_op, 0};
        while (fm_take_strip(&search, &strip)) work_on(t, work, &strip);
        return;
    }
    for (strip.op = first_op; strip.op < end_op; strip.op++) {
        for (strip.array = 0; strip.array < walk->net->ops[strip.op].n_arrays; strip.array++) {
            fm_walk_array(walk, strip.op, strip.array, &strip.begin, &strip.end);
            work_on(t, work, &strip);
        }
    }
}

/* The backward calls this from the last op to the first, and all threads meet before each call. So the gradients of the op
   after this one are complete, and other ranks can get them. */
void fm_train_gradients_of_op(void *thread, int op) {
    const fm_training_thread *t = thread;
    if (op + 1 < t->walk.net->n_ops) fm_ranks_begin(&t->walk, op + 1);
    work_on_arrays(thread, GRADIENTS, FM_QUEUE_GRADIENTS + op % 2, op, op + 1);
}

/* Whether all gradients are computed before the first update. A layerwise backward has computed them in phase A.
   Clipping needs that. So does a step so long that a stop must be possible during its gradients. Otherwise each array
   is updated right after its gradient, while both are in cache. */
int fm_train_updates_come_last(const fm_training_thread *t) {
    return t->walk.workspace->layerwise || t->walk.shared != NULL || t->run->trainer->optimizer.clip_norm != 0.0 ||
           fm_schedule_gradients_are_long(t->walk.net, t->walk.run.rows, t->walk.run.sparse.start != NULL,
                                          t->walk.worker->count);
}

/* The gradients of all arrays, which each go to the other ranks while the next ones are computed. Threads that take work
   from each other share one queue for all. */
static void gradients_for_ranks(fm_training_thread *t) {
    const int n = t->walk.net->n_ops;
    if (t->steals) {
        work_on_arrays(t, GRADIENTS, FM_QUEUE_GRADIENTS, 0, n);
        fm_barrier(t->walk.worker);
    }
    for (int i = n - 1; i >= 0; i--) {
        if (!t->steals) {
            work_on_arrays(t, GRADIENTS, FM_QUEUE_GRADIENTS, i, i + 1);
            fm_barrier(t->walk.worker);
        }
        fm_ranks_begin(&t->walk, i);
    }
}

/* Each thread takes a part of the parameters: of a sum over all ranks, a penalty is added once. */
static void add_penalties(const fm_training_thread *t) {
    const fm_trainer *trainer = t->run->trainer;
    const fm_net *net = t->walk.net;
    for (int i = 0; i < net->n_arrays; i++) {
        const fm_array *array = &net->arrays[i];
        int64_t begin, end;
        if (!fm_takes_penalties(array) || fm_array_is_frozen(trainer, array)) continue;
        fm_partition(t->walk.worker, array->rows * array->cols, 16, &begin, &end);
        if (begin < end)
            fm_penalty_gradient_range(trainer, t->walk.run.kernels, t->penalty, array->at + begin, array->at + end);
    }
    fm_barrier(t->walk.worker);
}

/* Gradients of all rows, of all ranks. In a layerwise step, only those of the first op still have to be sent. */
static void gradients_of_ranks(fm_training_thread *t) {
    if (t->walk.workspace->layerwise) fm_ranks_begin(&t->walk, 0);
    else gradients_for_ranks(t);
    fm_ranks_finish(&t->walk);
    fm_barrier(t->walk.worker);
    if (t->run->trainer->optimizer.n_penalties > 0) add_penalties(t);
}

static void clip(fm_training_thread *t) {
    const fm_trainer *trainer = t->run->trainer;
    double *chunk_sum = t->walk.workspace->chunk_sum;
    const int64_t chunks = fm_square_chunks(trainer, t->walk.run.kernels, t->walk.worker, chunk_sum);
    fm_barrier(t->walk.worker);
    const double norm = sqrt(fm_chunks_total(chunk_sum, chunks));
    t->state.g_scale = fm_clip_scale(norm, trainer->optimizer.clip_norm);
}

/* False if the run was stopped before the first update. After the first update, all others must follow. */
int fm_train_update(fm_training_thread *t) {
    fm_run *run = &t->walk.run;
    void (*const poll)(void *) = run->poll;
    const int all = t->walk.net->n_ops;
    if (fm_train_updates_come_last(t)) {
        if (t->walk.workspace->layerwise) fm_work_refill(&t->walk, FM_QUEUE_DOWN, FM_QUEUE_UPDATES);
        if (t->walk.shared != NULL) gradients_of_ranks(t);
        else if (!t->walk.workspace->layerwise) work_on_arrays(t, GRADIENTS, FM_QUEUE_GRADIENTS, 0, all);
        if (t->walk.worker->index == 0) fm_net_begin_update(t->run->trainer->net);
        fm_barrier(t->walk.worker);
        if (atomic_load(&t->run->stop)) return 0;
        if (t->run->trainer->optimizer.clip_norm != 0.0) clip(t);
        work_on_arrays(t, UPDATES, FM_QUEUE_UPDATES, 0, all);
    } else {
        run->poll = NULL;
        run->stop = &t->run->never;
        work_on_arrays(t, GRADIENTS | UPDATES, FM_QUEUE_GRADIENTS, 0, all);
        run->poll = poll;
        run->stop = &t->run->stop;
    }
    fm_forward_keep(&t->walk);
    fm_work_refill(&t->walk, FM_QUEUE_ROWS, FM_QUEUE_DOWN);
    fm_barrier(t->walk.worker);
    return 1;
}
