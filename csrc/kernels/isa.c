/* Compiled once for each ISA (cmake/isa.cmake). It exports one symbol, and everything else is static: otherwise the
   linker could choose a function compiled for a newer processor for common use. */
#include <math.h>
#include <stddef.h>

#include "base/arithmetic.h"
#include "kernels/table.h"
#include "simd/simd.h"

#define FM_TEXT_(x) #x
#define FM_TEXT(x) FM_TEXT_(x)
#define FM_EXPORT_(isa) fm_kernels_of_##isa
#define FM_EXPORT(isa) FM_EXPORT_(isa)

/* Layers with at most this many outputs use the dot form; see engine/ops/linear.c. */
#define FM_DOT_OUTPUTS 4

#define FM_SUFFIX f32
#include "kernels/all.inc"
#undef FM_SUFFIX
#define FM_SUFFIX f64
#include "kernels/all.inc"
#undef FM_SUFFIX

const fm_kernels *const FM_EXPORT(FM_ISA)[2] = {&kernels_f32, &kernels_f64};
