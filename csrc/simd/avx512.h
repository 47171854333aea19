/* The vocabulary of simd.h for AVX-512 (F, BW, DQ, VL), also with the BF16 extension. */
#ifndef FM_SIMD_AVX512_H
#define FM_SIMD_AVX512_H

#include <immintrin.h>

typedef __m512 vec_f32;
typedef __m512d vec_f64;
typedef __m512i vint_f32;
typedef __m512i vint_f64;
typedef __mmask16 vmask_f32;
typedef __mmask8 vmask_f64;

#define v_lanes_f32 16
#define v_lanes_f64 8

#if defined(FM_ISA_AVX512BF16)
#define FM_HAS_BF16_DOT 1
FM_OP3(vec_f32, v_bf16_dot_f32, vec_f32,
       _mm512_dpbf16_ps(c, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b)))
/* The conversion puts the lanes of b before those of a; then they are interleaved. */
FM_INLINE vec_f32 v_bf16_pair_f32(vec_f32 a, vec_f32 b) {
    const __m512i lower = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i upper = _mm512_slli_epi32(_mm512_add_epi32(lower, _mm512_set1_epi32(16)), 16);
    const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(a, b);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_or_si512(upper, lower), halves));
}
FM_INLINE vec_f32 v_bf16_words_f32(vec_f32 a, vec_f32 b) {
    return _mm512_castsi512_ps(_mm512_rol_epi32((__m512i)_mm512_cvtne2ps_pbh(b, a), 16));
}
#endif

#if defined(FM_ISA_AVX512BF16)
enum { v_byte_parts_f32 = 1 };
FM_INLINE vint_f32 v_unsigned_bytes_f32(vint_f32 i, int step) { return (void)step, i; }
FM_INLINE vint_f32 v_signed_bytes_f32(vint_f32 i, int step) { return (void)step, i; }
FM_OP3(vint_f32, v_dot_bytes_f32, vint_f32, _mm512_dpbusd_epi32(c, a, b))
#else
/* Two steps, for the bytes with even and with odd numbers, which become 16-bit numbers. */
enum { v_byte_parts_f32 = 2 };
FM_INLINE vint_f32 v_unsigned_bytes_f32(vint_f32 i, int step) {
    return step == 0 ? _mm512_and_si512(i, _mm512_set1_epi16(255)) : _mm512_srli_epi16(i, 8);
}
FM_INLINE vint_f32 v_signed_bytes_f32(vint_f32 i, int step) {
    return _mm512_srai_epi16(step == 0 ? _mm512_slli_epi16(i, 8) : i, 8);
}
FM_OP3(vint_f32, v_dot_bytes_f32, vint_f32, _mm512_add_epi32(c, _mm512_madd_epi16(a, b)))
#endif
FM_INLINE void v_store_bytes_f32(uint8_t *p, vint_f32 i) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(i)); }

FM_OP1(vec_f32, v_load_f32, const float *, _mm512_loadu_ps(a))
FM_INLINE void v_store_f32(float *p, vec_f32 v) { _mm512_storeu_ps(p, v); }
FM_OP1(vec_f32, v_set1_f32, float, _mm512_set1_ps(a))
FM_OP0(vec_f32, v_zero_f32, _mm512_setzero_ps())

