/* The vocabulary of simd.h for AArch64 Advanced SIMD. */
#ifndef FM_SIMD_NEON_H
#define FM_SIMD_NEON_H

#include <arm_neon.h>

typedef float32x4_t vec_f32;
typedef float64x2_t vec_f64;
typedef int32x4_t vint_f32;
typedef int64x2_t vint_f64;
typedef uint32x4_t vmask_f32;
typedef uint64x2_t vmask_f64;

#define v_lanes_f32 4
#define v_lanes_f64 2

/* Bit operations act on unsigned lanes; FM_U and FM_F reinterpret the same bits. */
#define FM_U32(v) vreinterpretq_u32_f32(v)
#define FM_F32(u) vreinterpretq_f32_u32(u)
#define FM_U64(v) vreinterpretq_u64_f64(v)
#define FM_F64(u) vreinterpretq_f64_u64(u)

/* Four steps for four bytes, which become 32-bit numbers. */
enum { v_byte_parts_f32 = 4 };
FM_INLINE vint_f32 v_unsigned_bytes_f32(vint_f32 i, int step) {
    const uint32x4_t moved = vshlq_u32(vreinterpretq_u32_s32(i), vdupq_n_s32(-8 * step));
    return vreinterpretq_s32_u32(vandq_u32(moved, vdupq_n_u32(255)));
}
FM_INLINE vint_f32 v_signed_bytes_f32(vint_f32 i, int step) {
    return vshrq_n_s32(vshlq_s32(i, vdupq_n_s32(24 - 8 * step)), 24);
}
FM_OP3(vint_f32, v_dot_bytes_f32, vint_f32, vmlaq_s32(c, a, b))
FM_INLINE void v_store_bytes_f32(uint8_t *p, vint_f32 i) {
    int32_t lane[v_lanes_f32];
    vst1q_s32(lane, i);
    for (int l = 0; l < v_lanes_f32; l++) p[l] = (uint8_t)lane[l];
}

FM_OP1(vec_f32, v_load_f32, const float *, vld1q_f32(a))
FM_INLINE void v_store_f32(float *p, vec_f32 v) { vst1q_f32(p, v); }
FM_OP1(vec_f32, v_set1_f32, float, vdupq_n_f32(a))
FM_OP0(vec_f32, v_zero_f32, vdupq_n_f32(0))

FM_OP2(vec_f32, v_add_f32, vec_f32, vaddq_f32(a, b))
FM_OP2(vec_f32, v_sub_f32, vec_f32, vsubq_f32(a, b))
FM_OP2(vec_f32, v_mul_f32, vec_f32, vmulq_f32(a, b))
FM_OP2(vec_f32, v_div_f32, vec_f32, vdivq_f32(a, b))
FM_OP2(vec_f32, v_max_f32, vec_f32, vbslq_f32(vcgtq_f32(a, b), a, b))
FM_OP2(vec_f32, v_min_f32, vec_f32, vbslq_f32(vcltq_f32(a, b), a, b))
FM_OP2(vec_f32, v_and_f32, vec_f32, FM_F32(vandq_u32(FM_U32(a), FM_U32(b))))
FM_OP2(vec_f32, v_or_f32, vec_f32, FM_F32(vorrq_u32(FM_U32(a), FM_U32(b))))
FM_OP2(vec_f32, v_xor_f32, vec_f32, FM_F32(veorq_u32(FM_U32(a), FM_U32(b))))
FM_OP2(vec_f32, v_andnot_f32, vec_f32, FM_F32(vbicq_u32(FM_U32(b), FM_U32(a))))
FM_OP1(vec_f32, v_sqrt_f32, vec_f32, vsqrtq_f32(a))
FM_OP1(vec_f32, v_neg_f32, vec_f32, vnegq_f32(a))
FM_OP1(vec_f32, v_abs_f32, vec_f32, vabsq_f32(a))
FM_OP3(vec_f32, v_fma_f32, vec_f32, vfmaq_f32(c, a, b))
FM_OP3(vec_f32, v_fnma_f32, vec_f32, vfmsq_f32(c, a, b))

