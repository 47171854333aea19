#include "engine/sparse.h"

#include <string.h>

/* Sums of a chunk that are added to those of earlier rows stay in the first-level cache. */
enum { SUM_BYTES = 1 << 14 };

fm_csr fm_csr_from(const fm_csr *rows, int64_t first) {
    fm_csr from = *rows;
    if (from.order != NULL) from.order += first;
    else from.start += first;
    return from;
}

static const fm_products *kernels_of(const fm_run *run, const fm_operands *at) {
    return &run->kernels->product[at->op->compute];
}

/* The entries of a row: `first` .. `end`. */
typedef struct {
    int64_t first, end;
} span;

static span entries_of(const fm_csr *rows, int64_t row) {
    const int64_t at = rows->order == NULL ? row : rows->order[row];
    return (span){rows->start[at], rows->start[at + 1]};
}

void fm_sparse_forward(const fm_run *run, const fm_operands *at, const fm_tile *tile, int by_dots) {
    const fm_products *kernels = kernels_of(run, at);
    const int64_t out = at->op->node.fan_out;
    const void *w = fm_element(run, at->param[0], tile->col);
    const void *bias = at->param[1] == NULL ? NULL : fm_element(run, at->param[1], tile->col);
    for (int64_t row = tile->row; row < tile->row + tile->rows; row++) {
        const span s = entries_of(&run->sparse, row);
        const int32_t *column = run->sparse.column + s.first;
        const void *value = fm_element(run, run->sparse.value, s.first);
        void *y = fm_element(run, at->y, row * out + tile->col);
        if (by_dots) kernels->sparse_dot(s.end - s.first, column, value, w, out, bias, y);
        else kernels->sparse(s.end - s.first, column, value, w, out, tile->cols, bias, y);
    }
}

/* The first entry of a row in column `begin` or behind it. */
static int64_t entry_from(const int32_t *column, span s, int64_t begin) {
    while (s.first < s.end) {
        const int64_t middle = s.first + (s.end - s.first) / 2;
        if (column[middle] < begin) s.first = middle + 1;
        else s.end = middle;
    }
    return s.first;
}

/* The sums over rows first .. end of the batch for a tile of dW, which begins at `sums`. */
static void sum_rows(const fm_run *run, const fm_operands *at, int64_t first, int64_t end, const fm_tile *tile,
                     void *sums, int64_t ld) {
    static const int32_t only = 0;
    const fm_products *kernels = kernels_of(run, at);
    const fm_csr *x = &run->sparse;
    for (int64_t k = 0; k < tile->rows; k++) memset(fm_element(run, sums, k * ld), 0, (size_t)tile->cols * run->size);
    for (int64_t row = first; row < end; row++) {
        const span s = entries_of(x, row);
        const void *dz = fm_element(run, at->dz, row * at->op->node.fan_out + tile->col);
        for (int64_t t = entry_from(x->column, s, tile->row); t < s.end && x->column[t] < tile->row + tile->rows; t++) {
            void *sum = fm_element(run, sums, (x->column[t] - tile->row) * ld);
            kernels->sparse(1, &only, fm_element(run, x->value, t), dz, 0, tile->cols, sum, sum);
        }
    }
}

/* A tile of dW plus the sums over rows first .. end, which are complete before they are added. */
static void add_rows(const fm_run *run, const fm_operands *at, int64_t first, int64_t end, const fm_tile *tile) {
    _Alignas(64) char sums[SUM_BYTES];
    const int64_t out = at->op->node.fan_out;
    void *dw = fm_element(run, at->grad[0], tile->row * out + tile->col);
    sum_rows(run, at, first, end, tile, sums, tile->cols);
    run->kernels->join(FM_JOIN_ADD, tile->rows, tile->cols, dw, out, sums, tile->cols, dw, out);
}

/* The same for rows begin .. end of dW, in tiles whose sums have room. */
static void add_rows_by_tiles(const fm_run *run, const fm_operands *at, int64_t first, int64_t last, int64_t begin,
                              int64_t end) {
    const int64_t out = at->op->node.fan_out, most = SUM_BYTES / (int64_t)run->size;
    const int64_t cols = out < most ? out : most, rows = most / cols;
    for (int64_t k = begin; k < end; k += rows)
        for (int64_t j = 0; j < out; j += cols)
            add_rows(run, at, first, last,
                     &(fm_tile){k, k + rows < end ? rows : end - k, j, j + cols < out ? cols : out - j});
}

void fm_sparse_gradient(const fm_run *run, const fm_operands *at, int64_t begin, int64_t end) {
    const int64_t out = at->op->node.fan_out;
    int64_t row = 0;
    if (!run->adds) {
        row = run->rows < FM_BATCH_CHUNK ? run->rows : FM_BATCH_CHUNK;
        sum_rows(run, at, 0, row, &(fm_tile){begin, end - begin, 0, out}, fm_element(run, at->grad[0], begin * out),
                 out);
    }
    for (; row < run->rows; row += FM_BATCH_CHUNK) {
        fm_poll_now_and_then(run);
        if (fm_stopped(run)) return;
        add_rows_by_tiles(run, at, row, run->rows - row < FM_BATCH_CHUNK ? run->rows : row + FM_BATCH_CHUNK, begin,
                          end);
    }
}
