#define _DEFAULT_SOURCE
#include "base/aligned_alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

/* Blocks of at least this size use huge pages: walking down a column of weights touches one page for each row. */
enum { HUGE_PAGE = 1 << 21, LEAST_HUGE_BLOCK = 2 * HUGE_PAGE };

/* -1: one request has failed, and all later ones fail too. */
static _Atomic int64_t requests_until_failure;

int64_t fm_fail_allocation(int64_t n) { return atomic_exchange(&requests_until_failure, n); }

static int must_fail(void) {
    int64_t left = atomic_load_explicit(&requests_until_failure, memory_order_relaxed);
    while (left > 0 && !atomic_compare_exchange_weak(&requests_until_failure, &left, left > 1 ? left - 1 : -1)) {}
    return left == 1 || left < 0;
}

static int64_t rounded(int64_t bytes) { return (bytes + FM_ALIGNMENT - 1) / FM_ALIGNMENT * FM_ALIGNMENT; }

/* Bytes of the request, rounded up, at least one unit of alignment; -1 on overflow. */
static int64_t request_bytes(int64_t count, size_t size) {
    int64_t bytes;
    if (count < 0 || __builtin_mul_overflow(count, (int64_t)size, &bytes)) return -1;
    if (bytes > INT64_MAX - 2 * FM_ALIGNMENT) return -1;
    return bytes == 0 ? FM_ALIGNMENT : rounded(bytes);
}

void *fm_alloc(int64_t count, size_t size) {
    int64_t bytes = request_bytes(count, size);
    const size_t alignment = bytes >= LEAST_HUGE_BLOCK ? HUGE_PAGE : FM_ALIGNMENT;
    void *block = NULL;
    if (bytes < 0 || must_fail() || posix_memalign(&block, alignment, (size_t)bytes) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    /* Only a hint: it can change the speed and nothing else. */
    if (alignment == HUGE_PAGE) (void)madvise(block, (size_t)bytes, MADV_HUGEPAGE);
#endif
    return block;
}

void *fm_alloc_zeroed(int64_t count, size_t size) {
    void *block = fm_alloc(count, size);
    if (block != NULL) memset(block, 0, (size_t)request_bytes(count, size));
    return block;
}

void fm_free(void *block) { free(block); }

int64_t fm_reserve(fm_layout *layout, int64_t count, size_t size) {
    int64_t at = layout->bytes, bytes = count == 0 ? 0 : request_bytes(count, size);
    if (at < 0 || bytes < 0 || __builtin_add_overflow(at, bytes, &layout->bytes)) layout->bytes = -1;
    return at;
}