FM_OP2(vmask_f32, v_lt_f32, vec_f32, vcltq_f32(a, b))
FM_OP2(vmask_f32, v_le_f32, vec_f32, vcleq_f32(a, b))
FM_OP2(vmask_f32, v_gt_f32, vec_f32, vcgtq_f32(a, b))
FM_OP2(vmask_f32, v_ge_f32, vec_f32, vcgeq_f32(a, b))
FM_OP2(vmask_f32, v_eq_f32, vec_f32, vceqq_f32(a, b))
FM_INLINE vec_f32 v_select_f32(vmask_f32 m, vec_f32 a, vec_f32 b) { return vbslq_f32(m, a, b); }
FM_OP2(vmask_f32, vm_and_f32, vmask_f32, vandq_u32(a, b))
FM_OP2(vmask_f32, vm_or_f32, vmask_f32, vorrq_u32(a, b))
FM_OP1(vmask_f32, vm_not_f32, vmask_f32, vmvnq_u32(a))
FM_OP1(int, vm_any_f32, vmask_f32, vmaxvq_u32(a) != 0)
FM_OP1(vmask_f32, v_isnan_f32, vec_f32, vm_not_f32(vceqq_f32(a, a)))

FM_OP1(vec_f32, v_round_f32, vec_f32, vrndnq_f32(a))
FM_OP1(vint_f32, v_to_int_f32, vec_f32, vcvtq_s32_f32(a))
FM_OP1(vec_f32, v_from_int_f32, vint_f32, vcvtq_f32_s32(a))
FM_OP1(vint_f32, v_as_int_f32, vec_f32, vreinterpretq_s32_f32(a))
FM_OP1(vec_f32, v_as_real_f32, vint_f32, vreinterpretq_f32_s32(a))
FM_OP1(vint_f32, vi_set1_f32, int32_t, vdupq_n_s32(a))
FM_OP2(vint_f32, vi_add_f32, vint_f32, vaddq_s32(a, b))
FM_OP2(vint_f32, vi_sub_f32, vint_f32, vsubq_s32(a, b))
FM_OP2(vint_f32, vi_and_f32, vint_f32, vandq_s32(a, b))
FM_OP2(vint_f32, vi_or_f32, vint_f32, vorrq_s32(a, b))
FM_OP2(vint_f32, vi_xor_f32, vint_f32, veorq_s32(a, b))
FM_OP2(vmask_f32, vi_gt_f32, vint_f32, vcgtq_s32(a, b))
#define vi_shl_f32(i, n) vshlq_n_s32(i, n)
#define vi_shr_f32(i, n) vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(i), n))

FM_OP1(vec_f64, v_load_f64, const double *, vld1q_f64(a))
FM_INLINE void v_store_f64(double *p, vec_f64 v) { vst1q_f64(p, v); }
FM_OP1(vec_f64, v_set1_f64, double, vdupq_n_f64(a))
FM_OP0(vec_f64, v_zero_f64, vdupq_n_f64(0))

FM_OP2(vec_f64, v_add_f64, vec_f64, vaddq_f64(a, b))
FM_OP2(vec_f64, v_sub_f64, vec_f64, vsubq_f64(a, b))
FM_OP2(vec_f64, v_mul_f64, vec_f64, vmulq_f64(a, b))
FM_OP2(vec_f64, v_div_f64, vec_f64, vdivq_f64(a, b))
FM_OP2(vec_f64, v_max_f64, vec_f64, vbslq_f64(vcgtq_f64(a, b), a, b))
FM_OP2(vec_f64, v_min_f64, vec_f64, vbslq_f64(vcltq_f64(a, b), a, b))
FM_OP2(vec_f64, v_and_f64, vec_f64, FM_F64(vandq_u64(FM_U64(a), FM_U64(b))))
FM_OP2(vec_f64, v_or_f64, vec_f64, FM_F64(vorrq_u64(FM_U64(a), FM_U64(b))))
FM_OP2(vec_f64, v_xor_f64, vec_f64, FM_F64(veorq_u64(FM_U64(a), FM_U64(b))))
FM_OP2(vec_f64, v_andnot_f64, vec_f64, FM_F64(vbicq_u64(FM_U64(b), FM_U64(a))))
FM_OP1(vec_f64, v_sqrt_f64, vec_f64, vsqrtq_f64(a))
FM_OP1(vec_f64, v_neg_f64, vec_f64, vnegq_f64(a))
FM_OP1(vec_f64, v_abs_f64, vec_f64, vabsq_f64(a))
FM_OP3(vec_f64, v_fma_f64, vec_f64, vfmaq_f64(c, a, b))
FM_OP3(vec_f64, v_fnma_f64, vec_f64, vfmsq_f64(c, a, b))

