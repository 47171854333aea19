/* Predictions beside updates: one that met an update is made again, and refused where updates leave it no time. */
#include <sched.h>

#include "base/clock.h"
#include "engine/net.h"

/* For so long a prediction is made again: an update of a small network is over in less. */
static const double PATIENCE = 1e-3;

fm_status fm_net_predict(fm_net *net, int64_t rows, const void *const *x, void *const *y, fm_poll poll, void *context) {
    double first = 0.0;
    for (;;) {
        const uint64_t count = fm_seqlock_begin_read(&net->updates);
        const int abandoned = count % 2 == 1 && fm_claim_is_lost(&net->claim);
        if (count % 2 == 0 || abandoned) {
            const fm_status status = fm_predict_once(net, count, rows, x, y, poll, context);
            const int is_whole = abandoned || fm_seqlock_end_read(&net->updates, count);
            if (status != FM_IN_USE && (status != FM_OK || is_whole)) return status;
        }
        const double now = fm_seconds();
        if (first == 0.0) first = now;
        else if (now - first > PATIENCE) return FM_IN_USE;
        sched_yield();
    }
}

fm_status fm_net_reserve(fm_net *net, int64_t rows) { return fm_predict_once(net, 0, rows, NULL, NULL, NULL, NULL); }

void fm_net_begin_update(fm_net *net) { fm_seqlock_begin_write(&net->updates); }
void fm_net_end_update(fm_net *net) { fm_seqlock_end_write(&net->updates); }
