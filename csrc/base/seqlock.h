/* A sequence lock. Readers take no lock and never delay the writer; after reading they check whether a write
   happened meanwhile. There is one writer at a time. */
#ifndef FM_BASE_SEQLOCK_H
#define FM_BASE_SEQLOCK_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct {
    _Atomic uint64_t count; /* odd during a write */
} fm_seqlock;

static inline void fm_seqlock_begin_write(fm_seqlock *lock) {
    const uint64_t count = atomic_load_explicit(&lock->count, memory_order_relaxed);
    atomic_store_explicit(&lock->count, count + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

/* Does nothing if no write is in progress. */
static inline void fm_seqlock_end_write(fm_seqlock *lock) {
    const uint64_t count = atomic_load_explicit(&lock->count, memory_order_relaxed);
    if (count % 2 == 1) atomic_store_explicit(&lock->count, count + 1, memory_order_release);
}

static inline uint64_t fm_seqlock_begin_read(const fm_seqlock *lock) {
    return atomic_load_explicit(&lock->count, memory_order_acquire);
}

/* Whether no write happened since fm_seqlock_begin_read returned `count`. */
static inline int fm_seqlock_end_read(const fm_seqlock *lock, uint64_t count) {
    atomic_thread_fence(memory_order_acquire);
    return count % 2 == 0 && atomic_load_explicit(&lock->count, memory_order_relaxed) == count;
}

#endif
