/* Divides a product into blocks that fit the caches, for the kernels of the table. */
#include "engine/product.h"

#include "base/topology.h"

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* A block of B that is packed in the call stays in the second-level cache, three panels wide. If A is packed too, which
   must be repeated for each block of B, the block is wide and is read from the third-level cache. Few rows take so
   little time that packing takes most of it; then a block is not deep either. */
enum { DEPTH = 1024, COLUMNS = 144, COLUMNS_FOR_PACKED_A = 960, FEW_ROWS = 16, DEPTH_FOR_FEW = 64 };

/* A block of A fills a quarter of the second-level cache. */
static int64_t a_block_bytes(void) { return fm_cache_bytes(2) / 4 / 64 * 64; }

int64_t fm_panels_size(int64_t words, int64_t n) { return words * (n + FM_MOST_TILE_COLS - 1); }

int fm_panels_pay(int64_t k, int64_t n, int64_t stride, size_t size) {
    const int64_t bytes = k * n * (int64_t)size, distance = stride * (int64_t)size;
    return n >= FM_LEAST_PACKED_WIDTH && (bytes > fm_cache_bytes(2) || (distance % 2048 == 0 && k > 64));
}

/* Each part of a product needs no more than the whole. A weight gradient takes FM_BATCH_CHUNK rows at a time. */
int64_t fm_pack_bytes(const fm_fused *op, int64_t rows) {
    int64_t most = 0;
    for (int i = 0; i < FM_MOST_PRODUCTS; i++) {
        const int64_t cols = op->factor[i].cols;
        const int64_t k = op->factor[i].rows != 0 ? op->factor[i].rows : smaller(rows, FM_BATCH_CHUNK);
        const int64_t stride = op->factor[i].stride != 0 ? op->factor[i].stride : cols;
        if (cols == 0 || (op->compute == FM_COMPUTE_STORAGE && !fm_panels_pay(k, cols, stride, op->size))) continue;
        const int packs_a = op->compute != FM_COMPUTE_STORAGE || op->factor[i].of_transposed;
        const int64_t columns = smaller(cols, packs_a ? COLUMNS_FOR_PACKED_A : COLUMNS) + FM_MOST_TILE_COLS;
        const int64_t block = smaller(k, DEPTH) * columns * (int64_t)op->size;
        most = block > most ? block : most;
    }
    return most == 0 ? 0 : a_block_bytes() + most;
}

/* Few rows would read a packed B too few times. Operands that are rounded must be packed. */
static int must_pack(const fm_products *k, const fm_gemm *g, size_t size) {
    return k->terms > 1 || (g->m >= k->least_packed_rows && fm_panels_pay(g->k, g->n, g->b_step, size));
}

static const void *at(const void *base, int64_t elements, size_t size) {
    return (const char *)base + elements * (int64_t)size;
}

static const fm_products *kernels_of(const fm_product *space) { return &space->kernels->product[space->compute]; }

static int told_to_stop(const fm_product *space) {
    if (space->watch == NULL) return 0;
    fm_poll_now_and_then(space->watch);
    return fm_stopped(space->watch);
}

/* The part of a product with columns from j on and k from k0 on: its arrays, and how its chains begin and end. */
static fm_gemm part_of(const fm_gemm *g, int64_t j, int64_t columns, int64_t k0, int64_t depth, size_t size) {
    fm_gemm part = *g;
    part.n = smaller(columns, g->n - j);
    part.k = smaller(depth, g->k - k0);
    part.a = at(g->a, k0 * g->a_step, size);
    part.b = at(g->b, k0 * g->b_step + j, size);
    part.c = (char *)g->c + j * (int64_t)size;
    part.aux = g->aux == NULL ? NULL : (char *)g->aux + j * (int64_t)size;
    part.residual = g->residual == NULL || k0 + part.k < g->k ? NULL : at(g->residual, j, size);
    part.bias = g->bias == NULL ? NULL : at(g->bias, j, size);
    part.scale = g->scale == NULL || k0 + part.k < g->k ? NULL : at(g->scale, j, size);
    part.shift = g->shift == NULL ? NULL : at(g->shift, j, size);
    if (k0 > 0) part.start = FM_START_C;
    if (k0 + part.k < g->k) part.epilogue = FM_GEMM_STORE;
    return part;
}

static fm_gemm with_packed_b(const fm_product *space, fm_gemm g) {
    const fm_products *k = kernels_of(space);
    char *block = (char *)space->pack + a_block_bytes();
    const int64_t panel = fm_panel_words(k, g.k) * k->tile_cols;
    k->pack_b(g.k, g.n, g.b, g.b_step, block, panel);
    g.b = block;
    g.b_step = k->tile_cols;
    g.b_panel = panel;
    return g;
}

