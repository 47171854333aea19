/* Accuracy, bits and speed of csrc/kernels/math.inc and activations.inc on one ISA:
 *   test_math [-s stride] [-n points] [-c checks] [-b] [function ...]
 *
 * Inputs of a function: in float32 every `stride`-th of the 2^32 (default 4099; 1 is exhaustive), in float64 `points`
 * numbers (default 2^18) at random, dense where something happens; unless exhaustive, float32 takes those too.
 *
 * The error of a result is |result - exact| in units in the last place (ULP) of the exact value y: an ULP of y with
 * 2^e <= |y| < 2^(e+1) is 2^(e-23) in float32, 2^(e-52) in float64, and never less than the smallest denormal. So a
 * correctly rounded result is off by at most 0.5, and no tie needs deciding. Infinity counts as the power of two where
 * the format ends. The exact value comes from oracle.inc, computed in double (float32) or long double (float64), and in
 * a wider type where needs_more says so; `-c` prints some of those values, and the one behind the largest error, for
 * contract/functions.py to compare with MPFR.
 *
 * Each line: function, largest error and where, time per element, and a hash of all results, which is the same on every
 * ISA with FMA. -b leaves errors and times out: bits only. Fails beyond a function's bound.
 */
#define _GNU_SOURCE /* the functions of 128-bit numbers */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "random_input.h"
#include "simd/simd.h"

#define FM_SUFFIX f32
#include "kernels/math.inc"
#include "kernels/activations.inc"
#undef FM_SUFFIX
#define FM_SUFFIX f64
#include "kernels/math.inc"
#include "kernels/activations.inc"
#undef FM_SUFFIX

typedef long double wide;
#if LDBL_MANT_DIG == 113
typedef long double quad;
#define QUAD_MATH(name) name##l
#define LITERAL(x) x##L
#else
typedef __float128 quad;
#define QUAD_MATH(name) name##f128
#define LITERAL(x) x##Q
#ifdef __clang__ /* glibc has these functions, and declares them for gcc only */
quad sinf128(quad), cosf128(quad), expf128(quad), expm1f128(quad), logf128(quad), log1pf128(quad), tanhf128(quad),
    erff128(quad), erfcf128(quad);
quad powf128(quad, quad), fabsf128(quad), sqrtf128(quad), fmaf128(quad, quad, quad);
#endif
#endif
enum { BLOCK = 4096 };

#define T double
#define OF(name) name##_narrow
#define MATH(name) name
#include "oracle.inc"
#undef T
#undef OF
#undef MATH
#define T wide
#define OF(name) name##_wide
#define MATH(name) name##l
#include "oracle.inc"
#undef T
#undef OF
#undef MATH
#define T quad
#define OF(name) name##_quad
#define MATH(name) QUAD_MATH(name)
#include "oracle.inc"
#undef T
#undef OF
#undef MATH

/* Kernels over arrays of BLOCK elements; z is the vector, p the parameters. */
#define KERNEL_FOR(s, name, expr)                            \
    static void name##_##s(const real_##s *x, real_##s *y) { \
        const real_##s p[1] = {1};                           \
        (void)p;                                             \
        for (int i = 0; i < BLOCK; i += v_lanes_##s) {       \
            const vec_##s z = v_load_##s(x + i);             \
            v_store_##s(y + i, expr);                        \
        }                                                    \
    }

