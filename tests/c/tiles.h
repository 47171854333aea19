/* Arrays between canaries, and the parts of them that a call on a tile may write. */
#ifndef FM_TESTS_TILES_H
#define FM_TESTS_TILES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "engine/op.h"

/* The address sanitizer has its own red zones, which also detect reads. */
#ifdef __SANITIZE_ADDRESS__
enum { PAD = 0 };
#else
enum { PAD = 64 };
#endif
enum { CANARY = 0xC5 };

typedef struct {
    const char *name;
    int64_t count;
    size_t size, bytes; /* of an element, of all */
    char *block;        /* canary, elements, canary; NULL: no such array */
    char *start;        /* the elements before each call */
    char *got, *want;   /* the elements as the tiles gave them, and one whole tile */
} array;

static inline void *data_of(const array *a) { return a->block == NULL ? NULL : a->block + PAD; }

static inline void *must(void *memory) {
    if (memory == NULL) abort();
    return memory;
}

static inline array array_new(const char *name, int64_t count, size_t size) {
    array a = {.name = name, .count = count, .size = size, .bytes = (size_t)count * size};
    if (count == 0) return a;
    a.block = must(malloc(a.bytes + 2 * PAD));
    a.start = must(calloc(3, a.bytes));
    a.got = a.start + a.bytes;
    a.want = a.got + a.bytes;
    memset(a.block, CANARY, a.bytes + 2 * PAD);
    return a;
}

static inline void array_free(array *a) { free(a->block), free(a->start); }

static inline int canaries_live(const array *a) {
    for (int i = 0; a->block != NULL && i < PAD; i++)
        if ((unsigned char)a->block[i] != CANARY || (unsigned char)a->block[PAD + a->bytes + (size_t)i] != CANARY)
            return 0;
    return 1;
}

/* Columns col .. col + cols of each `period` columns, in rows row .. row + rows of an array with rows of `stride`. */
typedef struct {
    array *of;
    int64_t stride, period;
    fm_tile tile;
} region;

static inline void for_each_row(const region *g, void (*visit)(array *, size_t at, size_t bytes)) {
    for (int64_t row = g->tile.row; row < g->tile.row + g->tile.rows; row++)
        for (int64_t col = g->tile.col; col < g->stride; col += g->period)
            visit(g->of, (size_t)(row * g->stride + col) * g->of->size, (size_t)g->tile.cols * g->of->size);
}

static inline void gather(array *a, size_t at, size_t bytes) { memcpy(a->got + at, a->block + PAD + at, bytes); }

static inline void reset(array *a, size_t at, size_t bytes) { memcpy(a->block + PAD + at, a->start + at, bytes); }

/* ---- partitions ---- */

static inline uint64_t draw(uint64_t below) {
    static uint64_t state = 42;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state % below;
}

enum { MOST_CUTS = 6, MOST_PARTS = MOST_CUTS + 1 };

/* 0 = at[0] < at[1] < ... < at[parts] = n, drawn; returns how many parts. */
static inline int cut(int64_t n, int64_t *at) {
    int parts = 0;
    at[0] = 0;
    for (int cuts = (int)draw(MOST_PARTS); cuts > 0 && at[parts] < n - 1; cuts--) {
        at[parts + 1] = at[parts] + 1 + (int64_t)draw((uint64_t)(n - 1 - at[parts]));
        parts++;
    }
    at[++parts] = n;
    return parts;
}

/* Tiles that cover `whole`, in a drawn order; each band of rows is divided into its own columns. */
static inline int partition(const fm_tile *whole, int cuts_rows, int cuts_cols, fm_tile *tile) {
    int64_t row[MOST_PARTS + 1] = {0, whole->rows}, col[MOST_PARTS + 1] = {0, whole->cols};
    const int bands = cuts_rows ? cut(whole->rows, row) : 1;
    int count = 0;
    for (int i = 0; i < bands; i++) {
        const int columns = cuts_cols ? cut(whole->cols, col) : 1;
        for (int j = 0; j < columns; j++, count++) {
            const int place = (int)draw((uint64_t)count + 1);
            tile[count] = tile[place];
            tile[place] = (fm_tile){row[i], row[i + 1] - row[i], col[j], col[j + 1] - col[j]};
        }
    }
    return count;
}

#endif