static fm_gemm with_packed_a(const fm_product *space, fm_gemm g) {
    const fm_products *k = kernels_of(space);
    k->pack_a(g.m, g.k, g.a, g.a_row, g.a_step, space->pack);
    const int by_rows = k->terms > 1 && g.a_step == 1;
    g.a = space->pack;
    g.k = fm_panel_words(k, g.k);
    g.a_row = by_rows ? g.k : 1;
    g.a_step = by_rows ? 1 : k->tile_rows;
    g.a_panel = g.k * k->tile_rows;
    return g;
}

/* Whether A is packed if B is. A transposed one is: in place, the rows of a tile are parts of as many lines as there are
   steps of k. Operands that are rounded must be packed. */
static int packs_a(const fm_products *k, const fm_gemm *g) { return g->a_step != 1 || k->terms > 1; }

static fm_gemm rows_of(const fm_gemm *g, int64_t i, int64_t rows, size_t size) {
    fm_gemm part = *g;
    part.m = rows;
    part.a = at(g->a, i * g->a_row, size);
    part.c = (char *)g->c + i * g->ldc * (int64_t)size;
    part.aux = g->aux == NULL ? NULL : (char *)g->aux + i * g->ldaux * (int64_t)size;
    part.residual = g->residual == NULL ? NULL : at(g->residual, i * g->ldresidual, size);
    part.row = g->row == NULL ? NULL : at(g->row, i, size);
    return part;
}

/* Computes all rows of a part, one block at a time, and checks the stop flag between blocks. */
static void multiply_rows(const fm_product *space, const fm_gemm *g, int b_is_packed) {
    enum { SLAB_PRODUCTS = 1 << 28 };
    const int packed_too = b_is_packed && packs_a(kernels_of(space), g);
    const int64_t mr = kernels_of(space)->tile_rows, size = (int64_t)space->size;
    const int64_t words = g->k > 0 ? fm_panel_words(kernels_of(space), g->k) : 1;
    const int64_t most = packed_too ? a_block_bytes() / size / words : SLAB_PRODUCTS / (g->k * g->n + 1);
    const int64_t rows = most < mr ? mr : most / mr * mr;
    if (g->m <= rows && !packed_too) {
        if (!told_to_stop(space)) kernels_of(space)->gemm(g);
        return;
    }
    for (int64_t i = 0; i < g->m && !told_to_stop(space); i += rows) {
        fm_gemm part = rows_of(g, i, smaller(rows, g->m - i), space->size);
        if (packed_too) part = with_packed_a(space, part);
        kernels_of(space)->gemm(&part);
    }
}

/* Without packing, only k is divided, so that a panel of B stays in cache between its readers. A sum that is added
   to C is one chain of at most FM_BATCH_CHUNK terms and is never divided. */
void fm_multiply(const fm_product *space, fm_gemm g) {
    _Static_assert((int)FM_BATCH_CHUNK <= (int)DEPTH, "an added chain has no place to wait for its second half");
    _Static_assert((int)FM_MOST_TERMS_IN_PLACE <= (int)DEPTH, "half a chain would overwrite what the epilogue reads");
    if (g.m == 0 || g.n == 0) return;
    const int packed = must_pack(kernels_of(space), &g, space->size);
    const int64_t columns = !packed ? g.n : packs_a(kernels_of(space), &g) ? COLUMNS_FOR_PACKED_A : COLUMNS;
    const int divides = g.epilogue != FM_GEMM_ADD && g.c != g.aux; /* chains can wait in C */
    const int64_t depth = packed && g.m <= FEW_ROWS && divides ? DEPTH_FOR_FEW : DEPTH;
    g.a_panel = g.a_row * kernels_of(space)->tile_rows;
    g.b_panel = kernels_of(space)->tile_cols;
    if (!packed && g.k <= DEPTH) { /* nothing to divide; the copies below would cost a visible part of a small step */
        multiply_rows(space, &g, 0);
        return;
    }
    for (int64_t j = 0; j < g.n; j += columns) {
        int64_t k0 = 0;
        do {
            fm_gemm part = part_of(&g, j, columns, k0, depth, space->size);
            if (packed) part = with_packed_b(space, part);
            multiply_rows(space, &part, packed);
            k0 += depth;
        } while (k0 < g.k);
    }
}

void fm_multiply_panels(const fm_product *space, fm_gemm g, int64_t first) {
    const fm_products *k = kernels_of(space);
    const int64_t nr = k->tile_cols, panel = fm_panel_words(k, g.k) * nr;
    g.a_panel = g.a_row * k->tile_rows;
    if (g.m > 0 && g.k <= DEPTH && first % nr == 0) { /* nothing to divide, as in fm_multiply */
        g.b = at(g.b, first / nr * panel, space->size);
        g.b_step = nr;
        g.b_panel = panel;
        multiply_rows(space, &g, 1);
        return;
    }
    for (int64_t j = 0; j < g.n && g.m > 0;) {
        const int64_t column = first + j, inside = column % nr;
        const int64_t columns = inside == 0 ? g.n - j : smaller(nr - inside, g.n - j);
        int64_t k0 = 0;
        do {
            fm_gemm part = part_of(&g, j, columns, k0, DEPTH, space->size);
            part.b = at(g.b, column / nr * panel + k0 / k->terms * nr + inside, space->size);
            part.b_step = nr;
            part.b_panel = panel;
            multiply_rows(space, &part, 1);
            k0 += DEPTH;
        } while (k0 < g.k);
        j += columns;
    }
}

