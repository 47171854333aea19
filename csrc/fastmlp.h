/* The C API of fastmlp: networks of nodes on plain arrays. No Python, and no state but the handles'.

   Arrays are row-major, contiguous, aligned to their element type, and of the network's element type unless typed
   otherwise. Calls that can fail return a status and then have changed nothing, except where said. */
#ifndef FASTMLP_H
#define FASTMLP_H

#include <stdint.h>

#include "base/status.h"
#include "kernels/registry.h"

typedef enum { FM_OP_LINEAR, FM_OP_ACTIVATION, FM_OP_SOFTMAX, FM_OP_DROPOUT } fm_op;

typedef struct {
    fm_op op;
    int input; /* index of the node read, -1 for the network's input; today a chain: node i reads i - 1 */
    int64_t fan_in, fan_out;
    int kind;        /* row of activations.def */
    double param[2]; /* the activation's parameters; dropout's probability first */
    int bias;
    int64_t weight_at, bias_at; /* element offsets into the parameters, -1 where none; filled by fm_net_new */
} fm_node;

/* ---- a network ---- */

typedef struct fm_net fm_net;

fm_status fm_net_new(int64_t n_in, int n_nodes, const fm_node *nodes, fm_dtype dtype, uint64_t seed, fm_net **out);
void fm_net_free(fm_net *net);

int64_t fm_net_width_out(const fm_net *net);
int64_t fm_net_parameters(const fm_net *net);
const fm_node *fm_net_node(const fm_net *net, int index);
void *fm_net_params(fm_net *net); /* (parameters), zero at first; the caller may write between calls */
void *fm_net_grads(fm_net *net);
uint32_t fm_net_step(const fm_net *net); /* training forwards so far: dropout's step */
void fm_net_set_step(fm_net *net, uint32_t step);

/* Asked from the calling thread every few milliseconds of long work; non-zero stops the call. */
typedef int (*fm_poll)(void *context);

/* y (rows, out) = net(x (rows, in)). Keeps nothing; any number of threads may call it at once. `poll` may be NULL;
   FM_INTERRUPTED after it said stop. */
fm_status fm_net_predict(fm_net *net, int64_t rows, const void *x, void *y, fm_poll poll, void *context);
fm_status fm_net_reserve(fm_net *net, int64_t rows); /* takes the memory for it, so that it cannot be lacking later */

/* The same, keeping what backward needs (a copy of x, the activations). */
fm_status fm_net_forward(fm_net *net, int64_t rows, const void *x, int training, void *y);
int64_t fm_net_saved_rows(const fm_net *net); /* rows of the forward that awaits its backward, -1 for none */

/* dx (rows, in) and the gradients, from dy (rows, out); rows as saved. With `accumulate` gradients are added to. */
fm_status fm_net_backward(fm_net *net, int64_t rows, const void *dy, int accumulate, void *dx);

/* ---- losses ---- */

typedef struct {
    int kind; /* row of losses.def */
    int mean; /* else the sum */
    int n_params;
    const double *params; /* (n_params), at least one readable */
} fm_loss_spec;

/* What the scores are compared with: class ids, or an array of `cols` columns. */
typedef struct {
    const int64_t *label; /* (rows) or NULL */
    const void *values;   /* (rows, cols) or NULL */
    int64_t cols;
    const void *weight; /* (rows) or NULL */
} fm_targets;

/* The loss of scores (rows, n), and dL/dscores unless `gradient` is NULL. */
fm_status fm_loss(const fm_loss_spec *loss, fm_dtype dtype, int64_t rows, int64_t n, const void *scores,
                  const fm_targets *targets, double *value, void *gradient);

/* ---- training ---- */

typedef struct {
    double p, lam; /* lam * sum |W|^p over weights, not biases */
} fm_penalty;

typedef struct {
    int kind; /* row of optimizers.def */
    double hyper[FM_HYPERS];
    double clip_norm; /* 0: no clipping */
    int n_penalties;
    const fm_penalty *penalties;
} fm_optimizer_spec;

typedef struct fm_trainer fm_trainer;

/* Borrows `net` and copies the rest. */
fm_status fm_trainer_new(fm_net *net, const fm_loss_spec *loss, const fm_optimizer_spec *optimizer, fm_trainer **out);
void fm_trainer_free(fm_trainer *trainer);
void *fm_trainer_slot(fm_trainer *trainer, int slot); /* (parameters), NULL where the optimizer has none */
double *fm_trainer_powers(fm_trainer *trainer);       /* (2): hyper[0]^t and hyper[1]^t */
int64_t *fm_trainer_updates(fm_trainer *trainer);     /* t */

typedef struct {
    const void *x; /* (rows, in) */
    fm_targets targets;
    int64_t rows;
    const int64_t *order; /* (rows) permutation, or NULL for the rows as they lie */
    int64_t batch;        /* rows a step; the last step takes what is left */
    const double *lr;     /* one a step */
    fm_poll poll;         /* or NULL */
    void *poll_context;
} fm_epoch;

/* Steps over all batches: forward, loss, backward, update. *loss is the loss over the epoch's rows, each as its step met
   them, before its update: a mean weighs the steps by their sample weights, a sum adds them up; the penalties are
   averaged by rows. *steps are the steps finished. FM_INTERRUPTED after a poll that said stop: the
   network is as the last finished step left it. FM_NO_MEMORY before the first step only. */
fm_status fm_train(fm_trainer *trainer, const fm_epoch *epoch, double *loss, int64_t *steps);

/* By hand: an update from the network's gradients; the penalties' value, and their gradient added to the network's. */
fm_status fm_trainer_update(fm_trainer *trainer, double lr);
fm_status fm_trainer_penalty(const fm_trainer *trainer, double *value);
void fm_trainer_add_penalty_gradient(fm_trainer *trainer);

/* ---- the process ---- */

int fm_isa_count(void);
const char *fm_isa_name(int index);
int fm_isa_supported(int index);
fm_status fm_use_isa(const char *name);
const char *fm_isa_in_use(void);

int fm_threads(void); /* for the calling thread */
int fm_process_threads(void);
void fm_set_process_threads(int threads);
int fm_override_threads(int threads);
int fm_openmp_version(void);

/* Testing aid: use every thread allowed, even where that is slower. */
void fm_ignore_thread_cost(int ignore);

#endif
