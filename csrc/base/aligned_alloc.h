/* The only file that allocates memory. Blocks are aligned to 64 bytes (a cache line, an AVX-512 vector). */
#ifndef FM_BASE_ALIGNED_ALLOC_H
#define FM_BASE_ALIGNED_ALLOC_H

#include <stddef.h>
#include <stdint.h>

enum { FM_ALIGNMENT = 64 };

/* `count * size` bytes. NULL if memory is short or the product overflows. A request for zero bytes does not return
   NULL. */
void *fm_alloc(int64_t count, size_t size);
void *fm_alloc_zeroed(int64_t count, size_t size);
void fm_free(void *block);

/* The layout of one block that holds several arrays: reserve each array, allocate the block once, then use the
   offsets. */
typedef struct {
    int64_t bytes; /* -1 after an overflow */
} fm_layout;

int64_t fm_reserve(fm_layout *layout, int64_t count, size_t size); /* returns the array's byte offset */

/* For tests: the `n`-th request from now (1 = the next) and all later ones fail; 0 switches this off. Returns the
   number of requests that were left until the failure set before, or -1 if that failure has happened. */
int64_t fm_fail_allocation(int64_t n);

#endif
