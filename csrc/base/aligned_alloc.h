/* The only door to the heap: zeroed or raw blocks on 64-byte boundaries (a cache line, an AVX-512 vector). */
#ifndef FM_BASE_ALIGNED_ALLOC_H
#define FM_BASE_ALIGNED_ALLOC_H

#include <stddef.h>
#include <stdint.h>

enum { FM_ALIGNMENT = 64 };

/* `count * size` bytes, or NULL when they cannot be had or the product overflows; never NULL for zero bytes. */
void *fm_alloc(int64_t count, size_t size);
void *fm_alloc_zeroed(int64_t count, size_t size);
void fm_free(void *block);

/* A growing description of one block that holds several arrays: reserve each, allocate once, then locate each. */
typedef struct {
    int64_t bytes; /* -1 after an overflow */
} fm_layout;

int64_t fm_reserve(fm_layout *layout, int64_t count, size_t size); /* returns the array's byte offset */

/* Testing aid: the request number `n` from now (1 = the next) and all later ones fail; 0 switches it off. Returns how
   many were left until the failure that was asked for before: -1 when it has happened. */
int64_t fm_fail_allocation(int64_t n);

#endif
