#include "base/cpu.h"

#if defined(__x86_64__)

/* __builtin_cpu_supports also checks (XGETBV) that the operating system saves the wide registers. */
unsigned fm_cpu_features(void) {
    unsigned bits = 0;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) bits |= FM_CPU_AVX2;
    if (__builtin_cpu_supports("fma")) bits |= FM_CPU_FMA;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        bits |= FM_CPU_AVX512;
    if (__builtin_cpu_supports("avx512bf16")) bits |= FM_CPU_AVX512_BF16;
    if (__builtin_cpu_supports("avx512vnni")) bits |= FM_CPU_AVX512_VNNI;
    return bits;
}

#elif defined(__aarch64__)

unsigned fm_cpu_features(void) { return FM_CPU_NEON; } /* part of the architecture's baseline */

#else

unsigned fm_cpu_features(void) { return 0; }

#endif
