/* Numbers in the types in which other programs store them, as float or double. */
#ifndef FM_BASE_CONVERT_H
#define FM_BASE_CONVERT_H

#include <stdint.h>

#include "base/status.h"

typedef enum {
    FM_FROM_BOOL, /* a byte, false if it is 0 */
    FM_FROM_INT8,
    FM_FROM_UINT8,
    FM_FROM_INT16,
    FM_FROM_UINT16,
    FM_FROM_INT32,
    FM_FROM_UINT32,
    FM_FROM_INT64,
    FM_FROM_UINT64,
    FM_FROM_F32,
    FM_FROM_F64
} fm_number;

/* Elements (rows, cols) of any layout in the processor's byte order; steps are bytes, and elements need no
   alignment. */
typedef struct {
    const char *start;
    fm_number type;
    int64_t rows, cols, row_step, col_step;
} fm_elements;

/* Stores them contiguously in `to`, rounded to the nearest; what is too large becomes infinite. */
void fm_convert(const fm_elements *from, fm_dtype dtype, void *to);

/* The same for whole numbers, that is, other types than F32 and F64; those above 2^63 - 1 become negative. */
void fm_convert_whole(const fm_elements *from, int64_t *to);

#endif
