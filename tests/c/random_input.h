/* Inputs for functions of one variable: random ones, with many near the points where a function changes. */
#ifndef FM_TESTS_RANDOM_INPUT_H
#define FM_TESTS_RANDOM_INPUT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static const double special[] = {0.0,
                                 -0.0,
                                 INFINITY,
                                 -INFINITY,
                                 NAN,
                                 1.0,
                                 -1.0,
                                 0x1p-1074,
                                 -0x1p-149,
                                 0x1p-126,
                                 0x1.fffffep127,
                                 -0x1.fffffep127,
                                 0x1.fffffffffffffp1023,
                                 0x1.47d0fep34, /* nearest to multiples of pi / 2: a float, and a double */
                                 0x1.6ac5b262ca1ffp849};
enum { N_SPECIAL = sizeof special / sizeof special[0] };

/* Points where a formula, a sign or the range of numbers changes: zeros of derivatives, ends of polynomials, limits. */
static const double turns[] = {-0.7517915246935645,
                               -0.7524614220710163,
                               -1.2784645427610738,
                               -1.1924312145154395,
                               1.0,
                               0.34657359027997264,
                               1.4142135623730951,
                               0.7071067811865476,
                               9.2,
                               17.5,
                               19.2,
                               30.0,
                               38.0,
                               50.0,
                               5.5,
                               8.3,
                               13.4,
                               38.4,
                               52.0,
                               372.0,
                               88.722839,
                               87.33654,
                               103.97208,
                               709.782712893384,
                               708.3964185322641,
                               745.1332191019411,
                               1.5707963267948966,
                               3.141592653589793,
                               4.71238898038469,
                               102940.70639485418,
                               65536.0,
                               1073741824.0};
enum { N_TURNS = sizeof turns / sizeof turns[0] };

static uint64_t mixed(uint64_t k) {
    uint64_t h = (k + 1) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

/* One in eight: bits at random; four: uniform in +-50, +-5, +-2 and +-800; one: around 0 on a logarithmic scale; two:
 * around the turns, of either sign, on a logarithmic scale. The first are special. */
static double random_input(uint64_t k) {
    double x;
    const uint64_t h = mixed(k);
    if (k < N_SPECIAL) return special[k];
    if (k % 8 == 0) return memcpy(&x, &h, sizeof x), x;
    x = (double)(int64_t)h * 0x1p-63;
    switch (k % 8) {
        case 1: return 50 * x;
        case 2: return 5 * x;
        case 3: return 2 * x;
        case 4: return 800 * x;
        case 5: return ldexp(x, 10 - (int)(k / 8 % 60));
        default: {
            const double turn = turns[k / 16 % N_TURNS] * (k % 8 == 6 ? 1 : -1);
            return turn + ldexp(turn * x, -(int)(mixed(~k) % 54));
        }
    }
}

#endif
