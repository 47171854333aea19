/* Accuracy, bits and speed of csrc/kernels/math.inc and activations.inc on one ISA:
 *   gcc -std=c11 -O2 -ffp-contract=off -fno-math-errno -fopenmp -Icsrc
 *       -DFM_ISA_AVX2 -mavx2 -mfma tests/c/test_math.c -lm
 *   ./a.out [stride [name]]
 *
 * float32 inputs are every `stride`-th of the 2^32 (default 4099; 1 is exhaustive), float64 inputs
 * are pseudo-random. Each line: function, largest error in ULP and where, time per element, and a
 * hash of all results, which is the same on every ISA with FMA. Fails beyond a function's bound.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>
#include <time.h>

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
enum { BLOCK = 4096 };

/* References in double (for float32) and long double; <tgmath.h> picks the function by type. */
#define REFERENCE(name, expr)                              \
    static double name##_narrow(double x) { return expr; } \
    static wide name##_wide(wide x) { return expr; }

/* P(normal > x) and the density, with sqrt(1/2) and x^2 in two parts. */
#define REFERENCE_TAIL(T, suffix, root_low)                                                    \
    static T upper_tail_##suffix(T x) {                                                        \
        const T root = sqrt((T)0.5), y = x * root;                                             \
        const T rest = fma(x, root, -y) + x * (T)(root_low);                                   \
        if (x > 60) return 0;                                                                  \
        return y > 1 ? erfc(y) * exp(-2 * y * rest) / 2 : erfc(y) / 2;                         \
    }                                                                                          \
    static T density_##suffix(T x) {                                                           \
        if (fabs(x) > 60) return 0;                                                            \
        const T square = x * x, rest = fma(x, x, -square);                                     \
        return exp(-square / 2) * (1 - rest / 2) / sqrt((T)6.283185307179586476925286766559L); \
    }
#define ROOT_LOW (LDBL_MANT_DIG == 64 ? 0x1.65f626cdd52bp-66 : 0) /* sqrt(1/2) - its rounding */
REFERENCE_TAIL(double, narrow, -0x1.bdd3413b26456p-55)
REFERENCE_TAIL(wide, wide, ROOT_LOW)

REFERENCE(exp, exp(x))
REFERENCE(expm1, expm1(x))
REFERENCE(log, log(x))
REFERENCE(log1p, log1p(x))
REFERENCE(tanh, tanh(x))
REFERENCE(sigmoid, 1 / (1 + exp(-x)))
REFERENCE(erf, erf(x))
REFERENCE(softplus, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))
REFERENCE(pow_3, pow(fabs(x), 3))
REFERENCE(pow_1_5, pow(fabs(x), 1.5L))
REFERENCE(relu, x < 0 ? 0 : x)
REFERENCE(elu, x > 0 ? x : expm1(x))
REFERENCE(elu_slope, x > 0 ? 1 : exp(x))
REFERENCE(selu, (x > 0 ? x : expm1(x) * 1.67326324235437728481704L) * 1.05070098735548049341933L)
REFERENCE(silu, isinf(x) ? (x > 0 ? x : 0) : x / (1 + exp(-x)))
REFERENCE(silu_slope, isinf(x) ? x > 0 : (1 + x / (1 + exp(x))) / (1 + exp(-x)))
REFERENCE(softplus_slope, -expm1(-x))

#define REFERENCE_COMPOSED(T, suffix)                                                                          \
    static T cdf_##suffix(T x) { return x > 0 ? 1 - upper_tail_##suffix(x) : upper_tail_##suffix(-x); }        \
    static T gelu_##suffix(T x) { return isinf(x) ? (x > 0 ? x : 0) : x * cdf_##suffix(x); }                   \
    static T gelu_slope_##suffix(T x) { return isinf(x) ? x > 0 : cdf_##suffix(x) + x * density_##suffix(x); } \
    static T gelu_tanh_##suffix(T x) {                                                                         \
        const T a = 2 * sqrt((T)0.636619772367581343075535053490057L);                                         \
        const T v = a * (x + 0.044715L * x * x * x);                                                           \
        return fabs(x) > 50 ? (x > 0 ? x : 0) : x / (1 + exp(-v));                                             \
    }                                                                                                          \
    static T gelu_tanh_slope_##suffix(T x) {                                                                   \
        const T a = 2 * sqrt((T)0.636619772367581343075535053490057L), b = a * 0.044715L;                      \
        const T v = x * (a + b * x * x);                                                                       \
        if (fabs(x) > 50) return x > 0;                                                                        \
        return (1 + x * (a + 3 * b * x * x) / (1 + exp(v))) / (1 + exp(-v));                                   \
    }                                                                                                          \
    static T mish_##suffix(T x) {                                                                              \
        const T e = exp(x);                                                                                    \
        return isinf(x) ? (x > 0 ? x : 0) : x > 300 ? x : x * (e * (e + 2) / (e * (e + 2) + 2));               \
    }                                                                                                          \
    static T mish_slope_##suffix(T x) {                                                                        \
        const T e = exp(x), d = e * (e + 2) + 2;                                                               \
        if (x > 300 || isinf(x)) return x > 0;                                                                 \
        return e * (e + 2) / d + 4 * x * e * (1 + e) / d / d;                                                  \
    }
