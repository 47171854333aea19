/* The processor's floating-point modes: rounding, flushing of denormal numbers, traps, and the exception flags. Results
   must not depend on what the host has set, and the host finds its own again: whatever computes does so between these
   two calls, on its thread. */
#ifndef FM_BASE_ARITHMETIC_H
#define FM_BASE_ARITHMETIC_H

#include <stdint.h>

typedef struct {
    uint64_t control, status;
} fm_modes;

fm_modes fm_enter_arithmetic(void); /* sets IEEE's modes; returns those before */
void fm_leave_arithmetic(fm_modes host);

#endif
