/* A lock for what one caller at a time may have. Nobody waits for it: whoever comes second gets a status. */
#ifndef FM_BASE_TRY_LOCK_H
#define FM_BASE_TRY_LOCK_H

#include "base/status.h"

typedef struct {
    _Atomic int holder; /* 0: nobody; else 1 + the forks that lie between the first process and the holder's */
} fm_try_lock;

/* FM_IN_USE while another one has it. FM_LOST where the holder is a thread of the process that this one was forked from:
   it does not exist here, so nobody will ever finish what it was doing. */
fm_status fm_try_lock_take(fm_try_lock *lock);
void fm_try_lock_release(fm_try_lock *lock);
int fm_try_lock_is_lost(const fm_try_lock *lock);

#endif
