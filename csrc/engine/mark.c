#include "engine/mark.h"

#include "engine/net.h"

enum { BLOCK = 2048 }; /* parameters */

static int64_t blocks_of(const fm_net *net) { return (net->n_params + BLOCK - 1) / BLOCK; }

static int64_t within(int64_t value, int64_t least, int64_t most) {
    return value < least ? least : value > most ? most : value;
}

/* Two passes over few rows take little longer than to read the parameters, so fewer blocks may be read again. More than
   MOST blocks come from memory, which is slow. */
static int64_t sampled(const fm_net *net, int64_t rows) {
    enum { LEAST = 16, MOST = 512, ROWS_FOR_ALL = 32 };
    const int64_t all = blocks_of(net);
    return rows >= ROWS_FOR_ALL ? within(all, 1, MOST) : within(all * rows / ROWS_FOR_ALL, LEAST, MOST);
}

static uint64_t stamp_of(const fm_net *net, const fm_mark *mark) {
    const int64_t blocks = blocks_of(net);
    uint64_t stamp = mark->kernels->stamp(net->n_state, net->state);
    if (mark->every == 1) return stamp + mark->kernels->stamp(net->n_params, net->params);
    for (int64_t i = mark->first; i < blocks; i += mark->every) {
        const int64_t begin = i * BLOCK, left = net->n_params - begin;
        const void *block = (const char *)net->params + begin * (int64_t)net->size;
        stamp = stamp * 31 + mark->kernels->stamp(left < BLOCK ? left : BLOCK, block);
    }
    return stamp;
}

fm_mark fm_mark_of(fm_net *net, const fm_kernels *kernels, int64_t rows) {
    const int64_t blocks = blocks_of(net), most = sampled(net, rows), every = (blocks + most - 1) / most;
    fm_mark mark = {.kernels = kernels, .updates = fm_net_updates(net), .every = every > 1 ? every : 1};
    mark.first = (int64_t)(net->marks++ % (uint64_t)mark.every);
    mark.stamp = stamp_of(net, &mark);
    return mark;
}

int fm_mark_holds(const fm_net *net, const fm_mark *mark) {
    return mark->updates == fm_net_updates(net) && mark->stamp == stamp_of(net, mark);
}
