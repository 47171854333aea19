/* The rows of one step: inputs and targets, as they lie in the caller's arrays or gathered in order. */
#ifndef FM_ENGINE_BATCH_H
#define FM_ENGINE_BATCH_H

#include "engine/walk.h"

/* Rows `first` .. first + walk->run.rows of the epoch. Gathers this thread's rows alone. */
void fm_batch_take(fm_walk *walk, const fm_epoch *epoch, int64_t first);

#endif
