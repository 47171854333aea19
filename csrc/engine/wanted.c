#include "engine/wanted.h"

#include "engine/groups.h"

static int trains(const fm_net *net, const fm_trainer *trainer, const fm_fused *op) {
    const fm_array *array = &net->arrays[net->first_array[op->index]];
    for (int k = 0; k < op->n_arrays; k++)
        if (trainer == NULL || !fm_array_is_frozen(trainer, &array[k])) return 1;
    return 0;
}

/* Sources come before their readers. Ops that need all rows have a backward of their own, which expects a delta. */
void fm_find_wanted(const fm_net *net, const fm_trainer *trainer, fm_operands *at) {
    for (int i = 0; i < net->n_ops; i++) {
        const fm_fused *op = &net->ops[i];
        int wanted = op->row->needs != FM_OWN_ROWS || trains(net, trainer, op);
        for (int k = 0; k < op->n_sources; k++) {
            const int source = op->source[k];
            if (source < 0) continue;
            at[i].dx[k] = at[source].unwanted ? NULL : at[source].delta;
            wanted |= !at[source].unwanted;
        }
        at[i].unwanted = !wanted;
        if (op->epilogue.stores_slope) at[i].slope = wanted ? (void *)at[i].saved : NULL;
    }
}