REFERENCE_COMPOSED(double, narrow)
REFERENCE_COMPOSED(wide, wide)

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

/* X(kind, name, function, reference, bound32, bound64); bounds in ULP. */
#define FOR_FUNCTIONS(X)                                                       \
    X(FUNCTION, exp, m_exp, exp, 1.0, 1.5)                                     \
    X(FUNCTION, expm1, m_expm1, expm1, 1.0, 1.5)                               \
    X(FUNCTION, log, m_log, log, 1.0, 1.5)                                     \
    X(FUNCTION, log1p, m_log1p, log1p, 1.0, 1.5)                               \
    X(FUNCTION, tanh, m_tanh, tanh, 1.0, 1.5)                                  \
    X(FUNCTION, sigmoid, m_sigmoid, sigmoid, 1.0, 1.5)                         \
    X(FUNCTION, softplus, m_softplus, softplus, 1.0, 1.5)                      \
    X(FUNCTION, erf, m_erf, erf, 1.0, 1.5)                                     \
    X(FUNCTION, normal_cdf, m_normal_cdf, cdf, 2.0, 2.75)                      \
    X(FUNCTION, pow_1_5, pow_1_5, pow_1_5, 3.0, 3.0)                           \
    X(FUNCTION, pow_3, pow_3, pow_3, 3.0, 3.0)                                 \
    X(ACTIVATION, relu, act_relu, relu, 0, 0)                                  \
    X(ACTIVATION, elu, act_elu, elu, 1.0, 1.5)                                 \
    X(ACTIVATION, elu_slope, slope_elu, elu_slope, 1.0, 1.5)                   \
    X(ACTIVATION, selu, act_selu, selu, 2.0, 2.0)                              \
    X(ACTIVATION, gelu, act_gelu, gelu, 2.0, 2.75)                             \
    X(ACTIVATION, gelu_slope, slope_gelu, gelu_slope, 4.0, 4.0)                \
    X(ACTIVATION, gelu_tanh, act_gelu_tanh, gelu_tanh, 2.0, 2.0)               \
    X(ACTIVATION, gelu_tanh_slope, slope_gelu_tanh, gelu_tanh_slope, 5.0, 5.0) \
    X(ACTIVATION, silu, act_silu, silu, 2.0, 2.0)                              \
    X(ACTIVATION, silu_slope, slope_silu, silu_slope, 4.0, 4.0)                \
    X(ACTIVATION, mish, act_mish, mish, 2.0, 2.25)                             \
    X(ACTIVATION, mish_slope, slope_mish, mish_slope, 6.0, 6.0)                \
    X(ACTIVATION, softplus_slope, slope_softplus, softplus_slope, 1.5, 1.5)

static vec_f32 pow_1_5_f32(vec_f32 z) { return m_pow_f32(v_abs_f32(z), v_set1_f32(1.5f)); }
static vec_f64 pow_1_5_f64(vec_f64 z) { return m_pow_f64(v_abs_f64(z), v_set1_f64(1.5)); }
static vec_f32 pow_3_f32(vec_f32 z) { return m_pow_f32(v_abs_f32(z), v_set1_f32(3)); }
static vec_f64 pow_3_f64(vec_f64 z) { return m_pow_f64(v_abs_f64(z), v_set1_f64(3)); }

#define DEFINE(kind, name, f, reference, bound32, bound64) kind(name, f)
FOR_FUNCTIONS(DEFINE)

typedef struct {
    const char *name;
    void (*f32)(const float *, float *);
    void (*f64)(const double *, double *);
    double (*narrow)(double);
    wide (*wide)(wide);
    double bound32, bound64;
} subject;

