#include "engine/between_ranks.h"

#include "base/reducer.h"
#include "engine/groups.h"
#include "engine/trainer.h"

static int asks(const fm_walk *walk) { return walk->shared != NULL && walk->worker->index == 0; }

static const fm_reducer *reducer_of(const fm_walk *walk) { return walk->shared->reducer; }

void fm_ranks_finish(const fm_walk *walk) {
    if (asks(walk) && !reducer_of(walk)->finish(reducer_of(walk)->self)) fm_fail(&walk->run, FM_LOST);
}

void fm_ranks_progress(const fm_walk *walk) {
    if (asks(walk)) reducer_of(walk)->progress(reducer_of(walk)->self);
}

void fm_ranks_sum_alone(const fm_walk *walk, double *values, int64_t count) {
    if (!asks(walk)) return;
    if (!reducer_of(walk)->start(reducer_of(walk)->self, values, count, FM_WIRE_F64)) fm_fail(&walk->run, FM_NO_MEMORY);
    fm_ranks_finish(walk);
}

void fm_ranks_sum(const fm_walk *walk, double *values, int64_t count) {
    if (walk->shared == NULL) return;
    fm_barrier(walk->worker);
    fm_ranks_sum_alone(walk, values, count);
    fm_barrier(walk->worker);
}

void fm_ranks_begin(const fm_walk *walk, int op) {
    const fm_net *net = walk->net;
    const fm_operands *at = &walk->at[op];
    if (!asks(walk) || fm_stopped(&walk->run)) return;
    const fm_wire wire = net->dtype == FM_F64 ? FM_WIRE_F64 : reducer_of(walk)->wire;
    for (int k = 0; k < at->op->n_arrays; k++) {
        const fm_array *array = &net->arrays[net->first_array[at->op->index] + k];
        if (fm_array_is_frozen(walk->shared, array)) continue;
        if (!reducer_of(walk)->start(reducer_of(walk)->self, fm_element(&walk->run, net->grads, array->at),
                                     array->rows * array->cols, wire))
            fm_fail(&walk->run, FM_NO_MEMORY);
    }
}
