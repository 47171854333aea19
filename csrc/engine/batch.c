#include "engine/batch.h"

#include <string.h>

#include "engine/loss.h"
#include "engine/sparse.h"

static void gather_rows(void *to, const void *from, const int64_t *order, int64_t begin, int64_t end, size_t bytes) {
    if (from == NULL) return;
    for (int64_t i = begin; i < end; i++)
        memcpy((char *)to + i * (int64_t)bytes, (const char *)from + order[i] * (int64_t)bytes, bytes);
}

/* The members that take rows in their own orders. */
static int64_t fold_of(const fm_epoch *epoch) { return epoch->fold > 1 ? epoch->fold : 1; }

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

/* Uses the workspace, into which the rows are gathered. */
static void copies(fm_walk *walk, const fm_epoch *epoch) {
    const fm_workspace *w = walk->workspace;
    fm_targets *targets = w->thread[walk->worker->index].targets;
    for (int k = 0; k < walk->net->ends.n_outputs; k++) {
        const fm_targets *all = &epoch->targets[k];
        targets[k] = (fm_targets){
            .label = all->label == NULL ? NULL : w->head[k].label,
            .values = all->values == NULL ? NULL : w->head[k].target,
            .cols = all->cols,
            .weight = all->weight == NULL ? NULL : w->weight,
            .own = epoch->fold > 1,
        };
    }
    fm_walk_read(walk, (const void *const *)w->input);
}

int64_t fm_batch_target_cols(const fm_net *net, const fm_epoch *epoch) {
    int64_t most = 0;
    for (int k = 0; k < net->ends.n_outputs && epoch->order != NULL; k++)
        if (epoch->targets[k].values != NULL && epoch->targets[k].cols > most) most = epoch->targets[k].cols;
    return most * fold_of(epoch);
}

void fm_batch_read(fm_walk *walk, const fm_epoch *epoch, int64_t first) {
    if (epoch->sparse.start != NULL) {
        fm_csr all = epoch->sparse;
        all.order = epoch->order;
        walk->run.sparse = fm_csr_from(&all, first);
    }
    if (epoch->order == NULL) view(walk, epoch, first);
    else copies(walk, epoch);
}

void fm_batch_gather(const fm_walk *walk, const fm_epoch *epoch, int64_t first, int64_t begin, int64_t end) {
    const fm_net *net = walk->net;
    const fm_workspace *w = walk->workspace;
    if (epoch->order == NULL) return;
    const int64_t fold = fold_of(epoch), *order = epoch->order + first * fold;
    begin *= fold, end *= fold;
    for (int k = 0; k < net->ends.n_inputs && epoch->sparse.start == NULL; k++)
        gather_rows(w->input[k], epoch->x[k], order, begin, end, (size_t)(net->ends.width[k] / fold) * net->size);
    gather_rows(w->weight, epoch->targets[0].weight, order, begin, end, net->size);
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const fm_targets *all = &epoch->targets[k];
        gather_rows(w->head[k].label, all->label, order, begin, end, sizeof *all->label);
        gather_rows(w->head[k].target, all->values, order, begin, end, (size_t)all->cols * net->size);
    }
}