FM_OP2(vec_f32, v_add_f32, vec_f32, _mm512_add_ps(a, b))
FM_OP2(vec_f32, v_sub_f32, vec_f32, _mm512_sub_ps(a, b))
FM_OP2(vec_f32, v_mul_f32, vec_f32, _mm512_mul_ps(a, b))
FM_OP2(vec_f32, v_div_f32, vec_f32, _mm512_div_ps(a, b))
FM_OP2(vec_f32, v_max_f32, vec_f32, _mm512_max_ps(a, b))
FM_OP2(vec_f32, v_min_f32, vec_f32, _mm512_min_ps(a, b))
FM_OP2(vec_f32, v_and_f32, vec_f32, _mm512_and_ps(a, b))
FM_OP2(vec_f32, v_or_f32, vec_f32, _mm512_or_ps(a, b))
FM_OP2(vec_f32, v_xor_f32, vec_f32, _mm512_xor_ps(a, b))
FM_OP2(vec_f32, v_andnot_f32, vec_f32, _mm512_andnot_ps(a, b))
FM_OP1(vec_f32, v_sqrt_f32, vec_f32, _mm512_sqrt_ps(a))
FM_OP1(vec_f32, v_neg_f32, vec_f32, _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)))
FM_OP1(vec_f32, v_abs_f32, vec_f32, _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a))
FM_OP3(vec_f32, v_fma_f32, vec_f32, _mm512_fmadd_ps(a, b, c))
FM_OP3(vec_f32, v_fnma_f32, vec_f32, _mm512_fnmadd_ps(a, b, c))

FM_OP2(vmask_f32, v_lt_f32, vec_f32, _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ))
FM_OP2(vmask_f32, v_le_f32, vec_f32, _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ))
FM_OP2(vmask_f32, v_gt_f32, vec_f32, _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ))
FM_OP2(vmask_f32, v_ge_f32, vec_f32, _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ))
FM_OP2(vmask_f32, v_eq_f32, vec_f32, _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ))
FM_OP1(vmask_f32, v_isnan_f32, vec_f32, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q))
FM_INLINE vec_f32 v_select_f32(vmask_f32 m, vec_f32 a, vec_f32 b) { return _mm512_mask_blend_ps(m, b, a); }
FM_OP2(vmask_f32, vm_and_f32, vmask_f32, (vmask_f32)(a & b))
FM_OP2(vmask_f32, vm_or_f32, vmask_f32, (vmask_f32)(a | b))
FM_OP1(vmask_f32, vm_not_f32, vmask_f32, (vmask_f32)~a)
FM_OP1(int, vm_any_f32, vmask_f32, a != 0)

