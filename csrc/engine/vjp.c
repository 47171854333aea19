/* The vector-Jacobian product: forward and the way of an upstream gradient down to the inputs. One region does both, unless
   the caller finds the gradient from the outputs in between. */
#include "base/arithmetic.h"
#include "engine/backward.h"
#include "engine/forward.h"
#include "engine/mark.h"

typedef struct {
    fm_walk_of_call of;
    int64_t rows;
    const void *const *x, *const *dy;
    void *const *y, *const *dx;
} vjp_call;

static int64_t output_width(const fm_net *net, int k) { return net->ops[net->output[k]].node.fan_out; }

static fm_walk walk_of(const vjp_call *call, fm_worker *self) {
    fm_walk walk = fm_walk_new(&call->of, self);
    walk.run.keeps = 1;
    fm_walk_set_rows(&walk, call->rows);
    fm_walk_read(&walk, call->x);
    fm_walk_send(&walk, call->dx);
    return walk;
}

static void go_up(const vjp_call *call, fm_walk *walk) {
    const fm_net *net = walk->net;
    fm_walk_renew(walk, 1);
    fm_forward(walk);
    for (int k = 0; k < net->ends.n_outputs && call->y != NULL; k++)
        fm_walk_copy(walk, output_width(net, k), walk->at[net->output[k]].y, call->y[k]);
}

static void go_down(const vjp_call *call, fm_walk *walk) {
    const fm_net *net = walk->net;
    for (int k = 0; k < net->ends.n_outputs; k++)
        fm_walk_copy(walk, output_width(net, k), call->dy[k], walk->at[net->output[k]].delta);
    fm_walk_wait_for_others(walk);
    fm_backward(walk, NULL, NULL);
}

static void vjp_task(void *context, fm_worker *self) {
    fm_walk walk = walk_of(context, self);
    go_up(context, &walk);
    go_down(context, &walk);
}

static void up_task(void *context, fm_worker *self) {
    fm_walk walk = walk_of(context, self);
    go_up(context, &walk);
}

static void down_task(void *context, fm_worker *self) {
    fm_walk walk = walk_of(context, self);
    go_down(context, &walk);
}

static fm_status reserve(fm_net *net, vjp_call *call, int threads, _Atomic int *stop, _Atomic int *fault) {
    const int packs = fm_schedule_packs(FM_FORWARD, net->ends.compute, call->rows);
    const fm_demand demand = {FM_FORWARD, call->rows, threads, .packs = packs};
    call->of = (fm_walk_of_call){net, &net->vjp, fm_tables_in_use(), stop, fault, packs};
    return fm_workspace_reserve(&net->vjp, net, &demand);
}

static fm_status vjp(fm_net *net, vjp_call *call) {
    const fm_shift shift = fm_schedule_shift(&net->vjp_tuners, net, call->rows, FM_WORK_BACKWARD, 1);
    _Atomic int stop = 0, fault = FM_OK;
    if (reserve(net, call, shift.threads, &stop, &fault) != FM_OK) return FM_NO_MEMORY;
    const fm_modes host = fm_enter_arithmetic();
    fm_schedule_note(&shift, fm_parallel(shift.threads, vjp_task, call), call->rows);
    fm_leave_arithmetic(host);
    return (fm_status)atomic_load(&fault);
}

static fm_status run(int threads, fm_task task, vjp_call *call) {
    const fm_modes host = fm_enter_arithmetic();
    fm_parallel(threads, task, call);
    fm_leave_arithmetic(host);
    return (fm_status)atomic_load(call->of.fault);
}

/* The number of threads is predicted: the caller's part is in no measured time. */
static fm_status vjp_asking(fm_net *net, vjp_call *call, fm_poll ask, void *context) {
    const int threads = fm_schedule_threads(net, call->rows, FM_WORK_BACKWARD, 1);
    _Atomic int stop = 0, fault = FM_OK;
    if (reserve(net, call, threads, &stop, &fault) != FM_OK) return FM_NO_MEMORY;
    const fm_status status = run(threads, up_task, call);
    if (status != FM_OK) return status;
    const fm_mark mark = fm_mark_of(net, call->of.tables[net->dtype], call->rows);
    if (ask(context)) return FM_INTERRUPTED;
    return fm_mark_holds(net, &mark) ? run(threads, down_task, call) : FM_STALE;
}

fm_status fm_net_vjp(fm_net *net, int64_t rows, const void *const *x, const void *const *dy, void *const *y,
                     void *const *dx, fm_poll ask, void *context) {
    if (rows < 0 || net->ends.frozen || net->asks_caller || (ask != NULL && y == NULL)) return FM_BAD_ARGUMENT;
    vjp_call call = {.rows = rows, .x = x, .dy = dy, .y = y, .dx = dx};
    return ask == NULL ? vjp(net, &call) : vjp_asking(net, &call, ask, context);
}