#define ROW(kind, name, f, reference, bound32, bound64) \
    {#name, kernel_##name##_f32, kernel_##name##_f64, reference##_narrow, reference##_wide, bound32, bound64},
static const subject subjects[] = {FOR_FUNCTIONS(ROW)};
enum { N_SUBJECTS = sizeof subjects / sizeof subjects[0] };

typedef struct {
    double ulp, input;
    uint64_t hash;
} result;

typedef struct {
    int digits, lowest, highest; /* exponents as frexp gives them */
} format;
static const format float32 = {24, -125, 128}, float64 = {53, -1021, 1024};

/* |got - expected| in units of the last digit of expected. A local gradient is judged by 1/8 near
 * its zero crossing. The format's range ends in infinity; odd functions keep the sign of 0. */
static double error_in_ulp(const subject *s, wide got, wide expected, wide x, format f) {
    int exponent;
    const wide largest = ldexp((wide)1, f.highest) * (1 - ldexp((wide)1, -f.digits));
    wide scale = fabs(expected);
    if (isnan(expected) || isnan(got)) return isnan(expected) && isnan(got) ? 0 : INFINITY;
    const int odd = x == 0 && expected == 0 && strstr("expm1 log1p tanh erf", s->name);
    if (odd && signbit(got) != signbit(x)) return INFINITY;
    if (isinf(got)) return got * expected > 0 && scale > largest ? 0 : INFINITY;
    if (isinf(expected)) return INFINITY;
    if (strstr(s->name, "slope") && x > -3 && x < 0) scale = fmax(scale, 0.125L);
    frexp(scale, &exponent);
    if (scale == 0 || exponent < f.lowest) exponent = f.lowest;
    return (double)(fabs(got - expected) / ldexp((wide)1, exponent - f.digits));
}

/* These replace the first inputs. */
static const double special[] = {0.0,
                                 -0.0,
                                 INFINITY,
                                 -INFINITY,
                                 NAN,
                                 1.0,
                                 -1.0,
                                 0x1p-1074,
                                 -0x1p-149,
                                 0x1p-126,
                                 0x1.fffffep127,
                                 -0x1.fffffep127,
                                 0x1.fffffffffffffp1023};
enum { N_SPECIAL = sizeof special / sizeof special[0] };

static void merge(result *r, double ulp, double x, uint64_t bits, uint64_t index) {
    if (ulp > r->ulp) r->ulp = ulp, r->input = x;
    r->hash += (bits + 0x9e3779b97f4a7c15u * (index + 1)) * 0xff51afd7ed558ccdu; /* any order */
}

static void test_block_f32(const subject *s, uint64_t first, uint64_t stride, result *r) {
    float x[BLOCK], y[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        const uint32_t bits = (uint32_t)(first + (uint64_t)i * stride);
        memcpy(x + i, &bits, sizeof bits);
    }
    if (first == 0)
        for (int i = 0; i < N_SPECIAL; i++) x[i] = (float)special[i];
    s->f32(x, y);
    for (int i = 0; i < BLOCK; i++) {
        uint32_t bits = 0;
        if (y[i] == y[i]) memcpy(&bits, y + i, sizeof bits);
        const double ulp = error_in_ulp(s, y[i], s->narrow(x[i]), x[i], float32);
        merge(r, ulp, x[i], bits, first + (uint64_t)i);
    }
}

/* Bits at random; uniform in [-50, 50], where the curves are; around 0 on a logarithmic scale. */
static double random_input(uint64_t k) {
    double x;
    uint64_t h = (k + 1) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    h ^= h >> 31;
    if (k % 4 == 0) return memcpy(&x, &h, sizeof x), x;
    x = (double)(int64_t)h * 0x1p-63;
    return k % 4 == 1 ? 50 * x : k % 4 == 2 ? 5 * x : ldexp(x, 10 - (int)(k / 4 % 40));
}

static void test_block_f64(const subject *s, uint64_t first, result *r) {
    double x[BLOCK], y[BLOCK];
    for (int i = 0; i < BLOCK; i++) x[i] = random_input(first + (uint64_t)i);
    for (int i = 0; i < N_SPECIAL; i++) x[i] = special[i];
    s->f64(x, y);
    for (int i = 0; i < BLOCK; i++) {
        uint64_t bits = 0;
        if (y[i] == y[i]) memcpy(&bits, y + i, sizeof bits);
        const double ulp = error_in_ulp(s, y[i], s->wide(x[i]), x[i], float64);
        merge(r, ulp, x[i], bits, first + (uint64_t)i);
    }
}

static result test_accuracy(const subject *s, int bits, uint64_t stride) {
    result total = {0, 0, 0};
    const uint64_t blocks = bits == 32 ? (((uint64_t)1 << 32) / stride + BLOCK - 1) / BLOCK : 64;
#pragma omp parallel
    {
        result r = {0, 0, 0};
#pragma omp for schedule(dynamic)
        for (uint64_t b = 0; b < blocks; b++)
            if (bits == 32) test_block_f32(s, b * BLOCK * stride, stride, &r);
            else test_block_f64(s, b * BLOCK, &r);
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

/* Nanoseconds per element over arrays that fit in the first cache; the best of several runs. */
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

static int test_subject(const subject *s, int bits, uint64_t stride) {
    const result r = test_accuracy(s, bits, stride);
#ifdef FM_ISA_PORTABLE
    const double allowance = 3.0; /* no FMA */
#else
    const double allowance = 0;
#endif
    const int failed = r.ulp > (bits == 32 ? s->bound32 : s->bound64) + allowance;
    printf("%-16s f%d  %8.3f ULP at %-24.17g %7.3f ns  %016llx%s\n", s->name, bits, r.ulp, r.input,
           time_per_element(s, bits), (unsigned long long)r.hash, failed ? "  FAILED" : "");
    return failed;
}

int main(int argc, char **argv) {
    const uint64_t stride = argc > 1 ? strtoull(argv[1], NULL, 0) : 4099;
    int failed = 0;
    for (int i = 0; i < N_SUBJECTS; i++) {
        if (argc > 2 && strcmp(argv[2], subjects[i].name) != 0) continue;
        failed += test_subject(subjects + i, 32, stride);
        failed += test_subject(subjects + i, 64, stride);
    }
    printf("%d failed\n", failed);
    return failed != 0;
}
