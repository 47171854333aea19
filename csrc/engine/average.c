#include <string.h>

#include "base/arithmetic.h"
#include "base/parallel.h"
#include "engine/net.h"
#include "engine/schedule.h"
#include "engine/update.h"
#include "kernels/table.h"

typedef struct {
    fm_net *target;
    const fm_net *source;
    const fm_kernels *kernels;
    double tau;
} average_call;

static void average_task(void *context, fm_worker *self) {
    const average_call *call = context;
    const int64_t size = (int64_t)call->target->size;
    int64_t begin, end;
    fm_partition(self, call->target->n_params, FM_SUM_CHUNK, &begin, &end);
    if (begin >= end) return;
    char *to = (char *)call->target->params + begin * size;
    const char *from = (const char *)call->source->params + begin * size;
    /* not by the formula, which would keep a NaN of the target */
    if (call->tau == 1.0) memcpy(to, from, (size_t)((end - begin) * size));
    else call->kernels->average(end - begin, call->tau, from, to);
}

fm_status fm_net_average(fm_net *target, const fm_net *source, double tau) {
    if (target == source || target->dtype != source->dtype || target->n_params != source->n_params ||
        target->n_state != source->n_state)
        return FM_BAD_ARGUMENT;
    average_call call = {target, source, fm_tables_in_use()[target->dtype], tau};
    const fm_modes host = fm_enter_arithmetic();
    fm_net_begin_update(target);
    fm_parallel(fm_schedule_update(target), average_task, &call);
    if (target->n_state > 0) memcpy(target->state, source->state, (size_t)target->n_state * target->size);
    fm_net_end_update(target);
    fm_leave_arithmetic(host);
    return FM_OK;
}
