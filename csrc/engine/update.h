/* Optimizer updates, penalties and the gradient's norm, over ranges of the flat parameter array. */
#ifndef FM_ENGINE_UPDATE_H
#define FM_ENGINE_UPDATE_H

#include "base/parallel.h"
#include "engine/trainer.h"

/* The scalars of one update. Every thread has its own copy and advances it in the same way. */
typedef struct {
    double lr, weight_decay, power[2], g_scale;
    int64_t t;
} fm_step_state;

fm_step_state fm_step_state_next(const fm_trainer *trainer, fm_step_state state, double lr);

/* Updates parameters begin .. end. */
void fm_update_range(const fm_trainer *trainer, const fm_kernels *kernels, const fm_step_state *state, int64_t begin,
                     int64_t end);
void fm_penalty_gradient_range(const fm_trainer *trainer, const fm_kernels *kernels, double factor, int64_t begin,
                               int64_t end);
int fm_takes_penalties(const fm_array *array);

/* Computes this worker's part of the chunk sums; returns the number of chunks. */
int64_t fm_penalty_chunks(const fm_trainer *trainer, const fm_kernels *kernels, const fm_worker *self,
                          double *chunk_sum);
int64_t fm_square_chunks(const fm_trainer *trainer, const fm_kernels *kernels, const fm_worker *self,
                         double *chunk_sum);
int64_t fm_penalty_chunk_count(const fm_trainer *trainer);
double fm_chunks_total(const double *chunk_sum, int64_t count);
double fm_clip_scale(double norm, double clip_norm);

#endif
