/* Every operation of the vector vocabulary against scalar C, for the ISA that the macro names:
 *   gcc -std=c11 -O2 -ffp-contract=off -Icsrc -DFM_ISA_AVX2 -mavx2 -mfma tests/c/test_simd.c -lm
 * The file includes itself once for each precision.
 */
#ifndef FM_SUFFIX

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "simd/simd.h"

static int passed, failed;

static void check(const char *what, int ok) {
    passed += ok;
    failed += !ok;
    if (!ok) fprintf(stderr, "failed: %s\n", what);
}

#define FM_SUFFIX f32
#include "test_simd.c"
#undef FM_SUFFIX
#define FM_SUFFIX f64
#include "test_simd.c"
#undef FM_SUFFIX

int main(void) {
    test_operations_f32();
    test_operations_f64();
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

#else

#define N_VALUES 24
#define SIGN_BIT ((ireal)((uint64_t)1 << (FM_BITS - 1)))

static const real FN(values)[N_VALUES] = {
    0,          -REAL(0.0), 1,           -1,           REAL(0.5),  -REAL(0.5), REAL(1.5), REAL(2.5),       -REAL(2.5),
    REAL(3.7),  -REAL(3.2), REAL(1e-40), -REAL(1e-40), REAL(1e-3), 12345,      -54321,    REAL(8388607.5), REAL(1e6),
    -REAL(1e6), REAL(3e30), -REAL(3e30), INFINITY,     -INFINITY,  NAN};

static ireal FN(bits)(real x) {
    ireal i;
    memcpy(&i, &x, sizeof i);
    return i;
}
static real FN(from_bits)(ireal i) {
    real x;
    memcpy(&x, &i, sizeof x);
    return x;
}
static int FN(same)(real a, real b) { return (a != a && b != b) || FN(bits)(a) == FN(bits)(b); }
static real FN(lane)(vec v, int l) {
    real r[v_lanes];
    v_store(r, v);
    return r[l];
}
static real FN(lane_i)(vint v, int l) { return FN(lane)(v_as_real(v), l); }

#if FM_BITS == 32
#define FMA fmaf
#define SQRT sqrtf
#define NEAREST nearbyintf
#else
#define FMA fma
#define SQRT sqrt
#define NEAREST nearbyint
#endif

#ifdef FM_ISA_PORTABLE
static real FN(scalar_fma)(real a, real b, real c) {
    const volatile real product = a * b;
    return product + c;
}
#else
static real FN(scalar_fma)(real a, real b, real c) { return FMA(a, b, c); }
#endif

#define SAME(op, expected) check(#op " " #expected, FN(same)(FN(lane)(op, l), expected))
#define SAME_BITS(op, expected) check(#op, FN(same)(FN(lane_i)(op, l), FN(from_bits)((ireal)(expected))))
#define TRUTH(op, expected) check(#op, FN(same)(FN(lane)(v_select(op, v_set1(2), v_set1(3)), l), (expected) ? 2 : 3))

static void FN(test_arithmetic)(vec va, vec vb, real a, real b, int l) {
    SAME(v_add(va, vb), a + b);
    SAME(v_sub(va, vb), a - b);
    SAME(v_mul(va, vb), a * b);
    SAME(v_div(va, vb), a / b);
    SAME(v_fma(va, vb, v_set1(REAL(0.3))), FN(scalar_fma)(a, b, REAL(0.3)));
    SAME(v_fnma(va, vb, v_set1(REAL(0.3))), FN(scalar_fma)(-a, b, REAL(0.3)));
    SAME(v_max(va, vb), a > b ? a : b);
    SAME(v_min(va, vb), a < b ? a : b);
    SAME(v_neg(va), -a);
    SAME(v_abs(va), FN(from_bits)(FN(bits)(a) & ~SIGN_BIT));
    SAME(v_sqrt(va), SQRT(a));
    SAME(v_round(va), NEAREST(a));
}

static void FN(test_masks)(vec va, vec vb, real a, real b, int l) {
    TRUTH(v_lt(va, vb), a < b);
    TRUTH(v_le(va, vb), a <= b);
    TRUTH(v_gt(va, vb), a > b);
    TRUTH(v_ge(va, vb), a >= b);
    TRUTH(v_eq(va, vb), a == b);
    TRUTH(v_isnan(va), a != a);
    TRUTH(vm_and(v_lt(va, vb), v_gt(va, v_zero())), a < b && a > 0);
    TRUTH(vm_or(v_lt(va, vb), v_gt(va, v_zero())), a < b || a > 0);
    TRUTH(vm_not(v_lt(va, vb)), !(a < b));
    TRUTH(vi_gt(v_as_int(va), v_as_int(vb)), FN(bits)(a) > FN(bits)(b));
}

static void FN(test_bits)(vec va, vec vb, real a, real b, int l) {
    const vint ia = v_as_int(va), ib = v_as_int(vb);
    const uint64_t x = (uint64_t)FN(bits)(a), y = (uint64_t)FN(bits)(b);
    const uint64_t unsigned_x = FM_BITS == 32 ? (uint32_t)x : x;
    SAME(v_and(va, vb), FN(from_bits)((ireal)(x & y)));
    SAME(v_or(va, vb), FN(from_bits)((ireal)(x | y)));
    SAME(v_xor(va, vb), FN(from_bits)((ireal)(x ^ y)));
    SAME(v_andnot(va, vb), FN(from_bits)((ireal)(~x & y)));
    SAME_BITS(vi_add(ia, ib), x + y);
    SAME_BITS(vi_sub(ia, ib), x - y);
    SAME_BITS(vi_and(ia, ib), x & y);
    SAME_BITS(vi_or(ia, ib), x | y);
    SAME_BITS(vi_xor(ia, ib), x ^ y);
    SAME_BITS(vi_set1(-7), -7);
    SAME_BITS(vi_shl(ia, 5), x << 5);
    SAME_BITS(vi_shr(ia, 5), unsigned_x >> 5);
    if (NEAREST(a) == a && a < REAL(1e9) && a > -REAL(1e9)) {
        /* volatile: GCC would turn (real)(ireal)-0.0 into -0.0 under -fno-trapping-math */
        const volatile ireal integer = (ireal)a;
        SAME_BITS(v_to_int(va), integer);
        SAME(v_from_int(v_to_int(va)), (real)integer);
    }
}

/* n lanes are read and written, and no memory after them. */
static void FN(test_partial_memory)(void) {
    for (int n = 1; n <= v_lanes; n++) {
        real from[v_lanes], to[v_lanes];
        for (int l = 0; l < v_lanes; l++) from[l] = (real)(l + 1), to[l] = -1;
        v_store_n(to, v_load_n(from, n), n);
        const vec loaded = v_load_n(from, n);
        for (int l = 0; l < v_lanes; l++) {
            SAME(loaded, l < n ? from[l] : 0);
            check("v_store_n", to[l] == (l < n ? from[l] : -1));
        }
    }
}

static void FN(test_reductions)(void) {
    real tree[v_lanes], largest[v_lanes];
    for (int l = 0; l < v_lanes; l++) tree[l] = largest[l] = REAL(1.1) * (real)((l * 7 + 3) % 11);
    const vec v = v_load(tree);
    for (int half = v_lanes / 2; half >= 1; half /= 2)
        for (int l = 0; l < half; l++) {
            tree[l] += tree[l + half];
            largest[l] = largest[l] > largest[l + half] ? largest[l] : largest[l + half];
        }
    check("v_sum", v_sum(v) == tree[0]);
    check("v_hmax", v_hmax(v) == largest[0]);
}

static void FN(test_transpose)(void) {
    vec square[v_lanes];
    for (int i = 0; i < v_lanes; i++) {
        real row[v_lanes];
        for (int j = 0; j < v_lanes; j++) row[j] = (real)(i * v_lanes + j);
        square[i] = v_load(row);
    }
    v_transpose(square);
    for (int i = 0; i < v_lanes; i++)
        for (int l = 0; l < v_lanes; l++) SAME(square[i], (real)(l * v_lanes + i));
}

#if FM_BITS == 32 && defined(FM_HAS_BF16_DOT)
/* A denormal number becomes a zero of its sign. */
static float flushed(float x) { return fabsf(x) < 0x1p-126f ? copysignf(0.0f, x) : x; }

static uint32_t bfloat16(float x) {
    const uint32_t bits = (uint32_t)bits_f32(flushed(x));
    return x != x ? (bits | 0x00400000u) >> 16 : (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
}

static float wide(uint32_t half) { return from_bits_f32((int32_t)(half << 16)); }

static void test_bfloat16(vec va, vec vb, const float *a, const float *b) {
    const vec pair = v_bf16_pair(va, vb), other = v_bf16_pair(vb, va);
    const vec sum = v_bf16_dot(pair, other, va), words = v_bf16_words(va, vb);
    for (int l = 0; l < v_lanes; l++) {
        const uint32_t first = bfloat16(a[l]), second = bfloat16(b[l]);
        const float *of_word = 2 * l < v_lanes ? a + 2 * l : b + 2 * l - v_lanes;
        if (a[l] == a[l] && b[l] == b[l]) SAME(pair, from_bits_f32((int32_t)(first << 16 | second)));
        if (of_word[0] == of_word[0] && of_word[1] == of_word[1])
            SAME(words, from_bits_f32((int32_t)(bfloat16(of_word[0]) << 16 | bfloat16(of_word[1]))));
        const float half = flushed(fmaf(wide(first), wide(second), flushed(a[l])));
        SAME(sum, flushed(fmaf(wide(second), wide(first), half)));
    }
}
#endif

#if FM_BITS == 32
static int32_t byte_sum(int32_t a, int32_t b, int32_t c) {
    uint32_t sum = (uint32_t)c;
    for (int i = 0; i < 32; i += 8)
        sum += (uint32_t)((int32_t)((uint32_t)a >> i & 255u) * (int8_t)((uint32_t)b >> i & 255u));
    return (int32_t)sum;
}

/* Extreme bytes, whose products of pairs leave 16 bits, and all others. */
static void test_bytes(void) {
    for (uint32_t i = 0; i < 4096; i++) {
        float a[v_lanes], b[v_lanes], c[v_lanes];
        uint8_t lowest[v_lanes];
        for (int l = 0; l < v_lanes; l++) {
            const uint32_t draw = (i * 32u + (uint32_t)l) * 2654435761u;
            a[l] = from_bits_f32((int32_t)(i % 4 == 0 ? 0xFFFFFFFFu : draw));
            b[l] = from_bits_f32((int32_t)(i % 3 == 0 ? 0x80808080u : i % 3 == 1 ? 0x7F7F7F7Fu : draw * 40503u));
            c[l] = from_bits_f32((int32_t)(draw ^ 0x55555555u));
        }
        vint sum = v_as_int(v_load(c));
        for (int step = 0; step < v_byte_parts; step++)
            sum = v_dot_bytes(v_unsigned_bytes(v_as_int(v_load(a)), step), v_signed_bytes(v_as_int(v_load(b)), step),
                              sum);
        v_store_bytes(lowest, sum);
        for (int l = 0; l < v_lanes; l++) {
            const int32_t expected = byte_sum(bits_f32(a[l]), bits_f32(b[l]), bits_f32(c[l]));
            check("v_dot_bytes", bits_f32(lane_f32(v_as_real(sum), l)) == expected);
            check("v_store_bytes", lowest[l] == (uint8_t)expected);
        }
    }
}
#endif

/* Adjacent lanes have different values, so that exchanged lanes are noticed. */
static void FN(test_operations)(void) {
    for (int i = 0; i < N_VALUES; i++)
        for (int j = 0; j < N_VALUES; j++) {
            real a[v_lanes], b[v_lanes];
            for (int l = 0; l < v_lanes; l++) {
                a[l] = FN(values)[(i + l) % N_VALUES];
                b[l] = FN(values)[(j + 3 * l) % N_VALUES];
            }
            const vec va = v_load(a), vb = v_load(b);
            int any = 0;
            for (int l = 0; l < v_lanes; l++) {
                FN(test_arithmetic)(va, vb, a[l], b[l], l);
                FN(test_masks)(va, vb, a[l], b[l], l);
                FN(test_bits)(va, vb, a[l], b[l], l);
                any |= a[l] < b[l];
            }
            check("vm_any", vm_any(v_lt(va, vb)) == any);
#if FM_BITS == 32 && defined(FM_HAS_BF16_DOT)
            test_bfloat16(va, vb, a, b);
#endif
        }
#if FM_BITS == 32
    test_bytes();
#endif
    FN(test_partial_memory)();
    FN(test_reductions)();
    FN(test_transpose)();
}

#undef FMA
#undef SQRT
#undef NEAREST
#undef N_VALUES
#undef SIGN_BIT
#undef SAME
#undef SAME_BITS
#undef TRUTH

#endif
