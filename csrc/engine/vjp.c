/* The vector-Jacobian product: forward and the way of an upstream gradient down to the inputs, in one region. */
#include "base/arithmetic.h"
#include "engine/backward.h"
#include "engine/forward.h"

typedef struct {
    fm_walk_of_call of;
    int64_t rows;
    const void *const *x, *const *dy;
    void *const *y, *const *dx;
} vjp_call;

static int64_t output_width(const fm_net *net, int k) { return net->ops[net->output[k]].node.fan_out; }

static void vjp_task(void *context, fm_worker *self) {
    const vjp_call *call = context;
    const fm_net *net = call->of.net;
    fm_walk walk = fm_walk_new(&call->of, self);
    walk.run.keeps = 1;
    fm_walk_set_rows(&walk, call->rows);
    fm_walk_read(&walk, call->x);
    fm_walk_send(&walk, call->dx);
    fm_walk_renew(&walk, 1);
    fm_forward(&walk);
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const fm_operands *at = &walk.at[net->output[k]];
        if (call->y != NULL) fm_walk_copy(&walk, output_width(net, k), at->y, call->y[k]);
        fm_walk_copy(&walk, output_width(net, k), call->dy[k], at->delta);
    }
    fm_walk_wait_for_others(&walk);
    fm_backward(&walk, NULL, NULL);
}

static fm_status vjp(fm_net *net, vjp_call *call) {
    const fm_shift shift = fm_schedule_shift(&net->vjp_tuners, net, call->rows, FM_WORK_BACKWARD, 1);
    const int packs = fm_schedule_packs(FM_FORWARD, net->ends.compute, call->rows);
    const fm_demand demand = {FM_FORWARD, call->rows, shift.threads, .packs = packs};
    if (fm_workspace_reserve(&net->vjp, net, &demand) != FM_OK) return FM_NO_MEMORY;
    _Atomic int stop = 0, fault = FM_OK;
    call->of = (fm_walk_of_call){net, &net->vjp, fm_tables_in_use(), &stop, &fault, packs};
    fm_schedule_note(&shift, fm_parallel(shift.threads, vjp_task, call), call->rows);
    return (fm_status)atomic_load(&fault);
}

fm_status fm_net_vjp(fm_net *net, int64_t rows, const void *const *x, const void *const *dy, void *const *y,
                     void *const *dx) {
    if (rows < 0 || net->ends.frozen || net->asks_caller) return FM_BAD_ARGUMENT;
    const fm_modes host = fm_enter_arithmetic();
    vjp_call call = {.rows = rows, .x = x, .dy = dy, .y = y, .dx = dx};
    const fm_status status = vjp(net, &call);
    fm_leave_arithmetic(host);
    return status;
}
