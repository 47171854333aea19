/* The vocabulary of simd.h for AVX2 with FMA. */
#ifndef FM_SIMD_AVX2_H
#define FM_SIMD_AVX2_H

#include <immintrin.h>

typedef __m256 vec_f32;
typedef __m256d vec_f64;
typedef __m256i vint_f32;
typedef __m256i vint_f64;
typedef __m256 vmask_f32;
typedef __m256d vmask_f64;

#define v_lanes_f32 8
#define v_lanes_f64 4

/* Two steps for four bytes, those with even and with odd numbers, which become 16-bit numbers. */
enum { v_byte_parts_f32 = 2 };
FM_INLINE vint_f32 v_unsigned_bytes_f32(vint_f32 i, int step) {
    return step == 0 ? _mm256_and_si256(i, _mm256_set1_epi16(255)) : _mm256_srli_epi16(i, 8);
}
FM_INLINE vint_f32 v_signed_bytes_f32(vint_f32 i, int step) {
    return _mm256_srai_epi16(step == 0 ? _mm256_slli_epi16(i, 8) : i, 8);
}
FM_OP3(vint_f32, v_dot_bytes_f32, vint_f32, _mm256_add_epi32(c, _mm256_madd_epi16(a, b)))
FM_INLINE void v_store_bytes_f32(uint8_t *p, vint_f32 i) {
    const __m256i lowest = _mm256_and_si256(i, _mm256_set1_epi32(255));
    const __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(lowest), _mm256_extracti128_si256(lowest, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(halves, halves));
}

FM_OP1(vec_f32, v_load_f32, const float *, _mm256_loadu_ps(a))
FM_INLINE void v_store_f32(float *p, vec_f32 v) { _mm256_storeu_ps(p, v); }
FM_OP1(vec_f32, v_set1_f32, float, _mm256_set1_ps(a))
FM_OP0(vec_f32, v_zero_f32, _mm256_setzero_ps())

FM_OP2(vec_f32, v_add_f32, vec_f32, _mm256_add_ps(a, b))
FM_OP2(vec_f32, v_sub_f32, vec_f32, _mm256_sub_ps(a, b))
FM_OP2(vec_f32, v_mul_f32, vec_f32, _mm256_mul_ps(a, b))
FM_OP2(vec_f32, v_div_f32, vec_f32, _mm256_div_ps(a, b))
FM_OP2(vec_f32, v_max_f32, vec_f32, _mm256_max_ps(a, b))
FM_OP2(vec_f32, v_min_f32, vec_f32, _mm256_min_ps(a, b))
FM_OP2(vec_f32, v_and_f32, vec_f32, _mm256_and_ps(a, b))
FM_OP2(vec_f32, v_or_f32, vec_f32, _mm256_or_ps(a, b))
FM_OP2(vec_f32, v_xor_f32, vec_f32, _mm256_xor_ps(a, b))
FM_OP2(vec_f32, v_andnot_f32, vec_f32, _mm256_andnot_ps(a, b))
FM_OP1(vec_f32, v_sqrt_f32, vec_f32, _mm256_sqrt_ps(a))
FM_OP1(vec_f32, v_neg_f32, vec_f32, _mm256_xor_ps(a, _mm256_set1_ps(-0.0f)))
FM_OP1(vec_f32, v_abs_f32, vec_f32, _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a))
FM_OP3(vec_f32, v_fma_f32, vec_f32, _mm256_fmadd_ps(a, b, c))
FM_OP3(vec_f32, v_fnma_f32, vec_f32, _mm256_fnmadd_ps(a, b, c))

FM_OP2(vmask_f32, v_lt_f32, vec_f32, _mm256_cmp_ps(a, b, _CMP_LT_OQ))
FM_OP2(vmask_f32, v_le_f32, vec_f32, _mm256_cmp_ps(a, b, _CMP_LE_OQ))
FM_OP2(vmask_f32, v_gt_f32, vec_f32, _mm256_cmp_ps(a, b, _CMP_GT_OQ))
FM_OP2(vmask_f32, v_ge_f32, vec_f32, _mm256_cmp_ps(a, b, _CMP_GE_OQ))
FM_OP2(vmask_f32, v_eq_f32, vec_f32, _mm256_cmp_ps(a, b, _CMP_EQ_OQ))
FM_OP1(vmask_f32, v_isnan_f32, vec_f32, _mm256_cmp_ps(a, a, _CMP_UNORD_Q))
FM_INLINE vec_f32 v_select_f32(vmask_f32 m, vec_f32 a, vec_f32 b) { return _mm256_blendv_ps(b, a, m); }
FM_OP2(vmask_f32, vm_and_f32, vmask_f32, _mm256_and_ps(a, b))
FM_OP2(vmask_f32, vm_or_f32, vmask_f32, _mm256_or_ps(a, b))
FM_OP1(vmask_f32, vm_not_f32, vmask_f32, _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1))))
FM_OP1(int, vm_any_f32, vmask_f32, _mm256_movemask_ps(a) != 0)

