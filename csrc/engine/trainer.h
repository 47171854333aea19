/* The inside of a trainer: the network that it trains, and the optimizer's state. */
#ifndef FM_ENGINE_TRAINER_H
#define FM_ENGINE_TRAINER_H

#include "engine/net.h"

/* The first half of a step in two calls. */
typedef struct {
    int64_t rows;      /* -1: none */
    uint64_t training; /* the number of this use of the network's memory for training */
    uint32_t step;
    int packs;
    fm_tables tables;
    fm_csr sparse;
    fm_mark mark;
} fm_pending;

struct fm_trainer {
    fm_net *net;
    fm_head heads[FM_MOST_ENDS]; /* one for each output */
    fm_optimizer_spec optimizer;
    double *loss_params[FM_MOST_ENDS];
    int64_t fold;              /* the largest number of members of a loss */
    int has_custom;            /* some loss is a custom loss */
    int smooths[FM_MOST_ENDS]; /* this loss has label smoothing */
    int decay;                 /* index of weight decay among the hyperparameters */
    fm_custom_loss custom;
    void *custom_context;
    fm_penalty *penalties;
    fm_group *groups; /* see groups.h */
    int n_groups, any_is_frozen;
    fm_nan nan;
    const fm_reducer *reducer; /* of several processes; NULL: there is one */
    fm_shards shards;          /* of each batch; its `rows` are set in each step */
    int64_t not_finite;        /* see fm_trainer_not_finite */
    void *slot[FM_SLOTS];      /* like the parameters; NULL if the optimizer does not use it */
    double power[2];           /* hyper[0]^t, hyper[1]^t */
    int64_t t;
    fm_tuners tuners, update_tuners, forward_tuners, apply_tuners;
    fm_pending pending;
};

#endif
