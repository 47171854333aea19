#include "base/convert.h"

#include <string.h>

#include "base/arithmetic.h"

/* Each loop reads through memcpy, because elements may lie anywhere. */
#define FM_CONVERT(source, value, target)                                                \
    for (int64_t i = 0; i < from->rows; i++)                                             \
        for (int64_t j = 0; j < from->cols; j++) {                                       \
            source x;                                                                    \
            memcpy(&x, from->start + i * from->row_step + j * from->col_step, sizeof x); \
            *out++ = (target)(value);                                                    \
        }                                                                                \
    break;

#define FM_CONVERT_WHOLE(target)                           \
    case FM_FROM_BOOL: FM_CONVERT(uint8_t, x != 0, target) \
    case FM_FROM_INT8: FM_CONVERT(int8_t, x, target)       \
    case FM_FROM_UINT8: FM_CONVERT(uint8_t, x, target)     \
    case FM_FROM_INT16: FM_CONVERT(int16_t, x, target)     \
    case FM_FROM_UINT16: FM_CONVERT(uint16_t, x, target)   \
    case FM_FROM_INT32: FM_CONVERT(int32_t, x, target)     \
    case FM_FROM_UINT32: FM_CONVERT(uint32_t, x, target)   \
    case FM_FROM_INT64: FM_CONVERT(int64_t, x, target)     \
    case FM_FROM_UINT64: FM_CONVERT(uint64_t, x, target)

static void to_float(const fm_elements *from, float *out) {
    switch (from->type) {
        FM_CONVERT_WHOLE(float)
        case FM_FROM_F32: FM_CONVERT(float, x, float)
        case FM_FROM_F64: FM_CONVERT(double, x, float)
    }
}

static void to_double(const fm_elements *from, double *out) {
    switch (from->type) {
        FM_CONVERT_WHOLE(double)
        case FM_FROM_F32: FM_CONVERT(float, x, double)
        case FM_FROM_F64: FM_CONVERT(double, x, double)
    }
}

void fm_convert(const fm_elements *from, fm_dtype dtype, void *to) {
    const fm_modes host = fm_enter_arithmetic();
    if (dtype == FM_F32) to_float(from, to);
    else to_double(from, to);
    fm_leave_arithmetic(host);
}

void fm_convert_whole(const fm_elements *from, int64_t *out) {
    switch (from->type) {
        FM_CONVERT_WHOLE(int64_t)
        default: break;
    }
}