FM_OP1(vec_f32, v_round_f32, vec_f32, _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
FM_OP1(vint_f32, v_as_int_f32, vec_f32, _mm256_castps_si256(a))
FM_OP1(vec_f32, v_as_real_f32, vint_f32, _mm256_castsi256_ps(a))
FM_OP1(vint_f32, v_to_int_f32, vec_f32, _mm256_cvtps_epi32(a))
FM_OP1(vec_f32, v_from_int_f32, vint_f32, _mm256_cvtepi32_ps(a))
FM_OP1(vint_f32, vi_set1_f32, int32_t, _mm256_set1_epi32(a))
FM_OP2(vint_f32, vi_add_f32, vint_f32, _mm256_add_epi32(a, b))
FM_OP2(vint_f32, vi_sub_f32, vint_f32, _mm256_sub_epi32(a, b))
FM_OP2(vint_f32, vi_and_f32, vint_f32, _mm256_and_si256(a, b))
FM_OP2(vint_f32, vi_or_f32, vint_f32, _mm256_or_si256(a, b))
FM_OP2(vint_f32, vi_xor_f32, vint_f32, _mm256_xor_si256(a, b))
FM_OP2(vmask_f32, vi_gt_f32, vint_f32, _mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b)))
#define vi_shl_f32(i, n) _mm256_slli_epi32(i, n)
#define vi_shr_f32(i, n) _mm256_srli_epi32(i, n)

FM_OP1(vec_f64, v_load_f64, const double *, _mm256_loadu_pd(a))
FM_INLINE void v_store_f64(double *p, vec_f64 v) { _mm256_storeu_pd(p, v); }
FM_OP1(vec_f64, v_set1_f64, double, _mm256_set1_pd(a))
FM_OP0(vec_f64, v_zero_f64, _mm256_setzero_pd())

FM_OP2(vec_f64, v_add_f64, vec_f64, _mm256_add_pd(a, b))
FM_OP2(vec_f64, v_sub_f64, vec_f64, _mm256_sub_pd(a, b))
FM_OP2(vec_f64, v_mul_f64, vec_f64, _mm256_mul_pd(a, b))
FM_OP2(vec_f64, v_div_f64, vec_f64, _mm256_div_pd(a, b))
FM_OP2(vec_f64, v_max_f64, vec_f64, _mm256_max_pd(a, b))
FM_OP2(vec_f64, v_min_f64, vec_f64, _mm256_min_pd(a, b))
FM_OP2(vec_f64, v_and_f64, vec_f64, _mm256_and_pd(a, b))
FM_OP2(vec_f64, v_or_f64, vec_f64, _mm256_or_pd(a, b))
FM_OP2(vec_f64, v_xor_f64, vec_f64, _mm256_xor_pd(a, b))
FM_OP2(vec_f64, v_andnot_f64, vec_f64, _mm256_andnot_pd(a, b))
FM_OP1(vec_f64, v_sqrt_f64, vec_f64, _mm256_sqrt_pd(a))
FM_OP1(vec_f64, v_neg_f64, vec_f64, _mm256_xor_pd(a, _mm256_set1_pd(-0.0)))
FM_OP1(vec_f64, v_abs_f64, vec_f64, _mm256_andnot_pd(_mm256_set1_pd(-0.0), a))
FM_OP3(vec_f64, v_fma_f64, vec_f64, _mm256_fmadd_pd(a, b, c))
FM_OP3(vec_f64, v_fnma_f64, vec_f64, _mm256_fnmadd_pd(a, b, c))

FM_OP2(vmask_f64, v_lt_f64, vec_f64, _mm256_cmp_pd(a, b, _CMP_LT_OQ))
FM_OP2(vmask_f64, v_le_f64, vec_f64, _mm256_cmp_pd(a, b, _CMP_LE_OQ))
FM_OP2(vmask_f64, v_gt_f64, vec_f64, _mm256_cmp_pd(a, b, _CMP_GT_OQ))
FM_OP2(vmask_f64, v_ge_f64, vec_f64, _mm256_cmp_pd(a, b, _CMP_GE_OQ))
FM_OP2(vmask_f64, v_eq_f64, vec_f64, _mm256_cmp_pd(a, b, _CMP_EQ_OQ))
FM_OP1(vmask_f64, v_isnan_f64, vec_f64, _mm256_cmp_pd(a, a, _CMP_UNORD_Q))
FM_INLINE vec_f64 v_select_f64(vmask_f64 m, vec_f64 a, vec_f64 b) { return _mm256_blendv_pd(b, a, m); }
FM_OP2(vmask_f64, vm_and_f64, vmask_f64, _mm256_and_pd(a, b))
FM_OP2(vmask_f64, vm_or_f64, vmask_f64, _mm256_or_pd(a, b))
FM_OP1(vmask_f64, vm_not_f64, vmask_f64, _mm256_xor_pd(a, _mm256_castsi256_pd(_mm256_set1_epi32(-1))))
FM_OP1(int, vm_any_f64, vmask_f64, _mm256_movemask_pd(a) != 0)

