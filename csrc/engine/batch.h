/* The rows of one step, inputs and targets: views of the caller's arrays, or copies gathered in order. */
#ifndef FM_ENGINE_BATCH_H
#define FM_ENGINE_BATCH_H

#include "engine/walk.h"

/* Rows `first` .. first + walk->run.rows of the epoch. Each thread gathers only its own rows. */
void fm_batch_take(fm_walk *walk, const fm_epoch *epoch, int64_t first);

#endif
