/* What one caller at a time may have. A claim is never waited for: whoever comes second is told so. */
#ifndef FM_BASE_CLAIM_H
#define FM_BASE_CLAIM_H

#include "base/status.h"

typedef struct {
    _Atomic int holder; /* 0: nobody; else 1 + the forks that lie between the first process and the holder's */
} fm_claim;

/* FM_IN_USE while another one has it. FM_LOST where the holder is a thread of the process that this one was forked from:
   it does not exist here, so nobody will ever finish what it was doing. */
fm_status fm_claim_take(fm_claim *claim);
void fm_claim_release(fm_claim *claim);
int fm_claim_is_lost(const fm_claim *claim);

#endif
