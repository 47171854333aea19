/* The vocabulary of simd.h in the vector extensions of GCC and Clang: runs on any processor, without FMA. */
#ifndef FM_SIMD_PORTABLE_H
#define FM_SIMD_PORTABLE_H

typedef float vec_f32 __attribute__((vector_size(16)));
typedef double vec_f64 __attribute__((vector_size(16)));
typedef int32_t vint_f32 __attribute__((vector_size(16)));
typedef int64_t vint_f64 __attribute__((vector_size(16)));
typedef uint32_t fm_uint_f32 __attribute__((vector_size(16)));
typedef uint64_t fm_uint_f64 __attribute__((vector_size(16)));
typedef vint_f32 vmask_f32;
typedef vint_f64 vmask_f64;

#define v_lanes_f32 4
#define v_lanes_f64 2

FM_INLINE vec_f32 v_load_f32(const float *p) {
    vec_f32 v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
FM_INLINE void v_store_f32(float *p, vec_f32 v) { __builtin_memcpy(p, &v, sizeof v); }
FM_INLINE vec_f32 v_set1_f32(float a) { return (vec_f32){a, a, a, a}; }
FM_INLINE vec_f32 v_zero_f32(void) { return (vec_f32){0}; }
FM_INLINE vint_f32 vi_set1_f32(int32_t a) { return (vint_f32){a, a, a, a}; }

FM_OP1(vint_f32, v_as_int_f32, vec_f32, (vint_f32)a)
FM_OP1(vec_f32, v_as_real_f32, vint_f32, (vec_f32)a)
FM_INLINE vec_f32 v_select_f32(vmask_f32 m, vec_f32 a, vec_f32 b) {
    return (vec_f32)((m & (vint_f32)a) | (~m & (vint_f32)b));
}

FM_OP2(vec_f32, v_add_f32, vec_f32, a + b)
FM_OP2(vec_f32, v_sub_f32, vec_f32, a - b)
FM_OP2(vec_f32, v_mul_f32, vec_f32, (a * b))
FM_OP2(vec_f32, v_div_f32, vec_f32, a / b)
FM_OP2(vec_f32, v_max_f32, vec_f32, v_select_f32(a > b, a, b))
FM_OP2(vec_f32, v_min_f32, vec_f32, v_select_f32(a < b, a, b))
FM_OP2(vec_f32, v_and_f32, vec_f32, (vec_f32)((vint_f32)a & (vint_f32)b))
FM_OP2(vec_f32, v_or_f32, vec_f32, (vec_f32)((vint_f32)a | (vint_f32)b))
FM_OP2(vec_f32, v_xor_f32, vec_f32, (vec_f32)((vint_f32)a ^ (vint_f32)b))
FM_OP2(vec_f32, v_andnot_f32, vec_f32, (vec_f32)(~(vint_f32)a & (vint_f32)b))
FM_OP1(vec_f32, v_neg_f32, vec_f32, -a)
FM_OP1(vec_f32, v_abs_f32, vec_f32, v_andnot_f32(v_set1_f32(-0.0f), a))
FM_OP3(vec_f32, v_fma_f32, vec_f32, (a * b + c))
FM_OP3(vec_f32, v_fnma_f32, vec_f32, c - a * b)
FM_INLINE vec_f32 v_sqrt_f32(vec_f32 a) {
    for (int l = 0; l < v_lanes_f32; l++) a[l] = __builtin_sqrtf(a[l]);
    return a;
}

FM_OP2(vmask_f32, v_lt_f32, vec_f32, a < b)
FM_OP2(vmask_f32, v_le_f32, vec_f32, a <= b)
FM_OP2(vmask_f32, v_gt_f32, vec_f32, a > b)
FM_OP2(vmask_f32, v_ge_f32, vec_f32, a >= b)
FM_OP2(vmask_f32, v_eq_f32, vec_f32, a == b)
FM_OP1(vmask_f32, v_isnan_f32, vec_f32, a != a)
FM_OP2(vmask_f32, vm_and_f32, vmask_f32, (a & b))
FM_OP2(vmask_f32, vm_or_f32, vmask_f32, a | b)
FM_OP1(vmask_f32, vm_not_f32, vmask_f32, ~a)
FM_OP1(int, vm_any_f32, vmask_f32, (a[0] | a[1] | a[2] | a[3]) != 0)

/* Adding and subtracting 0x1p23f rounds |a| to an integer; larger numbers are already integers. */
FM_INLINE vec_f32 v_round_f32(vec_f32 a) {
    const vec_f32 big = v_set1_f32(0x1p23f), magnitude = v_abs_f32(a);
    const vec_f32 rounded = v_or_f32((magnitude + big) - big, v_and_f32(a, v_set1_f32(-0.0f)));
    return v_select_f32(magnitude < big, rounded, a);
}
FM_OP1(vint_f32, v_to_int_f32, vec_f32, __builtin_convertvector(a, vint_f32))
FM_OP1(vec_f32, v_from_int_f32, vint_f32, __builtin_convertvector(a, vec_f32))
FM_OP2(vint_f32, vi_add_f32, vint_f32, (vint_f32)((fm_uint_f32)a + (fm_uint_f32)b))
FM_OP2(vint_f32, vi_sub_f32, vint_f32, (vint_f32)((fm_uint_f32)a - (fm_uint_f32)b))
FM_OP2(vint_f32, vi_and_f32, vint_f32, (a & b))
FM_OP2(vint_f32, vi_or_f32, vint_f32, a | b)
FM_OP2(vint_f32, vi_xor_f32, vint_f32, a ^ b)
FM_OP2(vmask_f32, vi_gt_f32, vint_f32, a > b)
#define vi_shl_f32(i, n) ((vint_f32)((fm_uint_f32)(i) << (n)))
#define vi_shr_f32(i, n) ((vint_f32)((fm_uint_f32)(i) >> (n)))

/* Four steps for four bytes, which become 32-bit numbers. */
enum { v_byte_parts_f32 = 4 };
FM_INLINE vint_f32 v_unsigned_bytes_f32(vint_f32 i, int step) {
    return (vint_f32)(((fm_uint_f32)i >> (8 * step)) & 255);
}
FM_INLINE vint_f32 v_signed_bytes_f32(vint_f32 i, int step) {
    return (vint_f32)((fm_uint_f32)i << (24 - 8 * step)) >> 24;
}
FM_OP3(vint_f32, v_dot_bytes_f32, vint_f32, (vint_f32)((fm_uint_f32)c + (fm_uint_f32)a * (fm_uint_f32)b))
FM_INLINE void v_store_bytes_f32(uint8_t *p, vint_f32 i) {
    for (int l = 0; l < v_lanes_f32; l++) p[l] = (uint8_t)i[l];
}

FM_INLINE vec_f32 v_load_n_f32(const float *p, int n) {
    vec_f32 v = {0};
    for (int l = 0; l < n; l++) v[l] = p[l];
    return v;
}
FM_INLINE void v_store_n_f32(float *p, vec_f32 v, int n) {
    for (int l = 0; l < n; l++) p[l] = v[l];
}
/* Tree of halves: lane l is combined with lane l + lanes/2, then lanes/4, ... 1. */
FM_INLINE float v_sum_f32(vec_f32 v) { return (v[0] + v[2]) + (v[1] + v[3]); }
FM_INLINE float v_hmax_f32(vec_f32 v) {
    const float a = v[0] > v[2] ? v[0] : v[2], b = v[1] > v[3] ? v[1] : v[3];
    return a > b ? a : b;
}
FM_INLINE void v_transpose_f32(vec_f32 r[v_lanes_f32]) {
    for (int i = 0; i < v_lanes_f32; i++)
        for (int j = 0; j < i; j++) {
            const float swap = r[i][j];
            r[i][j] = r[j][i];
            r[j][i] = swap;
        }
}

FM_INLINE vec_f64 v_load_f64(const double *p) {
    vec_f64 v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
FM_INLINE void v_store_f64(double *p, vec_f64 v) { __builtin_memcpy(p, &v, sizeof v); }
FM_INLINE vec_f64 v_set1_f64(double a) { return (vec_f64){a, a}; }
FM_INLINE vec_f64 v_zero_f64(void) { return (vec_f64){0}; }
FM_INLINE vint_f64 vi_set1_f64(int64_t a) { return (vint_f64){a, a}; }

FM_OP1(vint_f64, v_as_int_f64, vec_f64, (vint_f64)a)
FM_OP1(vec_f64, v_as_real_f64, vint_f64, (vec_f64)a)
FM_INLINE vec_f64 v_select_f64(vmask_f64 m, vec_f64 a, vec_f64 b) {
    return (vec_f64)((m & (vint_f64)a) | (~m & (vint_f64)b));
}

FM_OP2(vec_f64, v_add_f64, vec_f64, a + b)
FM_OP2(vec_f64, v_sub_f64, vec_f64, a - b)
FM_OP2(vec_f64, v_mul_f64, vec_f64, (a * b))
FM_OP2(vec_f64, v_div_f64, vec_f64, a / b)
FM_OP2(vec_f64, v_max_f64, vec_f64, v_select_f64(a > b, a, b))
FM_OP2(vec_f64, v_min_f64, vec_f64, v_select_f64(a < b, a, b))
FM_OP2(vec_f64, v_and_f64, vec_f64, (vec_f64)((vint_f64)a & (vint_f64)b))
FM_OP2(vec_f64, v_or_f64, vec_f64, (vec_f64)((vint_f64)a | (vint_f64)b))
FM_OP2(vec_f64, v_xor_f64, vec_f64, (vec_f64)((vint_f64)a ^ (vint_f64)b))
FM_OP2(vec_f64, v_andnot_f64, vec_f64, (vec_f64)(~(vint_f64)a & (vint_f64)b))
FM_OP1(vec_f64, v_neg_f64, vec_f64, -a)
FM_OP1(vec_f64, v_abs_f64, vec_f64, v_andnot_f64(v_set1_f64(-0.0), a))
FM_OP3(vec_f64, v_fma_f64, vec_f64, (a * b + c))
FM_OP3(vec_f64, v_fnma_f64, vec_f64, c - a * b)
FM_INLINE vec_f64 v_sqrt_f64(vec_f64 a) {
    for (int l = 0; l < v_lanes_f64; l++) a[l] = __builtin_sqrt(a[l]);
    return a;
}

FM_OP2(vmask_f64, v_lt_f64, vec_f64, a < b)
FM_OP2(vmask_f64, v_le_f64, vec_f64, a <= b)
FM_OP2(vmask_f64, v_gt_f64, vec_f64, a > b)
FM_OP2(vmask_f64, v_ge_f64, vec_f64, a >= b)
FM_OP2(vmask_f64, v_eq_f64, vec_f64, a == b)
FM_OP1(vmask_f64, v_isnan_f64, vec_f64, a != a)
FM_OP2(vmask_f64, vm_and_f64, vmask_f64, (a & b))
FM_OP2(vmask_f64, vm_or_f64, vmask_f64, a | b)
FM_OP1(vmask_f64, vm_not_f64, vmask_f64, ~a)
FM_OP1(int, vm_any_f64, vmask_f64, (a[0] | a[1]) != 0)

/* Adding and subtracting 0x1p52 rounds |a| to an integer; larger numbers are already integers. */
FM_INLINE vec_f64 v_round_f64(vec_f64 a) {
    const vec_f64 big = v_set1_f64(0x1p52), magnitude = v_abs_f64(a);
    const vec_f64 rounded = v_or_f64((magnitude + big) - big, v_and_f64(a, v_set1_f64(-0.0)));
    return v_select_f64(magnitude < big, rounded, a);
}
FM_OP1(vint_f64, v_to_int_f64, vec_f64, __builtin_convertvector(a, vint_f64))
FM_OP1(vec_f64, v_from_int_f64, vint_f64, __builtin_convertvector(a, vec_f64))
FM_OP2(vint_f64, vi_add_f64, vint_f64, (vint_f64)((fm_uint_f64)a + (fm_uint_f64)b))
FM_OP2(vint_f64, vi_sub_f64, vint_f64, (vint_f64)((fm_uint_f64)a - (fm_uint_f64)b))
FM_OP2(vint_f64, vi_and_f64, vint_f64, (a & b))
FM_OP2(vint_f64, vi_or_f64, vint_f64, a | b)
FM_OP2(vint_f64, vi_xor_f64, vint_f64, a ^ b)
FM_OP2(vmask_f64, vi_gt_f64, vint_f64, a > b)
#define vi_shl_f64(i, n) ((vint_f64)((fm_uint_f64)(i) << (n)))
#define vi_shr_f64(i, n) ((vint_f64)((fm_uint_f64)(i) >> (n)))

FM_INLINE vec_f64 v_load_n_f64(const double *p, int n) {
    vec_f64 v = {0};
    for (int l = 0; l < n; l++) v[l] = p[l];
    return v;
}
FM_INLINE void v_store_n_f64(double *p, vec_f64 v, int n) {
    for (int l = 0; l < n; l++) p[l] = v[l];
}
FM_INLINE double v_sum_f64(vec_f64 v) { return v[0] + v[1]; }
FM_INLINE double v_hmax_f64(vec_f64 v) { return v[0] > v[1] ? v[0] : v[1]; }
FM_INLINE void v_transpose_f64(vec_f64 r[v_lanes_f64]) {
    for (int i = 0; i < v_lanes_f64; i++)
        for (int j = 0; j < i; j++) {
            const double swap = r[i][j];
            r[i][j] = r[j][i];
            r[j][i] = swap;
        }
}

#endif
