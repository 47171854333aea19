#include "base/try_lock.h"

#include <stdatomic.h>

#include "base/parallel.h"

fm_status fm_try_lock_take(fm_try_lock *lock) {
    const int self = 1 + fm_forks();
    int holder = 0;
    if (atomic_compare_exchange_strong_explicit(&lock->holder, &holder, self, memory_order_acquire,
                                                memory_order_relaxed))
        return FM_OK;
    return holder == self ? FM_IN_USE : FM_LOST;
}

void fm_try_lock_release(fm_try_lock *lock) { atomic_store_explicit(&lock->holder, 0, memory_order_release); }

int fm_try_lock_is_lost(const fm_try_lock *lock) {
    const int holder = atomic_load_explicit(&lock->holder, memory_order_relaxed);
    return holder != 0 && holder != 1 + fm_forks();
}
