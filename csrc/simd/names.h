/* One source for both precisions.
 *
 * After `#define FM_SUFFIX f32` the vocabulary of simd.h may be written without its suffix; to
 * compile the same text for double, `#undef FM_SUFFIX` and define it as f64. Macros expand where
 * they are used, so this list serves both.
 *
 * FN(name)       the name of a function of this precision: name_f32 or name_f64
 * CN(name)       the same for one type of operands, FM_COLUMN: name_storage_f32, name_bf16_f32, ...
 * real, ireal    float and int32_t, or double and int64_t
 * REAL(x)        the literal x, of type real
 * FM_BITS        32 or 64; usable in #if
 * VIRTUAL_LANES  the lanes of a sum, whatever the ISA: 16 or 8
 */
#ifndef FM_NAMES_H
#define FM_NAMES_H

#define FM_PASTE_(a, b) a##_##b
#define FM_PASTE(a, b) FM_PASTE_(a, b)
#define FM_NAME(name) FM_PASTE(name, FM_SUFFIX)
#define FN(name) FM_NAME(name)
#define CN(name) FM_NAME(FM_PASTE(name, FM_COLUMN))

#define real_f32 float
#define real_f64 double
#define ireal_f32 int32_t
#define ireal_f64 int64_t
#define FM_BITS_f32 32
#define FM_BITS_f64 64
#define VIRTUAL_LANES_f32 16
#define VIRTUAL_LANES_f64 8

#define real FM_NAME(real)
#define ireal FM_NAME(ireal)
#define REAL(x) ((real)(x))
#define FM_BITS FM_NAME(FM_BITS)
#define VIRTUAL_LANES FM_NAME(VIRTUAL_LANES)

#define vec FM_NAME(vec)
#define vmask FM_NAME(vmask)
#define vint FM_NAME(vint)
#define v_lanes FM_NAME(v_lanes)

#define v_load FM_NAME(v_load)
#define v_store FM_NAME(v_store)
#define v_load_n FM_NAME(v_load_n)
#define v_store_n FM_NAME(v_store_n)
#define v_set1 FM_NAME(v_set1)
#define v_zero FM_NAME(v_zero)

#define v_add FM_NAME(v_add)
#define v_sub FM_NAME(v_sub)
#define v_mul FM_NAME(v_mul)
#define v_div FM_NAME(v_div)
#define v_sqrt FM_NAME(v_sqrt)
#define v_neg FM_NAME(v_neg)
#define v_abs FM_NAME(v_abs)
#define v_fma FM_NAME(v_fma)
#define v_fnma FM_NAME(v_fnma)
#define v_max FM_NAME(v_max)
#define v_min FM_NAME(v_min)

#define v_lt FM_NAME(v_lt)
#define v_le FM_NAME(v_le)
#define v_gt FM_NAME(v_gt)
#define v_ge FM_NAME(v_ge)
#define v_eq FM_NAME(v_eq)
#define v_isnan FM_NAME(v_isnan)
#define v_select FM_NAME(v_select)
#define vm_and FM_NAME(vm_and)
#define vm_or FM_NAME(vm_or)
#define vm_not FM_NAME(vm_not)
#define vm_any FM_NAME(vm_any)

#define v_and FM_NAME(v_and)
#define v_or FM_NAME(v_or)
#define v_xor FM_NAME(v_xor)
#define v_andnot FM_NAME(v_andnot)

#define v_round FM_NAME(v_round)
#define v_to_int FM_NAME(v_to_int)
#define v_from_int FM_NAME(v_from_int)
#define v_as_int FM_NAME(v_as_int)
#define v_as_real FM_NAME(v_as_real)

#define vi_set1 FM_NAME(vi_set1)
#define vi_add FM_NAME(vi_add)
#define vi_sub FM_NAME(vi_sub)
#define vi_and FM_NAME(vi_and)
#define vi_or FM_NAME(vi_or)
#define vi_xor FM_NAME(vi_xor)
#define vi_gt FM_NAME(vi_gt)
#define vi_shl FM_NAME(vi_shl)
#define vi_shr FM_NAME(vi_shr)

#define v_sum FM_NAME(v_sum)
#define v_hmax FM_NAME(v_hmax)
#define v_transpose FM_NAME(v_transpose)
#define v_byte_parts FM_NAME(v_byte_parts)
#define v_unsigned_bytes FM_NAME(v_unsigned_bytes)
#define v_signed_bytes FM_NAME(v_signed_bytes)
#define v_dot_bytes FM_NAME(v_dot_bytes)
#define v_store_bytes FM_NAME(v_store_bytes)
#define v_bf16_pair FM_NAME(v_bf16_pair)
#define v_bf16_words FM_NAME(v_bf16_words)
#define v_bf16_dot FM_NAME(v_bf16_dot)

#endif
