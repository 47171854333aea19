#include "engine/first_touch.h"

#include <string.h>

#include "base/aligned_alloc.h"
#include "engine/schedule.h"

typedef struct {
    const fm_net *net;
    const fm_kernels *kernels;
    char *block;
} touching;

static void touch_task(void *context, fm_worker *self) {
    const touching *t = context;
    for (int i = 0; i < t->net->n_arrays; i++) {
        const fm_array *array = &t->net->arrays[i];
        const int64_t row_bytes = array->cols * (int64_t)t->net->size;
        int64_t begin, end;
        fm_schedule_array(self, t->kernels, array, &begin, &end);
        if (begin < end)
            memset(t->block + array->at * (int64_t)t->net->size + begin * row_bytes, 0,
                   (size_t)((end - begin) * row_bytes));
    }
}

void *fm_first_touch(const fm_net *net) {
    const int threads = fm_schedule_first_touch(net->n_params * (int64_t)net->size);
    if (threads == 1) return fm_alloc_zeroed(net->n_params, net->size);
    touching t = {net, fm_tables_in_use()[net->dtype], fm_alloc(net->n_params, net->size)};
    if (t.block != NULL) fm_parallel(threads, touch_task, &t);
    return t.block;
}
