#include "base/claim.h"

#include <stdatomic.h>

#include "base/parallel.h"

fm_status fm_claim_take(fm_claim *claim) {
    const int self = 1 + fm_forks();
    int holder = 0;
    if (atomic_compare_exchange_strong_explicit(&claim->holder, &holder, self, memory_order_acquire,
                                                memory_order_relaxed))
        return FM_OK;
    return holder == self ? FM_IN_USE : FM_LOST;
}

void fm_claim_release(fm_claim *claim) { atomic_store_explicit(&claim->holder, 0, memory_order_release); }

int fm_claim_is_lost(const fm_claim *claim) {
    const int holder = atomic_load_explicit(&claim->holder, memory_order_relaxed);
    return holder != 0 && holder != 1 + fm_forks();
}
