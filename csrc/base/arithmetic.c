#include "base/arithmetic.h"

#if defined(__x86_64__)

/* MXCSR: round to nearest, keep denormals, mask every trap; its lowest six bits are the exception flags. It is
   written only if it must change, because writing is slower than reading. */
enum { IEEE_MODES = 0x1F80, FLAGS = 0x3F };

fm_modes fm_enter_arithmetic(void) {
    const unsigned host = __builtin_ia32_stmxcsr();
    if ((host & ~(unsigned)FLAGS) != IEEE_MODES) __builtin_ia32_ldmxcsr(IEEE_MODES);
    return (fm_modes){.control = host};
}

void fm_leave_arithmetic(fm_modes host) {
    if (__builtin_ia32_stmxcsr() != host.control) __builtin_ia32_ldmxcsr((unsigned)host.control);
}

/* FTZ for results, DAZ for operands. */
void fm_flush_denormals(int on) {
    const unsigned flush = 0x8040, now = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(on ? now | flush : now & ~flush);
}

#elif defined(__aarch64__)

/* FPCR holds the modes (all zero for IEEE), FPSR the flags. */
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

/* FZ, for operands and results. */
void fm_flush_denormals(int on) {
    const uint64_t modes = on ? UINT64_C(1) << 24 : 0;
    __asm__ volatile("msr fpcr, %0" : : "r"(modes));
}

#else

#include <fenv.h>

/* Standard C can set the rounding mode and the flags only; other modes of this processor stay as the host set them. */
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

void fm_flush_denormals(int on) { (void)on; }

#endif
