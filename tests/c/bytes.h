/* Numbers made from bytes, some of them wild. */
#ifndef FM_TESTS_BYTES_H
#define FM_TESTS_BYTES_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *at;
    size_t left;
} bytes;

static inline unsigned take(bytes *b) {
    if (b->left == 0) return 0;
    b->left--;
    return *b->at++;
}

static inline int64_t take_wild(bytes *b) {
    static const int64_t wild[] = {
        0,         -1,  INT64_MAX, INT64_MIN,         INT32_MAX,        INT64_C(1) << 31,    INT64_C(1) << 32,
        1000000,   193, 257,       INT64_C(1) << 40,  INT64_C(1) << 61, INT64_C(1) << 62,    INT64_MAX / 8,
        INT32_MIN, 16,  4,         INT64_MAX / 4 + 1, INT64_C(3) << 60, -(INT64_C(1) << 62), 1,
    };
    const unsigned which = take(b);
    return which < 200 ? (int64_t)(which % 40) : wild[which % (sizeof wild / sizeof *wild)];
}

static inline int64_t take_width(bytes *b) { return 1 + take(b) % 33; }

#endif
