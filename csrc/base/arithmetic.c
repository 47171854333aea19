#include "base/arithmetic.h"

#if defined(__x86_64__)

/* MXCSR: round to nearest, denormals kept, every trap masked; its lowest six bits are the exception flags. Writing it
   is slower than reading it, and mostly nothing is to be written. */
enum { IEEE_MODES = 0x1F80, FLAGS = 0x3F };

fm_modes fm_enter_arithmetic(void) {
    const unsigned host = __builtin_ia32_stmxcsr();
    if ((host & ~(unsigned)FLAGS) != IEEE_MODES) __builtin_ia32_ldmxcsr(IEEE_MODES);
    return (fm_modes){.control = host};
}

void fm_leave_arithmetic(fm_modes host) {
    if (__builtin_ia32_stmxcsr() != host.control) __builtin_ia32_ldmxcsr((unsigned)host.control);
}

#elif defined(__aarch64__)

/* FPCR has the modes, all zero for IEEE's, and FPSR the flags. */
fm_modes fm_enter_arithmetic(void) {
    fm_modes host;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(host.control), "=r"(host.status));
    if (host.control != 0) __asm__ volatile("msr fpcr, %0" : : "r"(UINT64_C(0)));
    return host;
}

void fm_leave_arithmetic(fm_modes host) {
    if (host.control != 0) __asm__ volatile("msr fpcr, %0" : : "r"(host.control));
    __asm__ volatile("msr fpsr, %0" : : "r"(host.status));
}

#else

#include <fenv.h>

/* C knows rounding and flags; what else there is on this processor stays as the host has set it. */
fm_modes fm_enter_arithmetic(void) {
    const fm_modes host = {(uint64_t)fegetround(), (uint64_t)fetestexcept(FE_ALL_EXCEPT)};
    fesetround(FE_TONEAREST);
    return host;
}

void fm_leave_arithmetic(fm_modes host) {
    feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept((int)host.status);
    fesetround((int)host.control);
}

#endif
