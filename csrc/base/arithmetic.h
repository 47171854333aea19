/* The processor's floating-point modes: rounding, flushing of denormal numbers, traps, and the exception flags.
   Results must not depend on the host program's modes, and the host's modes must not change. So every computation
   runs between these two calls, on its own thread. */
#ifndef FM_BASE_ARITHMETIC_H
#define FM_BASE_ARITHMETIC_H

#include <stdint.h>

typedef struct {
    uint64_t control, status;
} fm_modes;

fm_modes fm_enter_arithmetic(void); /* sets the IEEE modes; returns the previous ones */
void fm_leave_arithmetic(fm_modes host);

/* Between these calls, operands and results that are denormal numbers become zeros of their sign. For kernels that
   emulate instructions which do so. Only on x86-64 and AArch64; elsewhere they do nothing. */
void fm_flush_denormals(int on);

#endif
