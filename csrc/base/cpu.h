/* What the processor and the operating system allow, as bits that cmake/isa.cmake names. */
#ifndef FM_BASE_CPU_H
#define FM_BASE_CPU_H

enum { FM_CPU_AVX2 = 1, FM_CPU_FMA = 2, FM_CPU_AVX512 = 4, FM_CPU_NEON = 8 };

unsigned fm_cpu_features(void);

#endif
