/* A lock that never waits: if another caller holds it, taking it returns a status at once. */
#ifndef FM_BASE_TRY_LOCK_H
#define FM_BASE_TRY_LOCK_H

#include "base/status.h"

typedef struct {
    _Atomic int holder; /* 0: free; else 1 + the number of forks up to the holder's process */
} fm_try_lock;

/* FM_IN_USE if another caller holds the lock. FM_LOST if the holder is a thread of the parent process: that thread
   does not exist after the fork, so it will never finish. */
fm_status fm_try_lock_take(fm_try_lock *lock);
void fm_try_lock_release(fm_try_lock *lock);
int fm_try_lock_is_lost(const fm_try_lock *lock);

#endif