/* Small groups take all of them for some rows at a time. That needs a B that stays in the second-level cache. */
static int multiplies_rows_of_groups(const fm_product *space, const fm_gemm *g, int64_t groups) {
    return groups > 1 && space->compute == FM_COMPUTE_STORAGE && g->k <= DEPTH &&
           !must_pack(kernels_of(space), g, space->size) &&
           g->k * g->n * groups * (int64_t)space->size <= fm_cache_bytes(2) / 2;
}

static fm_gemm group_of(const fm_gemm *g, int64_t s, size_t size) {
    fm_gemm one = *g;
    one.a = at(g->a, s * g->k, size);
    one.b = at(g->b, s * g->k * g->n, size);
    one.bias = g->bias == NULL ? NULL : at(g->bias, s * g->n, size);
    one.c = (char *)g->c + s * g->n * (int64_t)size;
    one.aux = g->aux == NULL ? NULL : (char *)g->aux + s * g->n * (int64_t)size;
    one.residual = g->residual == NULL ? NULL : at(g->residual, s * g->n, size);
    return one;
}

void fm_multiply_groups(const fm_product *space, fm_gemm g, int64_t groups) {
    enum { PRODUCTS = 1 << 24 };
    if (!multiplies_rows_of_groups(space, &g, groups)) {
        const int64_t done =
            groups > 1 && space->compute == FM_COMPUTE_BFLOAT16 ? kernels_of(space)->narrow_groups(&g, groups) : 0;
        g = rows_of(&g, done, g.m - done, space->size);
        for (int64_t s = 0; s < groups && !told_to_stop(space); s++) fm_multiply(space, group_of(&g, s, space->size));
        return;
    }
    const int64_t mr = kernels_of(space)->tile_rows, most = PRODUCTS / (g.k * g.n * groups) / mr * mr;
    const int64_t rows = most < 4 * mr ? 4 * mr : most;
    g.a_panel = g.a_row * mr;
    g.b_panel = kernels_of(space)->tile_cols;
    for (int64_t i = 0; i < g.m && !told_to_stop(space); i += rows) {
        const fm_gemm part = rows_of(&g, i, smaller(rows, g.m - i), space->size);
        space->kernels->gemm_groups(&part, groups);
    }
}

/* With few outputs, most lanes of a vector would be idle. Then the gradient is computed transposed, with vectors
   along the inputs, and transposed back. Every element has the same chain either way. A short part of a chain is not worth
   the copies. */
static int is_better_transposed(int64_t in, int64_t out) { return out < FM_LEAST_DIRECT_OUTPUTS && in >= 16; }

static void gradient_chunks(const fm_product *space, fm_gemm g, int64_t rows, int64_t a_step, fm_sums sums) {
    const char *a = g.a, *b = g.b;
    int64_t row = 0;
    do {
        g.k = smaller(FM_BATCH_CHUNK, rows - row);
        g.a = at(a, row * a_step, space->size);
        g.b = at(b, row * g.b_step, space->size);
        g.start = sums == FM_SUMS_GO_ON && row == 0 ? FM_START_C : FM_START_ZERO;
        g.epilogue = sums == FM_SUMS_ADD || row > 0 ? FM_GEMM_ADD : FM_GEMM_STORE;
        fm_multiply(space, g);
        row += FM_BATCH_CHUNK;
    } while (row < rows);
}

void fm_weight_gradient(const fm_product *space, const fm_weight_gradient_call *call) {
    const int64_t in = call->in, out = call->out, count = call->end - call->begin;
    const void *part = at(call->x, call->begin, space->size);
    char *slice = (char *)call->dw + call->begin * out * (int64_t)space->size;
    if (count <= 0) return;
    if (call->sums == FM_SUMS_GO_ON || !is_better_transposed(in, out)) {
        const fm_gemm g = {.m = count,
                           .n = out,
                           .a = part,
                           .a_row = 1,
                           .a_step = call->x_row,
                           .b = call->delta,
                           .b_step = call->delta_row,
                           .c = slice,
                           .ldc = out};
        gradient_chunks(space, g, call->rows, call->x_row, call->sums);
        return;
    }
    const fm_gemm g = {.m = out,
                       .n = count,
                       .a = call->delta,
                       .a_row = 1,
                       .a_step = call->delta_row,
                       .b = part,
                       .b_step = call->x_row,
                       .c = call->transposed,
                       .ldc = count};
    if (call->sums != FM_SUMS_STORE) space->kernels->transpose(count, out, slice, out, call->transposed, count);
    gradient_chunks(space, g, call->rows, call->delta_row, call->sums);
    space->kernels->transpose(out, count, call->transposed, count, slice, out);
}
