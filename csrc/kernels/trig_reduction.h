/* Reduction of large arguments by pi / 2, one number at a time. It uses integers only, so every ISA has the same
   bits. */
#ifndef FM_KERNELS_TRIG_REDUCTION_H
#define FM_KERNELS_TRIG_REDUCTION_H

#include <stdint.h>
#include <string.h>

/* x = (quadrant + 4 k) pi / 2 + sign * mantissa * 2^exponent, with an integer k, a sign of -1 or 1, and a mantissa of 63
   or 64 bits. */
typedef struct {
    int quadrant, sign, exponent;
    uint64_t mantissa;
} fm_reduced;

/* The bits of 2 / pi after 64 zeros, up to the last bit that the largest double needs; and pi / 2 times 2^63. */
static const uint64_t fm_two_over_pi[] = {
    0x0000000000000000u, 0xa2f9836e4e441529u, 0xfc2757d1f534ddc0u, 0xdb6295993c439041u, 0xfe5163abdebbc561u,
    0xb7246e3a424dd2e0u, 0x06492eea09d1921cu, 0xfe1deb1cb129a73eu, 0xe88235f52ebb4484u, 0xe99c7026b45f7e41u,
    0x3991d639835339f4u, 0x9c845f8bbdf9283bu, 0x1ff897ffde05980fu, 0xef2f118b5a0a6d1fu, 0x6d367ecf27cb09b7u,
    0x4f463f669e5fea2du, 0x7527bac7ebe5f17bu, 0x3d0739f78a5292eau, 0x6bfb5fb11f8d5d08u, 0x56033046fc7b6babu};
static const uint64_t fm_half_pi = 0xc90fdaa22168c235u;

/* The 64 bits of fm_two_over_pi from bit `first` on. */
static inline uint64_t fm_two_over_pi_bits(int first) {
    const uint64_t *word = fm_two_over_pi + first / 64;
    const int used = first % 64;
    return word[0] << used | word[1] >> 1 >> (63 - used);
}

/* The upper 64 bits of a product. */
static inline uint64_t fm_multiply_high(uint64_t a, uint64_t b) {
    const uint64_t mask = 0xffffffffu, low = (a & mask) * (b & mask);
    const uint64_t middle = (a >> 32) * (b & mask) + (low >> 32), other = (a & mask) * (b >> 32) + (middle & mask);
    return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
}

/* For finite x >= 2^15 (M. H. Payne and R. N. Hanek, SIGNUM Newsletter 18, 1983). With x = m 2^e, it reads only 192
   bits of 2 / pi, from that of weight 2^(1-e) on. The bits before give multiples of 4, those after less than 2^-137.
   No double is nearer than 2^-62 to a multiple of pi / 2, so the relative error is below 2^-61. */
static inline fm_reduced fm_reduce_large(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int e = (int)(bits >> 52 & 0x7ff) - 1075, first = 64 + e - 2;
    const uint64_t m = (bits & 0xfffffffffffffu) | 0x10000000000000u;
    const uint64_t upper = fm_two_over_pi_bits(first), lower = fm_two_over_pi_bits(first + 64);
    const uint64_t last = fm_two_over_pi_bits(first + 128), carried = fm_multiply_high(m, last);
    /* x 2 / pi / 4 without its integral part, times 2^192. */
    const uint64_t middle = m * lower + carried;
    const uint64_t high = m * upper + fm_multiply_high(m, lower) + (middle < carried);
    /* Four times that is an integer, the nearest one, and this times 2^128. */
    uint64_t rest = high << 2 | middle >> 62, rest_low = middle << 2 | m * last >> 62;
    fm_reduced r = {.quadrant = (int)((high + ((uint64_t)1 << 61)) >> 62), .sign = 1};
    if (rest >> 63) {
        r.sign = -1;
        rest_low = -rest_low;
        rest = ~rest + (rest_low == 0);
    }
    const int zeros = __builtin_clzll(rest); /* at least 1: no distance is exactly 1/2 */
    const uint64_t scaled = rest << zeros | rest_low >> (64 - zeros);
    r.mantissa = fm_multiply_high(scaled, fm_half_pi);
    r.exponent = -63 - zeros;
    return r;
}

#endif
