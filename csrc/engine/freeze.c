/* Packs the parameters of a frozen network, once for all its predictions. */
#include "base/arithmetic.h"
#include "engine/walk.h"

static void freeze_task(void *context, fm_worker *self) {
    const fm_walk walk = fm_walk_new(context, self);
    fm_walk_renew(&walk, 0);
}

fm_status fm_net_freeze(fm_net *net) {
    const fm_tables tables = fm_tables_in_use();
    const fm_demand demand = {FM_FREEZE, 0, 1, .packs = 1};
    _Atomic int stop = 0, fault = FM_OK;
    fm_walk_of_call call = {net, &net->packed, tables, &stop, &fault, 1};
    if (!net->ends.frozen || net->tables != NULL || net->asks_caller) return FM_BAD_ARGUMENT;
    if (fm_workspace_reserve(&net->packed, net, &demand) != FM_OK) return FM_NO_MEMORY;
    const fm_modes host = fm_enter_arithmetic();
    fm_parallel(1, freeze_task, &call);
    fm_leave_arithmetic(host);
    net->tables = tables;
    return FM_OK;
}