FM_OP1(vec_f64, v_round_f64, vec_f64, _mm256_round_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
FM_OP1(vint_f64, v_as_int_f64, vec_f64, _mm256_castpd_si256(a))
FM_OP1(vec_f64, v_as_real_f64, vint_f64, _mm256_castsi256_pd(a))
/* AVX2 has no conversion between double and int64_t. For |x| < 2^51 the sum x + 1.5 * 2^52 holds
 * the integer in its low mantissa bits. */
FM_INLINE vint_f64 v_to_int_f64(vec_f64 a) {
    const __m256d magic = _mm256_set1_pd(0x1.8p52);
    return _mm256_sub_epi64(_mm256_castpd_si256(_mm256_add_pd(a, magic)), _mm256_castpd_si256(magic));
}
FM_INLINE vec_f64 v_from_int_f64(vint_f64 a) {
    const __m256d magic = _mm256_set1_pd(0x1.8p52);
    return _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(a, _mm256_castpd_si256(magic))), magic);
}
FM_OP1(vint_f64, vi_set1_f64, int64_t, _mm256_set1_epi64x(a))
FM_OP2(vint_f64, vi_add_f64, vint_f64, _mm256_add_epi64(a, b))
FM_OP2(vint_f64, vi_sub_f64, vint_f64, _mm256_sub_epi64(a, b))
FM_OP2(vint_f64, vi_and_f64, vint_f64, _mm256_and_si256(a, b))
FM_OP2(vint_f64, vi_or_f64, vint_f64, _mm256_or_si256(a, b))
FM_OP2(vint_f64, vi_xor_f64, vint_f64, _mm256_xor_si256(a, b))
FM_OP2(vmask_f64, vi_gt_f64, vint_f64, _mm256_castsi256_pd(_mm256_cmpgt_epi64(a, b)))
#define vi_shl_f64(i, n) _mm256_slli_epi64(i, n)
#define vi_shr_f64(i, n) _mm256_srli_epi64(i, n)

/* A window of this table is a lane mask: n lanes of ones, then zeros. */
static const int32_t fm_first_lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

FM_INLINE __m256i fm_first_f32(int n) { return _mm256_loadu_si256((const __m256i *)(fm_first_lanes + 8 - n)); }
FM_INLINE __m256i fm_first_f64(int n) { return _mm256_loadu_si256((const __m256i *)(fm_first_lanes + 8 - 2 * n)); }
FM_INLINE vec_f32 v_load_n_f32(const float *p, int n) { return _mm256_maskload_ps(p, fm_first_f32(n)); }
FM_INLINE vec_f64 v_load_n_f64(const double *p, int n) { return _mm256_maskload_pd(p, fm_first_f64(n)); }
FM_INLINE void v_store_n_f32(float *p, vec_f32 v, int n) { _mm256_maskstore_ps(p, fm_first_f32(n), v); }
FM_INLINE void v_store_n_f64(double *p, vec_f64 v, int n) { _mm256_maskstore_pd(p, fm_first_f64(n), v); }

/* Tree of halves: lane l is combined with lane l + lanes/2, then lanes/4, ... 1. */
FM_INLINE float v_sum_f32(vec_f32 v) {
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
FM_INLINE float v_hmax_f32(vec_f32 v) {
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}
FM_INLINE double v_sum_f64(vec_f64 v) {
    __m128d q = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(q, _mm_unpackhi_pd(q, q)));
}
FM_INLINE double v_hmax_f64(vec_f64 v) {
    __m128d q = _mm_max_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_max_sd(q, _mm_unpackhi_pd(q, q)));
}

/* Transposes each 4 x 4 block: r holds four rows; afterwards block b of r[j] holds column 4b+j of them. */
FM_INLINE void fm_transpose4_blocks(vec_f32 r[4]) {
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(r[0], r[1]));
    const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(r[0], r[1]));
    const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(r[2], r[3]));
    const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(r[2], r[3]));
    r[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
    r[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
    r[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
    r[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
}
FM_INLINE void v_transpose_f32(vec_f32 r[v_lanes_f32]) {
    fm_transpose4_blocks(r);
    fm_transpose4_blocks(r + 4);
    for (int j = 0; j < 4; j++) {
        const vec_f32 a = r[j], b = r[j + 4];
        r[j] = _mm256_permute2f128_ps(a, b, 0x20);
        r[j + 4] = _mm256_permute2f128_ps(a, b, 0x31);
    }
}
FM_INLINE void v_transpose_f64(vec_f64 r[v_lanes_f64]) {
    const vec_f64 a = _mm256_unpacklo_pd(r[0], r[1]), b = _mm256_unpackhi_pd(r[0], r[1]);
    const vec_f64 c = _mm256_unpacklo_pd(r[2], r[3]), d = _mm256_unpackhi_pd(r[2], r[3]);
    r[0] = _mm256_permute2f128_pd(a, c, 0x20);
    r[1] = _mm256_permute2f128_pd(b, d, 0x20);
    r[2] = _mm256_permute2f128_pd(a, c, 0x31);
    r[3] = _mm256_permute2f128_pd(b, d, 0x31);
}

#endif
