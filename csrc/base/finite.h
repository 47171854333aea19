/* Whether numbers are finite, from their bits, so that no flag of the compiler or the processor matters. */
#ifndef FM_BASE_FINITE_H
#define FM_BASE_FINITE_H

#include <stdint.h>
#include <string.h>

#include "base/status.h"

/* Whether none of n numbers is NaN or infinite. */
static inline int fm_all_finite(fm_dtype dtype, int64_t n, const void *x) {
    const uint32_t exponent32 = 0x7f800000u;
    const uint64_t exponent64 = 0x7ff0000000000000u;
    int found = 0;
    for (int64_t i = 0; i < n && dtype == FM_F32; i++) {
        uint32_t bits;
        memcpy(&bits, (const float *)x + i, sizeof bits);
        found |= (bits & exponent32) == exponent32;
    }
    for (int64_t i = 0; i < n && dtype == FM_F64; i++) {
        uint64_t bits;
        memcpy(&bits, (const double *)x + i, sizeof bits);
        found |= (bits & exponent64) == exponent64;
    }
    return !found;
}

#endif
