/* The vector vocabulary: the only place where an instruction set is named.
 *
 * Every operation exists for the suffixes _f32 (float, 32-bit lanes) and _f64 (double, 64-bit
 * lanes). names.h lets one source serve both: with FM_SUFFIX set, `v_add` means `v_add_f32`.
 *
 * Types     vec          real lanes            vmask   one truth value per lane
 *           vint         integer lanes, as wide as the reals (int32_t or int64_t)
 * Constant  v_lanes      lanes in a vec
 * Memory    v_load(p)  v_store(p, v)           unaligned
 *           v_load_n(p, n)  v_store_n(p, v, n) the first n lanes, 1 <= n <= v_lanes; memory beyond
 *                                              them is not touched, other lanes load as 0
 * Make      v_set1(x)  v_zero()
 * Arithmetic  v_add  v_sub  v_mul  v_div  v_sqrt  v_neg  v_abs
 *           v_fma(a, b, c) = a*b + c    v_fnma(a, b, c) = c - a*b
 *                                       one rounding, except portable, which has two
 *           v_max(a, b) = a > b ? a : b    v_min(a, b) = a < b ? a : b
 *                                       so b when either is NaN, on every ISA
 * Compare   v_lt  v_le  v_gt  v_ge  v_eq   false for NaN    v_isnan(a)
 *           v_select(m, a, b) = m ? a : b
 *           vm_and  vm_or  vm_not  vm_any(m) -> int
 * Bits      v_and  v_or  v_xor  v_andnot(a, b) = ~a & b
 * Integers  v_round(x)     nearest integral value, ties to even
 *           v_to_int(x)    x integral; |x| < 2^31 (f32), |x| < 2^51 (f64); else unspecified
 *           v_from_int(i)  rounds (f32); |i| < 2^51 (f64)
 *           v_as_int(x)  v_as_real(i)      the same bits
 *           vi_set1  vi_add  vi_sub  vi_and  vi_or  vi_xor  vi_gt(a, b) -> vmask (signed)
 *           vi_shl(i, n)  vi_shr(i, n)     logical; n a constant expression
 * Reduce    v_sum(v)  v_hmax(v)    halves tree: lane l op= lane l + lanes/2, then lanes/4, ... 1
 * Shuffle   v_transpose(r)         the square of vectors r[v_lanes], in place
 * bfloat16  only _f32, and only where FM_HAS_BF16_DOT is defined:
 *           v_bf16_pair(a, b)      rounds to bfloat16; each lane holds that of a in its upper half, that of b in its
 *                                  lower one
 *           v_bf16_words(a, b)     the same for each two numbers next to each other: of a, then of b
 *           v_bf16_dot(a, b, c)    for lanes of such pairs, a fused multiply-add of the upper halves to c, then one of
 *                                  the lower halves; denormal numbers are zeros
 * Bytes     only _f32; a lane holds four numbers of 8 bits. They are multiplied in v_byte_parts steps:
 *           v_unsigned_bytes(i, s)  v_signed_bytes(i, s)   the numbers of step s, in the form that v_dot_bytes needs
 *           v_dot_bytes(a, b, c)   c + the products of unsigned a and signed b, exact modulo 2^32
 *           v_store_bytes(p, i)    the lowest byte of each lane
 *
 * The bits of results are the same on every ISA except for what fma rounds in portable and for
 * the sign and payload of NaNs.
 */
#ifndef FM_SIMD_H
#define FM_SIMD_H

#include <stdint.h>

/* A build that measures coverage defines FM_INLINE as `static`, so that each function is counted once. */
#ifndef FM_INLINE
#define FM_INLINE static inline __attribute__((always_inline))
#endif

/* Rows of an ISA header: result type, name, operand type, expression of the operands a, b, c. */
#define FM_OP0(R, name, expr) \
    FM_INLINE R name(void) { return expr; }
#define FM_OP1(R, name, A, expr) \
    FM_INLINE R name(A a) { return expr; }
#define FM_OP2(R, name, A, expr) \
    FM_INLINE R name(A a, A b) { return expr; }
#define FM_OP3(R, name, A, expr) \
    FM_INLINE R name(A a, A b, A c) { return expr; }

#if defined(FM_ISA_AVX512) || defined(FM_ISA_AVX512BF16)
#include "avx512.h"
#elif defined(FM_ISA_AVX2)
#include "avx2.h"
#elif defined(FM_ISA_NEON)
#include "neon.h"
#elif defined(FM_ISA_PORTABLE)
#include "portable.h"
#else
#error "define one of FM_ISA_AVX512BF16, FM_ISA_AVX512, FM_ISA_AVX2, FM_ISA_NEON, FM_ISA_PORTABLE"
#endif

#include "names.h"

#endif
