/* Functions of one double, in plain arithmetic. The C library's differ between systems, and results must not. */
#ifndef FM_BASE_PLAIN_MATH_H
#define FM_BASE_PLAIN_MATH_H

#include <stdint.h>
#include <string.h>

static inline uint64_t fm_bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double fm_double_of(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline double fm_plain_sqrt(double x) { return __builtin_sqrt(x); } /* IEEE: correctly rounded everywhere */

/* Natural logarithm of a normal positive double by the atanh series, relative error < 2e-16. */
static inline double fm_plain_log(double x) {
    uint64_t bits = fm_bits_of(x);
    int exponent = (int)(bits >> 52) - 1023;
    double m = fm_double_of((bits & 0x000FFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    double s = (m - 1.0) / (m + 1.0), z = s * s, sum = 0.0;
    for (int k = 23; k >= 1; k -= 2) sum = sum * z + 1.0 / k;
    return 2.0 * s * sum + exponent * 0.6931471805599453;
}

/* e^x by Taylor's series of the remainder after n ln 2, relative error < 1e-15. Below -708 it is 0, above 709
   infinite. */
static inline double fm_plain_exp(double x) {
    if (!(x >= -708.0)) return x < -708.0 ? 0.0 : x;
    if (x > 709.0) return __builtin_inf();
    const double n = (double)(int64_t)(x * 1.4426950408889634 + (x < 0.0 ? -0.5 : 0.5));
    const double r = (x - n * 0x1.62e42fefa4p-1) - n * -0x1.8432a1b0e2634p-43;
    static const double inverse[] = {0.0,     1.0,     1.0 / 2, 1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6,
                                     1.0 / 7, 1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13};
    double sum = 1.0;
    for (int k = 13; k >= 1; k--) sum = sum * (r * inverse[k]) + 1.0;
    return sum * fm_double_of((uint64_t)((int64_t)n + 1023) << 52);
}

#endif
