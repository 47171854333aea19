/* Phase A of a training step: from the rows of a batch to losses, and back to the upstream gradients of all ops. */
#include "engine/backward.h"
#include "engine/batch.h"
#include "engine/forward.h"
#include "engine/heads.h"
#include "engine/training.h"
#include "engine/work_stealing.h"

static void stop_at_wrong_label(fm_training_thread *t, int64_t label) {
    if (label == 0) return;
    atomic_store(&t->run->wrong_label, label);
    atomic_store(&t->run->stop, 1);
}

/* Forward and losses of this thread's rows. */
static void forward_to_losses(fm_training_thread *t) {
    fm_forward(&t->walk);
    stop_at_wrong_label(t, fm_heads_rows(t->run->trainer, &t->walk, t->label_smoothing));
}

static void pass(fm_training_thread *t, int64_t first, void (*gradients)(void *thread, int op)) {
    const fm_trainer *trainer = t->run->trainer;
    forward_to_losses(t);
    if (trainer->has_custom) fm_heads_custom(trainer, &t->walk, t->run->epoch->order, first);
    fm_walk_wait_for_others(&t->walk);
    fm_backward(&t->walk, t->walk.workspace->layerwise ? gradients : NULL, t);
}

/* The same for each piece that this thread takes. */
static void pass_by_pieces(fm_training_thread *t, int64_t first, int gathers, void (*gradients)(void *thread, int op)) {
    fm_walk *walk = &t->walk;
    fm_search search = {.walk = walk, .queue = FM_QUEUE_ROWS};
    while (!fm_stopped(&walk->run) && fm_take_rows(&search, walk, walk->run.rows, walk->run.rows)) {
        if (gathers) fm_batch_gather(walk, t->run->epoch, first, walk->row_begin, walk->row_end);
        forward_to_losses(t);
        if (walk->workspace->layerwise) fm_backward_local(walk, walk->net->n_ops - 1);
        else fm_backward(walk, NULL, NULL);
    }
    if (walk->workspace->layerwise) fm_backward_by_pieces(walk, gradients, t);
    else fm_work_refill(walk, FM_QUEUE_GRADIENTS, FM_QUEUE_UPDATES);
    fm_work_refill(walk, FM_QUEUE_UPDATES, FM_QUEUES);
}

/* Gathers this thread's part of the rows. Threads that work by columns need rows that others gathered, and the scale
   of the losses needs all weights. */
static void gather(const fm_training_thread *t, int64_t first) {
    const fm_walk *walk = &t->walk;
    int64_t begin, end;
    if (t->run->epoch->order == NULL) return;
    fm_partition(walk->worker, walk->run.rows, walk->run.kernels->product[FM_COMPUTE_STORAGE].tile_rows, &begin, &end);
    fm_batch_gather(walk, t->run->epoch, first, begin, end);
    if (walk->axis != FM_BY_ROWS || t->run->epoch->targets[0].weight != NULL) fm_barrier(walk->worker);
}

/* One part of the batch after another. Each part's gradients follow its backward, and the next part uses its memory. */
static void pass_by_parts(fm_training_thread *t, void (*gradients)(void *thread, int op)) {
    fm_walk *walk = &t->walk;
    int64_t by = 0;
    for (int64_t row = 0; row < walk->batch_rows && !fm_stopped(&walk->run); row += by) {
        const int64_t left = walk->batch_rows - row, rows = left < t->run->part ? left : t->run->part;
        fm_walk_go_on(walk, by, rows);
        forward_to_losses(t);
        fm_backward(walk, gradients, t);
        by = rows;
    }
    fm_walk_go_on(walk, -walk->run.first_row, walk->batch_rows);
}

void fm_pass(fm_training_thread *t, int64_t first, void (*gradients)(void *thread, int op)) {
    const fm_epoch *epoch = t->run->epoch;
    fm_batch_read(&t->walk, epoch, first);
    const int gathers_late = t->steals && epoch->targets[0].weight == NULL;
    if (!gathers_late) gather(t, first);
    t->total_weight = fm_heads_scale(t->run->trainer, &t->walk);
    if (t->steals) pass_by_pieces(t, first, gathers_late, gradients);
    else if (t->run->part > 0) pass_by_parts(t, gradients);
    else pass(t, first, gradients);
}
