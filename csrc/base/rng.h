/* Random numbers as a pure function of (seed, stream, step, index): Philox4x32-10 (Salmon, Moraes, Dror & Shaw,
   "Parallel random numbers: as easy as 1, 2, 3", SC 2011). docs/numerics.md defines the numbering.

   Element e is word (e % 64) / 16 of block (e / 64) * 16 + e % 16. So 16 adjacent elements are the same word of 16
   blocks, and vector code of any width needs no shuffling. */
#ifndef FM_BASE_RNG_H
#define FM_BASE_RNG_H

#include <stdint.h>

enum { FM_RNG_GROUP = 64, FM_STREAM_ACTIONS = -3, FM_STREAM_SPLIT = -2, FM_STREAM_SHUFFLE = -1 };

typedef struct {
    uint32_t key[2];
    uint32_t stream, step;
} fm_rng;

static inline fm_rng fm_rng_make(uint64_t seed, uint32_t stream, uint32_t step) {
    return (fm_rng){{(uint32_t)seed, (uint32_t)(seed >> 32)}, stream, step};
}

/* The 64 words of elements 64 * group .. 64 * group + 63. Plain loops: the compiler vectorises them for every ISA,
   and integer arithmetic gives the same result on all of them. Each 32-bit number has a lane of 64 bits, whose upper
   half may hold anything: so products need no lane to be moved. */
static inline __attribute__((always_inline)) void fm_rng_group(const fm_rng *rng, uint64_t group, uint32_t *out) {
    uint64_t c0[16], c1[16], c2[16], c3[16];
    uint32_t k0 = rng->key[0], k1 = rng->key[1];
    for (int i = 0; i < 16; i++) {
        uint64_t block = group * 16 + (uint64_t)i;
        c0[i] = block;
        c1[i] = block >> 32;
        c2[i] = rng->step;
        c3[i] = rng->stream;
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 16; i++) {
            uint64_t p0 = 0xD2511F53u * (c0[i] & 0xFFFFFFFFu), p1 = 0xCD9E8D57u * (c2[i] & 0xFFFFFFFFu);
            uint64_t n0 = (p1 >> 32) ^ c1[i] ^ k0, n2 = (p0 >> 32) ^ c3[i] ^ k1;
            c1[i] = p1;
            c3[i] = p0;
            c0[i] = n0;
            c2[i] = n2;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 16; i++) {
        out[i] = (uint32_t)c0[i];
        out[16 + i] = (uint32_t)c1[i];
        out[32 + i] = (uint32_t)c2[i];
        out[48 + i] = (uint32_t)c3[i];
    }
}

void fm_random_uniform(const fm_rng *rng, int64_t n, double *out); /* in (0, 1) */
void fm_random_normal(const fm_rng *rng, int64_t n, double *out);
/* Elements from .. from + n. */
void fm_random_uniform_from(const fm_rng *rng, uint64_t from, int64_t n, double *out);
void fm_random_normal_from(const fm_rng *rng, uint64_t from, int64_t n, double *out);
void fm_random_keep(const fm_rng *rng, int64_t n, double p, uint8_t *out); /* 1: dropout keeps the element */
void fm_permutation(uint64_t seed, uint32_t epoch, int64_t n, int64_t *out);

/* Dropout drops an element if its word is below this. */
static inline uint64_t fm_drop_threshold(double p) { return (uint64_t)(p * 4294967296.0); }

#endif
