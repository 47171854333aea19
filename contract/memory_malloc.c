/* Loaded before the C library by LD_PRELOAD: makes one memory request of the calling thread fail on request. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static _Thread_local long left __attribute__((tls_model("initial-exec"))); /* 0: no failure; -1: it has happened */

/* The `n`-th request from now fails. Returns the requests that were left until the failure set before, or -1 if it
   has happened. */
long contract_fail_malloc(long n) {
    const long before = left;
    left = n;
    return before;
}

static int must_fail(void) {
    if (left <= 0) return 0;
    left = left == 1 ? -1 : left - 1;
    if (left == -1) errno = ENOMEM;
    return left == -1;
}

void *malloc(size_t size) { return must_fail() ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) { return must_fail() ? NULL : __libc_calloc(count, size); }

void *realloc(void *block, size_t size) { return must_fail() ? NULL : __libc_realloc(block, size); }

void *aligned_alloc(size_t alignment, size_t size) { return must_fail() ? NULL : __libc_memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    void *found = must_fail() ? NULL : __libc_memalign(alignment, size);
    if (found == NULL) return ENOMEM;
    *block = found;
    return 0;
}
