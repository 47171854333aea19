/* Actions of policies: draws them from distributions and computes their probabilities, in double precision. */
#include "base/aligned_alloc.h"
#include "base/arithmetic.h"
#include "base/plain_math.h"
#include "base/rng.h"
#include "fastmlp.h"
#include "kernels/table.h"

static const double half_log_2_pi = 0.91893853320467274178, log_2 = 0.69314718055994530942;

/* Memory for one row: some numbers on the stack, more from the heap. */
enum { FEW = 64 };

static double get(fm_dtype dtype, const void *x, int64_t i) {
    return dtype == FM_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

/* Returns the number as it is stored. */
static double put(fm_dtype dtype, void *x, int64_t i, double value) {
    if (dtype == FM_F64) return ((double *)x)[i] = value;
    return (double)(((float *)x)[i] = (float)value);
}

/* ---- classes ---- */

/* The first class whose cumulative probability exceeds u. */
static int64_t class_at(const double *p, int64_t n, double u) {
    double sum = 0.0;
    int64_t last = 0;
    for (int64_t j = 0; j < n; j++) {
        sum += p[j];
        if (u < sum) return j;
        if (p[j] > 0.0) last = j; /* the sum may end just below 1 */
    }
    return last;
}

static int64_t largest(const double *x, int64_t n) {
    int64_t at = 0;
    for (int64_t j = 1; j < n; j++)
        if (x[j] > x[at]) at = j;
    return at;
}

/* `z` and `p` are memory for n numbers. log p[j] is (z[j] - max) + log p[max], where nothing cancels. */
static fm_status act_on_classes(const fm_actions *a, int64_t row, fm_choice choice, double u, double *z, double *p,
                                const fm_kernels *f64) {
    int64_t *action = (int64_t *)a->action + row;
    for (int64_t j = 0; j < a->n; j++) z[j] = get(a->dtype, a->scores, row * a->score_step + j);
    f64->softmax(1, a->n, z, a->n, p, a->n);
    const int64_t best = largest(z, a->n);
    if (!(p[best] > 0.0)) return FM_BAD_ARGUMENT;
    const double log_best = fm_plain_log(p[best]);
    if (choice == FM_GIVEN && (*action < 0 || *action >= a->n)) return FM_BAD_LABEL;
    if (choice != FM_GIVEN) *action = choice == FM_DRAW ? class_at(p, a->n, u) : best;
    put(a->dtype, a->log_prob, row, (z[*action] - z[best]) + log_best);
    if (a->entropy == NULL) return FM_OK;
    double entropy = -log_best;
    for (int64_t j = 0; j < a->n; j++)
        if (p[j] > 0.0) entropy += p[j] * (z[best] - z[j]);
    put(a->dtype, a->entropy, row, entropy);
    return FM_OK;
}

/* ---- real numbers ---- */

/* By Lambert's continued fraction near 0, where the exponential form would cancel. */
static double tanh_of(double u) {
    const double size = u < 0.0 ? -u : u, square = u * u;
    if (size < 0.6) {
        double rest = 17.0;
        for (double k = 15.0; k >= 1.0; k -= 2.0) rest = k + square / rest;
        return u / rest;
    }
    const double t = fm_plain_exp(-2.0 * size), y = (1.0 - t) / (1.0 + t);
    return u < 0.0 ? -y : y;
}

/* log(1 - tanh(u)^2) */
static double log_slope(double u) {
    const double size = u < 0.0 ? -u : u;
    return 2.0 * (log_2 - size - fm_plain_log(1.0 + fm_plain_exp(-2.0 * size)));
}

/* Half of the width of the box of element j. */
static double half_width(const fm_actions *a, int64_t j) { return 0.5 * (a->high[j] - a->low[j]); }

static double squashed(const fm_actions *a, int64_t j, double u) {
    const double y = a->low[j] + half_width(a, j) * (1.0 + tanh_of(u));
    return y > a->high[j] ? a->high[j] : y;
}

/* An action at or beyond an end of the box counts as the nearest number inside. */
static double unsquashed(const fm_actions *a, int64_t j, double action) {
    const double most = a->dtype == FM_F32 ? 1.0 - 0x1p-23 : 1.0 - 0x1p-52;
    double y = (action - a->low[j]) / half_width(a, j) - 1.0;
    y = y > most ? most : y < -most ? -most : y;
    return 0.5 * (fm_plain_log(1.0 + y) - fm_plain_log(1.0 - y));
}

/* The number u of element j, which was drawn or belongs to the given action; stores the action that was drawn. */
static double element(const fm_actions *a, int64_t row, int64_t j, fm_choice choice, double drawn) {
    const int64_t at = row * a->n + j;
    const int squashes = a->kind == FM_SQUASHED_GAUSSIAN;
    if (choice == FM_GIVEN) {
        const double given = get(a->dtype, a->action, at);
        return squashes ? unsquashed(a, j, given) : given;
    }
    const double stored = put(a->dtype, a->action, at, squashes ? squashed(a, j, drawn) : drawn);
    return squashes ? drawn : stored;
}

static fm_status act_on_numbers(const fm_actions *a, int64_t row, fm_choice choice, const double *normal) {
    double log_prob = 0.0, entropy = 0.0;
    for (int64_t j = 0; j < a->n; j++) {
        const double mean = get(a->dtype, a->scores, row * a->score_step + j);
        const double log_std = get(a->dtype, a->log_std, row * a->log_std_step + j), std = fm_plain_exp(log_std);
        const double drawn = choice == FM_DRAW ? mean + std * normal[j] : mean;
        const double u = element(a, row, j, choice, drawn), distance = (u - mean) / std;
        log_prob -= 0.5 * distance * distance + log_std + half_log_2_pi;
        if (a->kind == FM_SQUASHED_GAUSSIAN) log_prob -= log_slope(u) + fm_plain_log(half_width(a, j));
        entropy += log_std + half_log_2_pi + 0.5;
    }
    put(a->dtype, a->log_prob, row, log_prob);
    if (a->entropy != NULL) put(a->dtype, a->entropy, row, entropy);
    return log_prob - log_prob == 0.0 ? FM_OK : FM_BAD_ARGUMENT;
}

/* ---- rows ---- */

static int64_t drawn_in_row(const fm_actions *a) { return a->kind == FM_CATEGORICAL ? 1 : a->n; }

int64_t fm_actions_drawn(const fm_actions *a) { return a->rows * drawn_in_row(a); }

static fm_status act_on_rows(const fm_actions *a, fm_choice choice, const fm_rng *rng, uint64_t first, double *memory) {
    const fm_kernels *f64 = fm_tables_in_use()[FM_F64];
    const int64_t each = drawn_in_row(a);
    fm_status status = FM_OK;
    for (int64_t row = 0; row < a->rows && status == FM_OK; row++) {
        const uint64_t from = first + (uint64_t)(row * each);
        if (a->kind == FM_CATEGORICAL) {
            double u = 0.0;
            if (choice == FM_DRAW) fm_random_uniform_from(rng, from, 1, &u);
            status = act_on_classes(a, row, choice, u, memory, memory + a->n, f64);
        } else {
            if (choice == FM_DRAW) fm_random_normal_from(rng, from, a->n, memory);
            status = act_on_numbers(a, row, choice, memory);
        }
    }
    return status;
}

fm_status fm_act(const fm_actions *a, fm_choice choice, uint64_t seed, uint64_t first) {
    double few[2 * FEW], *memory = a->n <= FEW ? few : fm_alloc(2 * a->n, sizeof *memory);
    if (memory == NULL) return FM_NO_MEMORY;
    const fm_rng rng = fm_rng_make(seed, (uint32_t)FM_STREAM_ACTIONS, 0);
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = act_on_rows(a, choice, &rng, first, memory);
    fm_leave_arithmetic(host);
    if (memory != few) fm_free(memory);
    return status;
}
