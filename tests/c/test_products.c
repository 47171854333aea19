/* Every ISA's product kernels against a scalar chain of fused multiply-adds, bit for bit, between guard values.

   The portable kernels round twice and are held to a plain multiply and add instead. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "engine/net.h"

enum { GUARD = 16, SWEEP = 33 };

typedef struct {
    float *start, *data;
    int64_t n;
} guarded;

static const float guard_value = -7.25e30f;

static guarded guarded_array(int64_t n) {
    guarded g = {malloc((size_t)(n + 2 * GUARD) * sizeof(float)), NULL, n};
    for (int64_t i = 0; i < n + 2 * GUARD; i++) g.start[i] = guard_value;
    g.data = g.start + GUARD;
    return g;
}

static int guards_hold(const guarded *g) {
    for (int64_t i = 0; i < GUARD; i++)
        if (g->start[i] != guard_value || g->data[g->n + i] != guard_value) return 0;
    return 1;
}

static uint32_t random_state = 1;

static float random_real(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return (float)(random_state >> 8) * 0x1p-23f - 1.0f;
}

static guarded random_array(int64_t n) {
    guarded g = guarded_array(n);
    for (int64_t i = 0; i < n; i++) g.data[i] = random_real();
    return g;
}

static float step(int fused, float a, float b, float c) {
    if (fused) return fmaf(a, b, c);
    volatile float product = a * b;
    return product + c;
}

static int same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0; }

/* One product through the engine's driver, so that packing and blocking are covered too. */
static void check_product(const fm_kernels *k, void *pack, int64_t m, int64_t n, int64_t depth, int transposed_a) {
    const int fused = strcmp(k->isa, "portable") != 0;
    guarded a = random_array(m * depth), b = random_array(depth * n), bias = random_array(n), c = guarded_array(m * n);
    const int64_t a_row = transposed_a ? 1 : depth, a_step = transposed_a ? m : 1;
    const fm_product space = {.kernels = k, .size = sizeof(float), .pack = pack};
    fm_multiply(&space, (fm_gemm){.m = m,
                                  .n = n,
                                  .k = depth,
                                  .a = a.data,
                                  .a_row = a_row,
                                  .a_step = a_step,
                                  .b = b.data,
                                  .b_step = n,
                                  .c = c.data,
                                  .ldc = n,
                                  .bias = transposed_a ? NULL : bias.data,
                                  .start = transposed_a ? FM_START_ZERO : FM_START_BIAS});
    int64_t wrong = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float chain = transposed_a ? 0.0f : bias.data[j];
            for (int64_t p = 0; p < depth; p++)
                chain = step(fused, a.data[i * a_row + p * a_step], b.data[p * n + j], chain);
            wrong += !same(chain, c.data[i * n + j]);
        }
    CHECK(wrong == 0, "%s m=%ld n=%ld k=%ld transposed=%d: %ld elements differ", k->isa, (long)m, (long)n, (long)depth,
          transposed_a, (long)wrong);
    CHECK(guards_hold(&a) && guards_hold(&b) && guards_hold(&bias) && guards_hold(&c), "%s m=%ld n=%ld k=%ld", k->isa,
          (long)m, (long)n, (long)depth);
    free(a.start), free(b.start), free(bias.start), free(c.start);
}

/* The dot form against its definition: 16 lanes, then the halving tree, then the bias. */
static void check_dot(const fm_kernels *k, int64_t m, int64_t n, int64_t depth) {
    const int fused = strcmp(k->isa, "portable") != 0;
    guarded a = random_array(m * depth), bt = random_array(n * depth), bias = random_array(n), c = guarded_array(m * n);
    k->dot(m, n, depth, a.data, depth, bt.data, depth, c.data, n, bias.data);
    int64_t wrong = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float lane[16] = {0};
            for (int64_t p = 0; p < depth; p++)
                lane[p % 16] = step(fused, a.data[i * depth + p], bt.data[j * depth + p], lane[p % 16]);
            for (int half = 8; half > 0; half /= 2)
                for (int l = 0; l < half; l++) lane[l] += lane[l + half];
            wrong += !same(lane[0] + bias.data[j], c.data[i * n + j]);
        }
    CHECK(wrong == 0, "%s m=%ld n=%ld k=%ld: %ld elements differ", k->isa, (long)m, (long)n, (long)depth, (long)wrong);
    CHECK(guards_hold(&c), "%s m=%ld n=%ld k=%ld", k->isa, (long)m, (long)n, (long)depth);
    free(a.start), free(bt.start), free(bias.start), free(c.start);
}

static void check_isa(const fm_kernels *k, void *pack) {
    for (int64_t m = 0; m <= SWEEP; m++)
        for (int64_t n = 0; n <= SWEEP; n++)
            for (int64_t depth = 0; depth <= SWEEP; depth += depth < 5 ? 1 : 7)
                for (int transposed = 0; transposed < 2; transposed++) check_product(k, pack, m, n, depth, transposed);
    const int64_t large[][3] = {{64, 192, 700},  {130, 1024, 129}, {301, 257, 513}, {97, 1031, 300},
                                {65, 200, 1024}, {515, 300, 1100}, {3, 250, 2100},  {70, 2100, 130}};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        for (int transposed = 0; transposed < 2; transposed++)
            check_product(k, pack, large[i][0], large[i][1], large[i][2], transposed);
    for (int64_t m = 0; m <= 9; m++)
        for (int64_t n = 1; n <= 4; n++)
            for (int64_t depth = 16; depth <= 70; depth++) check_dot(k, m, n, depth);
}

int main(void) {
    void *pack = fm_alloc((int64_t)fm_pack_bytes(4096, sizeof(double)), 1);
    for (int i = 0; i < fm_isa_count(); i++) {
        if (!fm_isa_supported(i)) continue;
        fm_use_isa(fm_isa_name(i));
        check_isa(fm_table(FM_F32), pack);
    }
    fm_free(pack);
    return report();
}