FM_OP1(vec_f32, v_round_f32, vec_f32, _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
FM_OP1(vint_f32, v_as_int_f32, vec_f32, _mm512_castps_si512(a))
FM_OP1(vec_f32, v_as_real_f32, vint_f32, _mm512_castsi512_ps(a))
FM_OP1(vint_f32, v_to_int_f32, vec_f32, _mm512_cvtps_epi32(a))
FM_OP1(vec_f32, v_from_int_f32, vint_f32, _mm512_cvtepi32_ps(a))
FM_OP1(vint_f32, vi_set1_f32, int32_t, _mm512_set1_epi32(a))
FM_OP2(vint_f32, vi_add_f32, vint_f32, _mm512_add_epi32(a, b))
FM_OP2(vint_f32, vi_sub_f32, vint_f32, _mm512_sub_epi32(a, b))
FM_OP2(vint_f32, vi_and_f32, vint_f32, _mm512_and_si512(a, b))
FM_OP2(vint_f32, vi_or_f32, vint_f32, _mm512_or_si512(a, b))
FM_OP2(vint_f32, vi_xor_f32, vint_f32, _mm512_xor_si512(a, b))
FM_OP2(vmask_f32, vi_gt_f32, vint_f32, _mm512_cmpgt_epi32_mask(a, b))
#define vi_shl_f32(i, n) _mm512_slli_epi32(i, n)
#define vi_shr_f32(i, n) _mm512_srli_epi32(i, n)

FM_OP1(vec_f64, v_load_f64, const double *, _mm512_loadu_pd(a))
FM_INLINE void v_store_f64(double *p, vec_f64 v) { _mm512_storeu_pd(p, v); }
FM_OP1(vec_f64, v_set1_f64, double, _mm512_set1_pd(a))
FM_OP0(vec_f64, v_zero_f64, _mm512_setzero_pd())

FM_OP2(vec_f64, v_add_f64, vec_f64, _mm512_add_pd(a, b))
FM_OP2(vec_f64, v_sub_f64, vec_f64, _mm512_sub_pd(a, b))
FM_OP2(vec_f64, v_mul_f64, vec_f64, _mm512_mul_pd(a, b))
FM_OP2(vec_f64, v_div_f64, vec_f64, _mm512_div_pd(a, b))
FM_OP2(vec_f64, v_max_f64, vec_f64, _mm512_max_pd(a, b))
FM_OP2(vec_f64, v_min_f64, vec_f64, _mm512_min_pd(a, b))
FM_OP2(vec_f64, v_and_f64, vec_f64, _mm512_and_pd(a, b))
FM_OP2(vec_f64, v_or_f64, vec_f64, _mm512_or_pd(a, b))
FM_OP2(vec_f64, v_xor_f64, vec_f64, _mm512_xor_pd(a, b))
FM_OP2(vec_f64, v_andnot_f64, vec_f64, _mm512_andnot_pd(a, b))
FM_OP1(vec_f64, v_sqrt_f64, vec_f64, _mm512_sqrt_pd(a))
FM_OP1(vec_f64, v_neg_f64, vec_f64, _mm512_xor_pd(a, _mm512_set1_pd(-0.0)))
FM_OP1(vec_f64, v_abs_f64, vec_f64, _mm512_andnot_pd(_mm512_set1_pd(-0.0), a))
FM_OP3(vec_f64, v_fma_f64, vec_f64, _mm512_fmadd_pd(a, b, c))
FM_OP3(vec_f64, v_fnma_f64, vec_f64, _mm512_fnmadd_pd(a, b, c))

FM_OP2(vmask_f64, v_lt_f64, vec_f64, _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ))
FM_OP2(vmask_f64, v_le_f64, vec_f64, _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ))
FM_OP2(vmask_f64, v_gt_f64, vec_f64, _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ))
FM_OP2(vmask_f64, v_ge_f64, vec_f64, _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ))
FM_OP2(vmask_f64, v_eq_f64, vec_f64, _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ))
FM_OP1(vmask_f64, v_isnan_f64, vec_f64, _mm512_cmp_pd_mask(a, a, _CMP_UNORD_Q))
FM_INLINE vec_f64 v_select_f64(vmask_f64 m, vec_f64 a, vec_f64 b) { return _mm512_mask_blend_pd(m, b, a); }
FM_OP2(vmask_f64, vm_and_f64, vmask_f64, (vmask_f64)(a & b))
FM_OP2(vmask_f64, vm_or_f64, vmask_f64, (vmask_f64)(a | b))
FM_OP1(vmask_f64, vm_not_f64, vmask_f64, (vmask_f64)~a)
FM_OP1(int, vm_any_f64, vmask_f64, a != 0)

