#include "engine/batch.h"

#include <string.h>

#include "engine/loss.h"

static void gather_rows(void *to, const void *from, const int64_t *order, int64_t begin, int64_t end, size_t bytes) {
    if (from == NULL) return;
    for (int64_t i = begin; i < end; i++)
        memcpy((char *)to + i * (int64_t)bytes, (const char *)from + order[i] * (int64_t)bytes, bytes);
}

/* Uses the caller's arrays without a copy. */
static void view(fm_walk *walk, const fm_epoch *epoch, int64_t first) {
    const fm_net *net = walk->net;
    const void *input[FM_MOST_ENDS];
    fm_targets *targets = walk->workspace->thread[walk->worker->index].targets;
    for (int k = 0; k < net->ends.n_inputs; k++)
        input[k] = fm_row_at(epoch->x[k], first, net->ends.width[k], net->size);
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const fm_targets *all = &epoch->targets[k];
        targets[k] = (fm_targets){
            .label = fm_row_at(all->label, first, 1, sizeof *all->label),
            .values = fm_row_at(all->values, first, all->cols, net->size),
            .cols = all->cols,
            .weight = fm_row_at(all->weight, first, 1, net->size),
        };
    }
    fm_walk_read(walk, input);
}

static void gather_targets(const fm_walk *walk, const fm_epoch *epoch, const int64_t *order, int64_t begin,
                           int64_t end) {
    const fm_workspace *w = walk->workspace;
    const size_t size = walk->net->size;
    fm_targets *targets = w->thread[walk->worker->index].targets;
    gather_rows(w->weight, epoch->targets[0].weight, order, begin, end, size);
    for (int k = 0; k < walk->net->ends.n_outputs; k++) {
        const fm_targets *all = &epoch->targets[k];
        gather_rows(w->head[k].label, all->label, order, begin, end, sizeof *all->label);
        gather_rows(w->head[k].target, all->values, order, begin, end, (size_t)all->cols * size);
        targets[k] = (fm_targets){
            .label = all->label == NULL ? NULL : w->head[k].label,
            .values = all->values == NULL ? NULL : w->head[k].target,
            .cols = all->cols,
            .weight = all->weight == NULL ? NULL : w->weight,
        };
    }
}

/* Copies this thread's rows in order. */
static void gather(fm_walk *walk, const fm_epoch *epoch, int64_t first) {
    const fm_net *net = walk->net;
    const int64_t *order = epoch->order + first;
    int64_t begin, end;
    fm_partition(walk->worker, walk->run.rows, walk->run.kernels->product[FM_COMPUTE_STORAGE].tile_rows, &begin, &end);
    for (int k = 0; k < net->ends.n_inputs; k++)
        gather_rows(walk->workspace->input[k], epoch->x[k], order, begin, end, (size_t)net->ends.width[k] * net->size);
    gather_targets(walk, epoch, order, begin, end);
    fm_walk_read(walk, (const void *const *)walk->workspace->input);
}

void fm_batch_take(fm_walk *walk, const fm_epoch *epoch, int64_t first) {
    if (epoch->order == NULL) view(walk, epoch, first);
    else gather(walk, epoch, first);
}