#define FUNCTION(name, f)                      \
    KERNEL_FOR(f32, kernel_##name, f##_f32(z)) \
    KERNEL_FOR(f64, kernel_##name, f##_f64(z))
#define ACTIVATION(name, f)                       \
    KERNEL_FOR(f32, kernel_##name, f##_f32(z, p)) \
    KERNEL_FOR(f64, kernel_##name, f##_f64(z, p))

/* X(kind, name, function, exact value, bound32, bound64, zero of the derivative or NAN); bounds in ULP. */
#define FOR_FUNCTIONS(X)                                                                            \
    X(FUNCTION, exp, m_exp, exp, 1.0, 1.5, NAN)                                                     \
    X(FUNCTION, expm1, m_expm1, expm1, 1.0, 1.5, NAN)                                               \
    X(FUNCTION, log, m_log, log, 1.0, 1.5, NAN)                                                     \
    X(FUNCTION, log1p, m_log1p, log1p, 1.0, 1.5, NAN)                                               \
    X(FUNCTION, tanh, m_tanh, tanh, 1.0, 1.5, NAN)                                                  \
    X(FUNCTION, sigmoid, m_sigmoid, sigmoid, 1.0, 1.5, NAN)                                         \
    X(FUNCTION, softplus, m_softplus, softplus, 1.0, 1.5, NAN)                                      \
    X(FUNCTION, log1p_exp, log1p_exp, log1p_exp, 2.0, 2.0, NAN)                                     \
    X(FUNCTION, erf, m_erf, erf, 1.0, 1.5, NAN)                                                     \
    X(FUNCTION, sin, m_sin, sin, 1.0, 1.0, NAN)                                                     \
    X(FUNCTION, cos, m_cos, cos, 1.0, 1.0, NAN)                                                     \
    X(FUNCTION, pow_1_5, pow_1_5, pow_1_5, 1.5, 1.5, NAN)                                           \
    X(FUNCTION, pow_3, pow_3, pow_3, 1.5, 1.5, NAN)                                                 \
    X(ACTIVATION, relu, act_relu, relu, 0, 0, NAN)                                                  \
    X(ACTIVATION, elu, act_elu, elu, 1.0, 1.5, NAN)                                                 \
    X(ACTIVATION, elu_slope, slope_elu, elu_slope, 1.0, 1.5, NAN)                                   \
    X(ACTIVATION, selu, act_selu, selu, 2.0, 2.0, NAN)                                              \
    X(ACTIVATION, selu_slope, slope_selu, selu_slope, 2.0, 2.0, NAN)                                \
    X(ACTIVATION, gelu, act_gelu, gelu, 2.0, 1.5, NAN)                                              \
    X(ACTIVATION, gelu_slope, slope_gelu, gelu_slope, 2.0, 1.5, -0.7517915246935645)                \
    X(ACTIVATION, gelu_tanh, act_gelu_tanh, gelu_tanh, 2.0, 1.5, NAN)                               \
    X(ACTIVATION, gelu_tanh_slope, slope_gelu_tanh, gelu_tanh_slope, 2.0, 1.5, -0.7524614220710163) \
    X(ACTIVATION, silu, act_silu, silu, 2.0, 1.5, NAN)                                              \
    X(ACTIVATION, silu_slope, slope_silu, silu_slope, 2.0, 1.5, -1.2784645427610738)                \
    X(ACTIVATION, mish, act_mish, mish, 2.0, 1.5, NAN)                                              \
    X(ACTIVATION, mish_slope, slope_mish, mish_slope, 2.0, 1.5, -1.1924312145154395)                \
    X(ACTIVATION, sigmoid_slope, slope_sigmoid, sigmoid_slope, 2.0, 1.5, NAN)                       \
    X(ACTIVATION, tanh_slope, slope_tanh, tanh_slope, 2.0, 1.5, NAN)                                \
    X(ACTIVATION, softplus_slope, slope_softplus, sigmoid, 2.0, 1.5, NAN)

/* In the form that the logistic loss uses. */
static vec_f32 log1p_exp_f32(vec_f32 z) { return m_log1p_f32(m_exp_f32(v_neg_f32(v_abs_f32(z)))); }
static vec_f64 log1p_exp_f64(vec_f64 z) { return m_log1p_f64(m_exp_f64(v_neg_f64(v_abs_f64(z)))); }
static vec_f32 pow_1_5_f32(vec_f32 z) { return m_pow_f32(v_abs_f32(z), v_set1_f32(1.5f)); }
static vec_f64 pow_1_5_f64(vec_f64 z) { return m_pow_f64(v_abs_f64(z), v_set1_f64(1.5)); }
static vec_f32 pow_3_f32(vec_f32 z) { return m_pow_f32(v_abs_f32(z), v_set1_f32(3)); }
static vec_f64 pow_3_f64(vec_f64 z) { return m_pow_f64(v_abs_f64(z), v_set1_f64(3)); }

#define DEFINE(kind, name, f, exact, bound32, bound64, zero) kind(name, f)
FOR_FUNCTIONS(DEFINE)

typedef struct {
    const char *name;
    void (*f32)(const float *, float *);
    void (*f64)(const double *, double *);
    double (*narrow)(double);
    wide (*wide)(wide);
    quad (*quad)(quad);
    double bound32, bound64, zero;
} subject;

#define ROW(kind, name, f, exact, bound32, bound64, zero)                                                           \
    {#name, kernel_##name##_f32, kernel_##name##_f64, exact##_narrow, exact##_wide, exact##_quad, bound32, bound64, \
     zero},
static const subject subjects[] = {FOR_FUNCTIONS(ROW)};
enum { N_SUBJECTS = sizeof subjects / sizeof subjects[0] };

typedef struct {
    uint64_t stride, points, checks;
    int bits_only;
} options;

typedef struct {
    double ulp, input;
    uint64_t hash;
} result;

/* ---- the exact value and the error ---- */

/* Whether the formula in double (float32) or long double (float64) may be wrong by more than 1/10,000 or 1/50 ULP. */
static int needs_more(const subject *s, double x, int bits) {
    if (fabs(x - s->zero) < (bits == 32 ? 0x1p-6 : 0.5)) return 1;
    return bits == 64 && x < -1 && x > -50 && strncmp(s->name, "gelu_tanh", 9) == 0;
}

static double exact_f32(const subject *s, float x) { return needs_more(s, x, 32) ? (double)s->wide(x) : s->narrow(x); }
static wide exact_f64(const subject *s, double x) { return needs_more(s, x, 64) ? (wide)s->quad(x) : s->wide(x); }

/* 2^e, made from its bits. */
static double power_of_two(int e) {
    double power;
    const uint64_t bits = (uint64_t)(e + 1023) << 52;
    return memcpy(&power, &bits, sizeof power), power;
}

static double clipped_f32(double x) { return fmin(fmax(x, -0x1p128), 0x1p128); }
static wide clipped_f64(wide x) { return fminl(fmaxl(x, -0x1p1024L), 0x1p1024L); }

/* The value whose ULP is the unit of the error. Without FMA, local gradients lose precision near their zeros; there
   it is 1/8. */
static wide judged_by(const subject *s, wide exact) {
#ifdef FM_ISA_PORTABLE
    if (!isnan(s->zero)) return fmaxl(fabsl(exact), 0.125L);
#endif
    (void)s;
    return exact;
}

static double error_f32(const subject *s, float got, double exact) {
    uint64_t bits;
    if (isnan(exact) || isnan(got)) return isnan(exact) && isnan(got) ? 0 : INFINITY;
    exact = clipped_f32(exact);
    const double size = (double)judged_by(s, exact);
    memcpy(&bits, &size, sizeof bits);
    int e = (int)(bits >> 52 & 0x7ff) - 1023;
    e = e < -126 ? -126 : e > 127 ? 127 : e;
    return fabs(clipped_f32(got) - exact) * power_of_two(23 - e);
}

static double error_f64(const subject *s, double got, wide exact) {
    int e;
    if (isnan(exact) || isnan(got)) return isnan(exact) && isnan(got) ? 0 : INFINITY;
    exact = clipped_f64(exact);
    frexpl(judged_by(s, exact), &e);
    e = exact == 0 || e - 1 < -1022 ? -1022 : e - 1 > 1023 ? 1023 : e - 1;
    return (double)(ldexpl(fabsl(clipped_f64(got) - exact), 52 - e));
}

/* Odd functions keep the sign of 0. */
static int wrong_sign(const subject *s, double got, double x) {
    return x == 0 && got == 0 && strstr("expm1 log1p tanh erf sin", s->name) != NULL && signbit(got) != signbit(x);
}

/* ---- blocks of inputs ---- */

static void merge(result *r, double ulp, double x, uint64_t bits, uint64_t index) {
    if (ulp > r->ulp) r->ulp = ulp, r->input = x;
    r->hash += (bits + 0x9e3779b97f4a7c15u * (index + 1)) * 0xff51afd7ed558ccdu; /* any order of blocks */
}

/* The inputs of a block have the numbers first .. first + BLOCK; from 2^32 on they are those of random_input. */
static const uint64_t first_random = (uint64_t)1 << 32;

static void test_block_f32(const subject *s, uint64_t first, uint64_t stride, int bits_only, result *r) {
    float x[BLOCK], y[BLOCK];
    for (uint64_t i = 0; i < BLOCK; i++) {
        const uint32_t bits = (uint32_t)(first + i * stride);
        if (first >= first_random) x[i] = (float)random_input(first - first_random + i);
        else memcpy(x + i, &bits, sizeof bits);
    }
    s->f32(x, y);
    for (uint64_t i = 0; i < BLOCK; i++) {
        uint32_t bits = 0;
        double ulp = 0;
        if (y[i] == y[i]) memcpy(&bits, y + i, sizeof bits);
        if (!bits_only) ulp = wrong_sign(s, y[i], x[i]) ? INFINITY : error_f32(s, y[i], exact_f32(s, x[i]));
        merge(r, ulp, x[i], bits, first + i);
    }
}

static void test_block_f64(const subject *s, uint64_t first, int bits_only, result *r) {
    double x[BLOCK], y[BLOCK];
    for (uint64_t i = 0; i < BLOCK; i++) x[i] = random_input(first + i);
    s->f64(x, y);
    for (uint64_t i = 0; i < BLOCK; i++) {
        uint64_t bits = 0;
        double ulp = 0;
        if (y[i] == y[i]) memcpy(&bits, y + i, sizeof bits);
        if (!bits_only) ulp = wrong_sign(s, y[i], x[i]) ? INFINITY : error_f64(s, y[i], exact_f64(s, x[i]));
        merge(r, ulp, x[i], bits, first + i);
    }
}

static uint64_t blocks_of(uint64_t n) { return (n + BLOCK - 1) / BLOCK; }

static result test_accuracy(const subject *s, int bits, const options *o) {
    result total = {0, 0, 0};
    const uint64_t grid = bits == 32 ? blocks_of(first_random / o->stride) : 0;
    const uint64_t random = bits == 32 && o->stride == 1 ? 1 : blocks_of(o->points);
#pragma omp parallel
    {
        result r = {0, 0, 0};
#pragma omp for schedule(dynamic)
        for (uint64_t b = 0; b < grid + random; b++)
            if (bits == 64) test_block_f64(s, b * BLOCK, o->bits_only, &r);
            else if (b < grid) test_block_f32(s, b * BLOCK * o->stride, o->stride, o->bits_only, &r);
            else test_block_f32(s, first_random + (b - grid) * BLOCK, 1, o->bits_only, &r);
#pragma omp critical
        {
            if (r.ulp > total.ulp) total.ulp = r.ulp, total.input = r.input;
            total.hash += r.hash;
        }
    }
    return total;
}

static double seconds(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Nanoseconds for each element over arrays that fit the first-level cache; the best of several runs. */
static double time_per_element(const subject *s, int bits) {
    static union {
        float f32[BLOCK];
        double f64[BLOCK];
    } x, y;
    double best = INFINITY;
    for (int i = 0; i < BLOCK; i++)
        if (bits == 32) x.f32[i] = (float)(i - BLOCK / 2) * 0.003f;
        else x.f64[i] = (i - BLOCK / 2) * 0.003;
    for (int repeat = 0; repeat < 8; repeat++) {
        const double start = seconds();
        for (int i = 0; i < 20; i++) bits == 32 ? s->f32(x.f32, y.f32) : s->f64(x.f64, y.f64);
        best = fmin(best, seconds() - start);
    }
    return best * 1e9 / (20.0 * BLOCK);
}

static void print_exact(const subject *s, int bits, double x) {
    const wide exact = bits == 32 ? exact_f32(s, (float)x) : exact_f64(s, x);
    printf("  exact %s f%d %a %La\n", s->name, bits, bits == 32 ? (float)x : x, exact);
}

static int test_subject(const subject *s, int bits, const options *o) {
    const result r = test_accuracy(s, bits, o);
#ifdef FM_ISA_PORTABLE
    const double allowance = isnan(s->zero) ? 3.0 : 3.5; /* no FMA */
#else
    const double allowance = 0;
#endif
    const int failed = r.ulp > (bits == 32 ? s->bound32 : s->bound64) + allowance;
    printf("%-16s f%d", s->name, bits);
    if (!o->bits_only) printf("  %10.5f ULP at %-24.17g %7.3f ns", r.ulp, r.input, time_per_element(s, bits));
    printf("  %016llx%s\n", (unsigned long long)r.hash, failed ? "  FAILED" : "");
    if (o->checks > 0) print_exact(s, bits, r.input);
    for (uint64_t k = 0; k < o->checks; k++) print_exact(s, bits, random_input(mixed(k)));
    fflush(stdout);
    return failed;
}

static int named(const char *name, char **names) {
    if (*names == NULL) return 1;
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0) return 1;
    return 0;
}

int main(int argc, char **argv) {
    options o = {.stride = 4099, .points = (uint64_t)1 << 18};
    for (int c; (c = getopt(argc, argv, "s:n:c:b")) != -1;) switch (c) {
            case 's': o.stride = strtoull(optarg, NULL, 0); break;
            case 'n': o.points = strtoull(optarg, NULL, 0); break;
            case 'c': o.checks = strtoull(optarg, NULL, 0); break;
            case 'b': o.bits_only = 1; break;
            default: return 2;
        }
    int failed = 0, tested = 0;
    for (int i = 0; i < N_SUBJECTS; i++) {
        if (!named(subjects[i].name, argv + optind)) continue;
        tested++;
        failed += test_subject(subjects + i, 32, &o);
        failed += test_subject(subjects + i, 64, &o);
    }
    printf("%d failed\n", failed);
    return tested == 0 ? 2 : failed != 0;
}
