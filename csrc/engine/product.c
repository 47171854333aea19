/* The three matrix products of a layer on the calling thread: blocking for the caches around the table's kernel. */
#include "engine/net.h"

int fm_takes_dot_form(int64_t fan_in, int64_t fan_out) { return fan_out <= 4 && fan_in >= 16; }

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Space for a block of A and a panel of B; a weight gradient's panel is as deep as a chunk of the batch. */
size_t fm_pack_bytes(size_t size) { return (size_t)(FM_BLOCK_ELEMENTS + FM_BATCH_CHUNK * FM_MOST_TILE_COLS) * size; }

/* Reading in place is cheaper until B outgrows the second-level cache, or rows that lie a multiple of the page apart
   fall on the same lines of the first-level one. */
static int must_pack(const fm_gemm *g, size_t size) {
    enum { IN_PLACE_BYTES = 1 << 19, LEAST_ROWS = 64, LEAST_COLUMNS = FM_LEAST_PACKED_WIDTH };
    if (g->m < LEAST_ROWS || g->n < LEAST_COLUMNS) return 0;
    const int64_t bytes = g->k * g->n * (int64_t)size, stride = g->b_step * (int64_t)size;
    return bytes > IN_PLACE_BYTES || (stride % 4096 == 0 && g->k > 64);
}

static const void *at(const void *base, int64_t elements, size_t size) {
    return (const char *)base + elements * (int64_t)size;
}

static int told_to_stop(const fm_product *space) {
    if (space->watch == NULL) return 0;
    fm_between_stages(space->watch);
    return fm_stopped(space->watch);
}

/* All rows of one packed block of A against every panel of B for this part of k. */
static void multiply_block(const fm_product *space, const fm_gemm *g, fm_gemm part, int64_t k0) {
    const fm_kernels *k = space->kernels;
    char *panel = (char *)space->pack + FM_BLOCK_ELEMENTS * space->size;
    for (int64_t j = 0; j < g->n; j += k->tile_cols) {
        fm_gemm here = part;
        here.n = smaller(k->tile_cols, g->n - j);
        k->pack_b(here.k, here.n, at(g->b, k0 * g->b_step + j, space->size), g->b_step, panel);
        here.b = panel;
        here.c = (char *)part.c + j * (int64_t)space->size;
        here.aux = part.aux == NULL ? NULL : (char *)part.aux + j * (int64_t)space->size;
        here.bias = part.bias == NULL ? NULL : at(part.bias, j, space->size);
        k->gemm(&here);
    }
}

static void multiply_packed(const fm_product *space, const fm_gemm *g) {
    const fm_kernels *k = space->kernels;
    const int64_t depth = g->finish == FM_FINISH_ADD ? g->k : k->block_depth;
    const int64_t rows = FM_BLOCK_ELEMENTS / smaller(depth, g->k) / k->tile_rows * k->tile_rows;
    for (int64_t i = 0; i < g->m; i += rows)
        for (int64_t k0 = 0; k0 < g->k; k0 += depth) {
            if (told_to_stop(space)) return;
            fm_gemm part = *g;
            part.m = smaller(rows, g->m - i);
            part.k = smaller(depth, g->k - k0);
            k->pack_a(part.m, part.k, at(g->a, i * g->a_row + k0 * g->a_step, space->size), g->a_row, g->a_step,
                      space->pack);
            part.a = space->pack;
            part.a_row = 1;
            part.a_step = k->tile_rows;
            part.a_panel = part.k * k->tile_rows;
            part.b_step = k->tile_cols;
            part.b_panel = part.k * k->tile_cols;
            part.c = (char *)g->c + i * g->ldc * (int64_t)space->size;
            part.aux = g->aux == NULL ? NULL : (char *)g->aux + i * g->ldaux * (int64_t)space->size;
            if (k0 > 0) part.start = FM_START_C;
            if (k0 + part.k < g->k) part.finish = FM_FINISH_STORE;
            multiply_block(space, g, part, k0);
        }
}

/* A slab of rows at a time, so that a stop is heard. */
static void multiply_in_place(const fm_product *space, fm_gemm g) {
    enum { SLAB_PRODUCTS = 1 << 28 };
    const int64_t mr = space->kernels->tile_rows, slab = (SLAB_PRODUCTS / (g.k * g.n + 1) / mr + 1) * mr, rows = g.m;
    const char *a = g.a;
    char *c = g.c, *aux = g.aux;
    g.a_panel = g.a_row * mr;
    g.b_panel = space->kernels->tile_cols;
    for (int64_t i = 0; i < rows && !told_to_stop(space); i += slab) {
        g.m = smaller(slab, rows - i);
        g.a = at(a, i * g.a_row, space->size);
        g.c = c + i * g.ldc * (int64_t)space->size;
        g.aux = aux == NULL ? NULL : aux + i * g.ldaux * (int64_t)space->size;
        space->kernels->gemm(&g);
    }
}

void fm_multiply(const fm_product *space, fm_gemm g) {
    if (g.m == 0 || g.n == 0) return;
    if (must_pack(&g, space->size)) {
        multiply_packed(space, &g);
        return;
    }
    multiply_in_place(space, g);
}

/* Few outputs would leave most of a vector's lanes idle: then the gradient is made transposed, with vectors along the
   inputs, and turned. Every element's chain is the same either way. */
static int is_better_turned(const fm_stage *stage) { return stage->fan_out < 16 && stage->fan_in >= 16; }

static void gradient_chunks(const fm_product *space, fm_gemm g, int64_t rows, int64_t a_step, int add) {
    const char *a = g.a, *b = g.b;
    int64_t row = 0;
    do {
        g.k = smaller(FM_BATCH_CHUNK, rows - row);
        g.a = at(a, row * a_step, space->size);
        g.b = at(b, row * g.b_step, space->size);
        g.finish = add || row > 0 ? FM_FINISH_ADD : FM_FINISH_STORE;
        fm_multiply(space, g);
        row += FM_BATCH_CHUNK;
    } while (row < rows);
}

void fm_weight_gradient(const fm_product *space, const fm_stage *stage, int64_t rows, const void *x, const void *delta,
                        int64_t begin, int64_t end, int add, void *turned, void *dw) {
    const int64_t out = stage->fan_out, count = end - begin;
    const void *part = at(x, begin, space->size);
    char *slice = (char *)dw + begin * out * (int64_t)space->size;
    if (count <= 0) return;
    if (!is_better_turned(stage)) {
        fm_gemm g = {.m = count,
                     .n = out,
                     .a = part,
                     .a_row = 1,
                     .a_step = stage->fan_in,
                     .b = delta,
                     .b_step = out,
                     .c = slice,
                     .ldc = out};
        gradient_chunks(space, g, rows, stage->fan_in, add);
        return;
    }
    fm_gemm g = {.m = out,
                 .n = count,
                 .a = delta,
                 .a_row = 1,
                 .a_step = out,
                 .b = part,
                 .b_step = stage->fan_in,
                 .c = turned,
                 .ldc = count};
    if (add) space->kernels->transpose(count, out, slice, out, turned, count);
    gradient_chunks(space, g, rows, out, add);
    space->kernels->transpose(out, count, turned, count, slice, out);
}
