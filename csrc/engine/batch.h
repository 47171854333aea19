/* The rows of one step, inputs and targets: views of the caller's arrays, or copies gathered in order. */
#ifndef FM_ENGINE_BATCH_H
#define FM_ENGINE_BATCH_H

#include "engine/walk.h"

/* The most numbers in the targets of a row that will be copied. */
int64_t fm_batch_target_cols(const fm_net *net, const fm_epoch *epoch);

/* Sets the inputs and targets: rows `first` .. first + walk->run.rows of the epoch, or copies of them. */
void fm_batch_read(fm_walk *walk, const fm_epoch *epoch, int64_t first);

/* Copies rows begin .. end of the step, if the epoch has an order. */
void fm_batch_gather(const fm_walk *walk, const fm_epoch *epoch, int64_t first, int64_t begin, int64_t end);

#endif
