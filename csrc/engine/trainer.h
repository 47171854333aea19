/* A trainer's inside: the network it moves, and the optimizer's state. */
#ifndef FM_ENGINE_TRAINER_H
#define FM_ENGINE_TRAINER_H

#include "engine/net.h"
#include "engine/pace.h"

struct fm_trainer {
    fm_net *net;
    fm_head heads[FM_MOST_ENDS]; /* one for each output */
    fm_optimizer_spec optimizer;
    double *loss_params[FM_MOST_ENDS];
    int has_custom;            /* losses */
    int smooths[FM_MOST_ENDS]; /* the loss takes label smoothing */
    int decay;                 /* index of the weight decay among the hyperparameters */
    fm_custom_loss custom;
    void *custom_context;
    fm_penalty *penalties;
    fm_group *groups; /* see groups.h */
    int n_groups;
    void *slot[FM_SLOTS]; /* like the parameters; NULL where the optimizer keeps none */
    double power[2];      /* hyper[0]^t, hyper[1]^t */
    int64_t t;
    fm_plan plan;
    fm_pace pace;
};

/* The scalars of one update; every thread makes its own copy and advances it alike. */
typedef struct {
    double lr, weight_decay, power[2], g_scale;
    int64_t t;
} fm_clock;

fm_clock fm_clock_next(const fm_trainer *trainer, fm_clock clock, double lr);

/* ---- update.c: everything below works on parameters begin .. end of the flat array ---- */
void fm_update_range(const fm_trainer *trainer, const fm_clock *clock, int64_t begin, int64_t end);
void fm_penalty_gradient_range(const fm_trainer *trainer, double factor, int64_t begin, int64_t end);
/* This worker's share of the chunk sums, and their total over `count` chunks. */
int64_t fm_penalty_chunks(const fm_trainer *trainer, const fm_worker *self, double *chunk_sum);
int64_t fm_square_chunks(const fm_trainer *trainer, const fm_worker *self, double *chunk_sum);
double fm_chunks_total(const double *chunk_sum, int64_t count);
double fm_clip_scale(double norm, double clip_norm);

/* The loss of an output in a step, with the step's own label smoothing where there is one. */
static inline fm_loss_spec fm_step_loss(const fm_trainer *trainer, int output, const double *label_smoothing) {
    fm_loss_spec loss = trainer->heads[output].loss;
    if (trainer->smooths[output] && label_smoothing != NULL) loss.params = label_smoothing;
    return loss;
}

#endif
