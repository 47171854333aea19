/* Features that both the processor and the operating system support, as bits; cmake/isa.cmake names them. */
#ifndef FM_BASE_CPU_H
#define FM_BASE_CPU_H

enum {
    FM_CPU_AVX2 = 1,
    FM_CPU_FMA = 2,
    FM_CPU_AVX512 = 4,
    FM_CPU_NEON = 8,
    FM_CPU_AVX512_BF16 = 16,
    FM_CPU_AVX512_VNNI = 32
};

unsigned fm_cpu_features(void);

#endif