FM_OP2(vmask_f64, v_lt_f64, vec_f64, vcltq_f64(a, b))
FM_OP2(vmask_f64, v_le_f64, vec_f64, vcleq_f64(a, b))
FM_OP2(vmask_f64, v_gt_f64, vec_f64, vcgtq_f64(a, b))
FM_OP2(vmask_f64, v_ge_f64, vec_f64, vcgeq_f64(a, b))
FM_OP2(vmask_f64, v_eq_f64, vec_f64, vceqq_f64(a, b))
FM_INLINE vec_f64 v_select_f64(vmask_f64 m, vec_f64 a, vec_f64 b) { return vbslq_f64(m, a, b); }
FM_OP2(vmask_f64, vm_and_f64, vmask_f64, vandq_u64(a, b))
FM_OP2(vmask_f64, vm_or_f64, vmask_f64, vorrq_u64(a, b))
FM_OP1(vmask_f64, vm_not_f64, vmask_f64, vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(a))))
FM_OP1(int, vm_any_f64, vmask_f64, vmaxvq_u32(vreinterpretq_u32_u64(a)) != 0)
FM_OP1(vmask_f64, v_isnan_f64, vec_f64, vm_not_f64(vceqq_f64(a, a)))

FM_OP1(vec_f64, v_round_f64, vec_f64, vrndnq_f64(a))
FM_OP1(vint_f64, v_to_int_f64, vec_f64, vcvtq_s64_f64(a))
FM_OP1(vec_f64, v_from_int_f64, vint_f64, vcvtq_f64_s64(a))
FM_OP1(vint_f64, v_as_int_f64, vec_f64, vreinterpretq_s64_f64(a))
FM_OP1(vec_f64, v_as_real_f64, vint_f64, vreinterpretq_f64_s64(a))
FM_OP1(vint_f64, vi_set1_f64, int64_t, vdupq_n_s64(a))
FM_OP2(vint_f64, vi_add_f64, vint_f64, vaddq_s64(a, b))
FM_OP2(vint_f64, vi_sub_f64, vint_f64, vsubq_s64(a, b))
FM_OP2(vint_f64, vi_and_f64, vint_f64, vandq_s64(a, b))
FM_OP2(vint_f64, vi_or_f64, vint_f64, vorrq_s64(a, b))
FM_OP2(vint_f64, vi_xor_f64, vint_f64, veorq_s64(a, b))
FM_OP2(vmask_f64, vi_gt_f64, vint_f64, vcgtq_s64(a, b))
#define vi_shl_f64(i, n) vshlq_n_s64(i, n)
#define vi_shr_f64(i, n) vreinterpretq_s64_u64(vshrq_n_u64(vreinterpretq_u64_s64(i), n))

FM_INLINE vec_f32 v_load_n_f32(const float *p, int n) {
    float lane[4] = {0};
    for (int l = 0; l < n; l++) lane[l] = p[l];
    return vld1q_f32(lane);
}
FM_INLINE vec_f64 v_load_n_f64(const double *p, int n) {
    return n == 2 ? vld1q_f64(p) : vcombine_f64(vld1_f64(p), vdup_n_f64(0));
}
FM_INLINE void v_store_n_f32(float *p, vec_f32 v, int n) {
    float lane[4];
    vst1q_f32(lane, v);
    for (int l = 0; l < n; l++) p[l] = lane[l];
}
FM_INLINE void v_store_n_f64(double *p, vec_f64 v, int n) {
    if (n == 2) vst1q_f64(p, v);
    else vst1_f64(p, vget_low_f64(v));
}

/* Tree of halves: lane l is combined with lane l + lanes/2, then lanes/4, ... 1. */
FM_INLINE float v_sum_f32(vec_f32 v) {
    const float32x2_t h = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(h, 0) + vget_lane_f32(h, 1);
}
FM_INLINE float v_hmax_f32(vec_f32 v) {
    const vec_f32 h = v_max_f32(v, vextq_f32(v, v, 2));
    const float a = vgetq_lane_f32(h, 0), b = vgetq_lane_f32(h, 1);
    return a > b ? a : b;
}
FM_INLINE double v_sum_f64(vec_f64 v) { return vgetq_lane_f64(v, 0) + vgetq_lane_f64(v, 1); }
FM_INLINE double v_hmax_f64(vec_f64 v) {
    const double a = vgetq_lane_f64(v, 0), b = vgetq_lane_f64(v, 1);
    return a > b ? a : b;
}

FM_INLINE void v_transpose_f32(vec_f32 r[v_lanes_f32]) {
    const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(r[0], r[1]));
    const float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(r[0], r[1]));
    const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(r[2], r[3]));
    const float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(r[2], r[3]));
    r[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
    r[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
    r[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
    r[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}
FM_INLINE void v_transpose_f64(vec_f64 r[v_lanes_f64]) {
    const vec_f64 a = r[0], b = r[1];
    r[0] = vtrn1q_f64(a, b);
    r[1] = vtrn2q_f64(a, b);
}

#endif
