#include "base/rng.h"

#include "base/arithmetic.h"
#include "base/plain_math.h"

typedef void (*use_words)(const uint32_t *words, int64_t first, int64_t count, void *context);

/* One element. A group of 64 takes as long as about eight of them. */
static uint32_t word_at(const fm_rng *rng, uint64_t element) {
    const uint64_t block = element / FM_RNG_GROUP * 16 + element % 16;
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), rng->step, rng->stream};
    uint32_t k0 = rng->key[0], k1 = rng->key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
        const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[1] = (uint32_t)p1;
        c[3] = (uint32_t)p0;
        c[0] = n0;
        c[2] = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c[element % FM_RNG_GROUP / 16];
}

/* The words of elements from .. from + n; `first` of a call counts from `from`. */
static void for_each_piece(const fm_rng *rng, uint64_t from, int64_t n, use_words use, void *context) {
    enum { FEW = 8 };
    const fm_modes host = fm_enter_arithmetic();
    uint32_t words[FM_RNG_GROUP];
    for (int64_t done = 0; done < n;) {
        const uint64_t element = from + (uint64_t)done, at = element % FM_RNG_GROUP;
        const int64_t left = FM_RNG_GROUP - (int64_t)at, count = n - done < left ? n - done : left;
        if (count > FEW) fm_rng_group(rng, element / FM_RNG_GROUP, words);
        for (int64_t i = 0; i < count && count <= FEW; i++)
            words[at + (uint64_t)i] = word_at(rng, element + (uint64_t)i);
        use(words + at, done, count, context);
        done += count;
    }
    fm_leave_arithmetic(host);
}

static void for_each_group(const fm_rng *rng, int64_t n, use_words use, void *context) {
    for_each_piece(rng, 0, n, use, context);
}

static double unit(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; }

static void store_uniform(const uint32_t *words, int64_t first, int64_t count, void *context) {
    for (int64_t i = 0; i < count; i++) ((double *)context)[first + i] = unit(words[i]);
}

void fm_random_uniform(const fm_rng *rng, int64_t n, double *out) { for_each_group(rng, n, store_uniform, out); }

void fm_random_uniform_from(const fm_rng *rng, uint64_t from, int64_t n, double *out) {
    for_each_piece(rng, from, n, store_uniform, out);
}

static double horner(const double *c, int degree, double x) {
    double sum = c[degree];
    for (int i = degree - 1; i >= 0; i--) sum = sum * x + c[i];
    return sum;
}

/* Inverse of the normal distribution function: Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988). */
static double normal_quantile(double u) {
    static const double a[] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                               1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                               3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double b[] = {1.0,
                               4.2313330701600911252e+1,
                               6.8718700749205790830e+2,
                               5.3941960214247511077e+3,
                               2.1213794301586595867e+4,
                               3.9307895800092710610e+4,
                               2.8729085735721942674e+4,
                               5.2264952788528545610e+3};
    static const double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                               3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                               2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[] = {1.0,
                               2.05319162663775882187e0,
                               1.67638483018380384940e0,
                               6.89767334985100004550e-1,
                               1.48103976427480074590e-1,
                               1.51986665636164571966e-2,
                               5.47593808499534494600e-4,
                               1.05075007164441684324e-9};
    static const double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                               2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                               2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[] = {1.0,
                               5.99832206555887937690e-1,
                               1.36929880922735805310e-1,
                               1.48753612908506148525e-2,
                               7.86869131145613259100e-4,
                               1.84631831751005468180e-5,
                               1.42151175831644588870e-7,
                               2.04426310338993978564e-15};
    double q = u - 0.5;
    if (q >= -0.425 && q <= 0.425) {
        double r = 0.180625 - q * q;
        return q * horner(a, 7, r) / horner(b, 7, r);
    }
    double r = fm_plain_sqrt(-fm_plain_log(q < 0.0 ? u : 1.0 - u));
    double x = r <= 5.0 ? horner(c, 7, r - 1.6) / horner(d, 7, r - 1.6) : horner(e, 7, r - 5.0) / horner(f, 7, r - 5.0);
    return q < 0.0 ? -x : x;
}

static void store_normal(const uint32_t *words, int64_t first, int64_t count, void *context) {
    for (int64_t i = 0; i < count; i++) ((double *)context)[first + i] = normal_quantile(unit(words[i]));
}

void fm_random_normal(const fm_rng *rng, int64_t n, double *out) { for_each_group(rng, n, store_normal, out); }

void fm_random_normal_from(const fm_rng *rng, uint64_t from, int64_t n, double *out) {
    for_each_piece(rng, from, n, store_normal, out);
}

typedef struct {
    uint64_t threshold;
    uint8_t *out;
} keep_context;

static void store_keep(const uint32_t *words, int64_t first, int64_t count, void *context) {
    const keep_context *keep = context;
    for (int64_t i = 0; i < count; i++) keep->out[first + i] = words[i] >= keep->threshold;
}

void fm_random_keep(const fm_rng *rng, int64_t n, double p, uint8_t *out) {
    keep_context context = {fm_drop_threshold(p), out};
    for_each_group(rng, n, store_keep, &context);
}

/* Fisher-Yates, from the last element to the first; word i chooses the element that is swapped with element i. */
static void swap_down(const uint32_t *words, int64_t first, int64_t count, int64_t *order) {
    for (int64_t k = count - 1; k >= 0; k--) {
        int64_t i = first + k;
        if (i == 0) return;
        int64_t j = (int64_t)(((__uint128_t)words[k] * (uint64_t)(i + 1)) >> 32), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
}

void fm_permutation(uint64_t seed, uint32_t epoch, int64_t n, int64_t *out) {
    fm_rng rng = fm_rng_make(seed, (uint32_t)FM_STREAM_SHUFFLE, epoch);
    uint32_t words[FM_RNG_GROUP];
    for (int64_t i = 0; i < n; i++) out[i] = i;
    for (int64_t group = (n - 1) / FM_RNG_GROUP; n > 0 && group >= 0; group--) {
        int64_t first = group * FM_RNG_GROUP, count = n - first < FM_RNG_GROUP ? n - first : FM_RNG_GROUP;
        fm_rng_group(&rng, (uint64_t)group, words);
        swap_down(words, first, count, out);
    }
}
