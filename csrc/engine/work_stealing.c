#include "engine/work_stealing.h"

/* Rows of the smallest piece. Fewer rows use each weight too few times. */
enum { LEAST_ROWS = 64, LEAST_STRIP = 64 };

static int64_t more(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t fewer(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t rounded_up(int64_t n, int64_t granularity) { return (n + granularity - 1) / granularity * granularity; }

static _Atomic int64_t *taken_from(const fm_walk *walk, int thread, int queue) {
    return &walk->workspace->thread[thread].queue->taken[queue];
}

void fm_work_refill(const fm_walk *walk, int first, int end) {
    for (int queue = first; queue < end; queue++)
        atomic_store_explicit(taken_from(walk, walk->worker->index, queue), 0, memory_order_relaxed);
}

/* The thread whose part is searched now. */
static fm_worker owner(const fm_search *search) {
    const fm_worker *self = search->walk->worker;
    return (fm_worker){.index = (self->index + search->tried) % self->count, .count = self->count};
}

static int is_over(const fm_search *search) { return search->tried >= search->walk->worker->count; }

int fm_take_rows(fm_search *search, fm_walk *walk, int64_t rows, int64_t most) {
    const int64_t tile = walk->run.kernels->product[FM_COMPUTE_STORAGE].tile_rows;
    for (; !is_over(search); search->tried++) {
        const fm_worker of = owner(search);
        _Atomic int64_t *taken = taken_from(walk, of.index, search->queue);
        int64_t first, last, at = atomic_load_explicit(taken, memory_order_relaxed);
        fm_partition(&of, rows, tile, &first, &last);
        while (at < last - first) {
            const int64_t left = last - first - at, half = rounded_up(left / 2, tile);
            const int64_t piece = fewer(left, fewer(most, more(half, fm_schedule_least_piece(LEAST_ROWS))));
            if (!atomic_compare_exchange_weak_explicit(taken, &at, at + piece, memory_order_relaxed,
                                                       memory_order_relaxed))
                continue;
            walk->row_begin = first + at;
            walk->row_end = first + at + piece;
            return 1;
        }
    }
    return 0;
}

/* Finds the strip that begins after `at` rows of all arrays in one part, and the elements from there to the part's
   end; false if there are no more rows. */
static int strip_at(const fm_search *search, const fm_worker *of, int64_t at, fm_strip *strip, int64_t *elements) {
    const fm_net *net = search->walk->net;
    *elements = 0;
    for (int i = search->first_op; i < search->end_op; i++) {
        for (int k = 0; k < net->ops[i].n_arrays; k++) {
            const fm_array *array = &net->arrays[net->first_array[net->ops[i].index] + k];
            int64_t begin, end;
            fm_schedule_array(of, search->walk->run.kernels, array, &begin, &end);
            const int64_t left = end - begin - at;
            if (left > 0 && *elements == 0) *strip = (fm_strip){i, k, begin + at, end};
            if (left > 0) *elements += left * array->cols;
            at = left > 0 ? 0 : -left;
        }
    }
    return *elements > 0;
}

/* At most half of what is left of the part, so that the last pieces are small. */
static int64_t rows_of_strip(const fm_walk *walk, const fm_strip *strip, int64_t elements) {
    const fm_net *net = walk->net;
    const int64_t cols = net->arrays[net->first_array[net->ops[strip->op].index] + strip->array].cols;
    return fewer(strip->end - strip->begin,
                 more(rounded_up(elements / 2 / cols, 8), fm_schedule_least_piece(LEAST_STRIP)));
}

int fm_take_strip(fm_search *search, fm_strip *strip) {
    const fm_walk *walk = search->walk;
    for (; !is_over(search); search->tried++) {
        const fm_worker of = owner(search);
        _Atomic int64_t *taken = taken_from(walk, of.index, search->queue);
        int64_t elements, at = atomic_load_explicit(taken, memory_order_relaxed);
        while (strip_at(search, &of, at, strip, &elements)) {
            const int64_t rows = rows_of_strip(walk, strip, elements);
            if (!atomic_compare_exchange_weak_explicit(taken, &at, at + rows, memory_order_relaxed,
                                                       memory_order_relaxed))
                continue;
            strip->end = strip->begin + rows;
            return 1;
        }
    }
    return 0;
}