FM_OP1(vec_f64, v_round_f64, vec_f64, _mm512_roundscale_pd(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
FM_OP1(vint_f64, v_as_int_f64, vec_f64, _mm512_castpd_si512(a))
FM_OP1(vec_f64, v_as_real_f64, vint_f64, _mm512_castsi512_pd(a))
FM_OP1(vint_f64, v_to_int_f64, vec_f64, _mm512_cvtpd_epi64(a))
FM_OP1(vec_f64, v_from_int_f64, vint_f64, _mm512_cvtepi64_pd(a))
FM_OP1(vint_f64, vi_set1_f64, int64_t, _mm512_set1_epi64(a))
FM_OP2(vint_f64, vi_add_f64, vint_f64, _mm512_add_epi64(a, b))
FM_OP2(vint_f64, vi_sub_f64, vint_f64, _mm512_sub_epi64(a, b))
FM_OP2(vint_f64, vi_and_f64, vint_f64, _mm512_and_si512(a, b))
FM_OP2(vint_f64, vi_or_f64, vint_f64, _mm512_or_si512(a, b))
FM_OP2(vint_f64, vi_xor_f64, vint_f64, _mm512_xor_si512(a, b))
FM_OP2(vmask_f64, vi_gt_f64, vint_f64, _mm512_cmpgt_epi64_mask(a, b))
#define vi_shl_f64(i, n) _mm512_slli_epi64(i, n)
#define vi_shr_f64(i, n) _mm512_srli_epi64(i, n)

FM_INLINE __mmask16 fm_first_f32(int n) { return (__mmask16)((1u << n) - 1u); }
FM_INLINE __mmask8 fm_first_f64(int n) { return (__mmask8)((1u << n) - 1u); }
FM_INLINE vec_f32 v_load_n_f32(const float *p, int n) { return _mm512_maskz_loadu_ps(fm_first_f32(n), p); }
FM_INLINE vec_f64 v_load_n_f64(const double *p, int n) { return _mm512_maskz_loadu_pd(fm_first_f64(n), p); }
FM_INLINE void v_store_n_f32(float *p, vec_f32 v, int n) { _mm512_mask_storeu_ps(p, fm_first_f32(n), v); }
FM_INLINE void v_store_n_f64(double *p, vec_f64 v, int n) { _mm512_mask_storeu_pd(p, fm_first_f64(n), v); }

/* Tree of halves: lane l is combined with lane l + lanes/2, then lanes/4, ... 1. */
FM_INLINE float v_sum_f32(vec_f32 v) {
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
FM_INLINE float v_hmax_f32(vec_f32 v) {
    const __m256 h = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}
FM_INLINE double v_sum_f64(vec_f64 v) {
    const __m256d h = _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1));
    const __m128d q = _mm_add_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
    return _mm_cvtsd_f64(_mm_add_sd(q, _mm_unpackhi_pd(q, q)));
}
FM_INLINE double v_hmax_f64(vec_f64 v) {
    const __m256d h = _mm256_max_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1));
    const __m128d q = _mm_max_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));
    return _mm_cvtsd_f64(_mm_max_sd(q, _mm_unpackhi_pd(q, q)));
}

/* Transposes each 4 x 4 block: r holds four rows; afterwards block b of r[j] holds column 4b+j of them. */
FM_INLINE void fm_transpose4_blocks(vec_f32 r[4]) {
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(r[0], r[1]));
    const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(r[0], r[1]));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(r[2], r[3]));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(r[2], r[3]));
    r[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    r[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    r[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    r[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
}
/* Transposes the 4 x 4 square of 128-bit blocks whose rows are r[0], r[step], r[2 step], r[3 step]. */
FM_INLINE void fm_transpose_blocks(vec_f64 *r, int step) {
    const vec_f64 a = _mm512_shuffle_f64x2(r[0], r[step], 0x88);
    const vec_f64 b = _mm512_shuffle_f64x2(r[0], r[step], 0xdd);
    const vec_f64 c = _mm512_shuffle_f64x2(r[2 * step], r[3 * step], 0x88);
    const vec_f64 d = _mm512_shuffle_f64x2(r[2 * step], r[3 * step], 0xdd);
    r[0] = _mm512_shuffle_f64x2(a, c, 0x88);
    r[step] = _mm512_shuffle_f64x2(b, d, 0x88);
    r[2 * step] = _mm512_shuffle_f64x2(a, c, 0xdd);
    r[3 * step] = _mm512_shuffle_f64x2(b, d, 0xdd);
}
FM_INLINE void v_transpose_f32(vec_f32 r[v_lanes_f32]) {
    for (int g = 0; g < 16; g += 4) fm_transpose4_blocks(r + g);
    for (int j = 0; j < 4; j++) {
        vec_f64 column[4];
        for (int g = 0; g < 4; g++) column[g] = _mm512_castps_pd(r[4 * g + j]);
        fm_transpose_blocks(column, 1);
        for (int b = 0; b < 4; b++) r[4 * b + j] = _mm512_castpd_ps(column[b]);
    }
}
FM_INLINE void v_transpose_f64(vec_f64 r[v_lanes_f64]) {
    for (int g = 0; g < 8; g += 2) {
        const vec_f64 a = r[g], b = r[g + 1];
        r[g] = _mm512_unpacklo_pd(a, b);
        r[g + 1] = _mm512_unpackhi_pd(a, b);
    }
    fm_transpose_blocks(r, 2);
    fm_transpose_blocks(r + 1, 2);
}

#endif
