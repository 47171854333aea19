/* The fastest that a core can compute: fused multiply-adds between registers, without memory. And the shortest time in
   which two threads can signal each other.

   limits.py compiles this once for each instruction set; VECTOR_BYTES is the vector width. The chains are
   independent. There are enough to hide the latency of the operation on two units (8 with a latency of 4), and few
   enough to stay in registers with the two factors. */
#if VECTOR_BYTES == 64
#define CHAINS 16 /* of 32 registers */
#elif VECTOR_BYTES == 32
#define CHAINS 12 /* of 16 registers */
#elif defined(__aarch64__)
#define CHAINS 24 /* of 32 registers; four units */
#else
#define CHAINS 12
#endif

#define DEFINE_PEAK(T)                                                                     \
    typedef T vec_##T __attribute__((vector_size(VECTOR_BYTES)));                          \
    double peak_##T(long rounds, double *sink)                                             \
    {                                                                                      \
        volatile T factor = (T)0.999999, addend = (T)1e-6;                                 \
        vec_##T a = (vec_##T){0} + factor, b = (vec_##T){0} + addend, chain[CHAINS];       \
        for (int i = 0; i < CHAINS; i++)                                                   \
            chain[i] = b * (T)i;                                                           \
        for (long round = 0; round < rounds; round++) {                                    \
            _Pragma("GCC unroll 32") for (int i = 0; i < CHAINS; i++)                      \
                chain[i] = chain[i] * a + b;                                               \
        }                                                                                  \
        vec_##T sum = chain[0];                                                            \
        for (int i = 1; i < CHAINS; i++)                                                   \
            sum += chain[i];                                                               \
        *sink = (double)sum[0];                                                            \
        return 2.0 * CHAINS * (VECTOR_BYTES / sizeof(T)) * (double)rounds;                 \
    }

DEFINE_PEAK(float)
DEFINE_PEAK(double)

#ifdef __AVX512BF16__
#include <immintrin.h>

/* Products of pairs of bfloat16, added to float: two multiply-adds a lane. */
double peak_bfloat16(long rounds, double *sink)
{
    const __m512bh pair = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(-0.5f));
    __m512 chain[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        chain[i] = _mm512_set1_ps((float)i);
    for (long round = 0; round < rounds; round++) {
        _Pragma("GCC unroll 32") for (int i = 0; i < CHAINS; i++)
            chain[i] = _mm512_dpbf16_ps(chain[i], pair, pair);
    }
    __m512 sum = chain[0];
    for (int i = 1; i < CHAINS; i++)
        sum = _mm512_add_ps(sum, chain[i]);
    *sink = (double)_mm512_reduce_add_ps(sum);
    return 4.0 * CHAINS * 16 * (double)rounds;
}
#endif

/* One of the two sides of an exchange of `rounds` signals each way; `turn` counts the signals. */
void bounce(long *turn, long side, long rounds)
{
    const long first = __atomic_load_n(turn, __ATOMIC_ACQUIRE) / 2 * 2;
    for (long round = 0; round < rounds; round++) {
        const long mine = first + 2 * round + side;
        while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != mine)
            continue;
        __atomic_store_n(turn, mine + 1, __ATOMIC_RELEASE);
    }
}
