/* The C API of fastmlp: networks of nodes on plain arrays. No Python, and no state but the handles'.

   Arrays are row-major, contiguous, aligned to their element type, and of the network's element type unless typed
   otherwise. Calls that can fail return a status and then have changed nothing, except where said. */
#ifndef FASTMLP_H
#define FASTMLP_H

#include <stdint.h>

#include "base/status.h"
#include "engine/node.h"
#include "kernels/registry.h"

/* Inputs of a network, and outputs. */
enum { FM_MOST_ENDS = 64 };

/* ---- a network ---- */

typedef struct fm_net fm_net;

/* What a network reads and gives: the widths of its inputs, and its outputs as different nodes. */
typedef struct {
    int n_inputs, n_outputs;
    int64_t width[FM_MOST_ENDS];
    int output[FM_MOST_ENDS];
    int separate; /* no fusion and no shared memory, so that fm_net_value and fm_net_delta have something to show */
} fm_ends;

fm_status fm_net_new(const fm_ends *ends, int n_nodes, const fm_node *nodes, fm_dtype dtype, uint64_t seed,
                     fm_net **out);
void fm_net_free(fm_net *net);

int64_t fm_net_parameters(const fm_net *net);
const fm_node *fm_net_node(const fm_net *net, int index);
void *fm_net_params(fm_net *net); /* (parameters), zero at first; the caller may write between calls */
void *fm_net_grads(fm_net *net);
/* The arrays that the parameters consist of, in the order of the nodes and without gaps. */
int fm_net_arrays(const fm_net *net);
const fm_array *fm_net_array(const fm_net *net, int index);
int fm_net_pass(const fm_net *net, int node); /* nodes with one number are fused into one pass over the data */
/* What nodes keep that is not trained, such as running moments, in the order of the nodes; no part of the parameters. */
int64_t fm_net_state_size(const fm_net *net);
int64_t fm_net_state_at(const fm_net *net, int node);
void *fm_net_state(fm_net *net);
uint32_t fm_net_step(const fm_net *net); /* training forwards so far: dropout's step */
void fm_net_set_step(fm_net *net, uint32_t step);

/* Asked from the calling thread every few milliseconds of long work; non-zero stops the call. */
typedef int (*fm_poll)(void *context);

/* Arrays of pointers have one for each input, or output: x[k] is (rows, width of input k), y[k] (rows, width of output
   k), and so are the gradients dx[k] and dy[k]. */

/* FM_BAD_INDEX where an input is to name a row of a table and does not; nothing that the call has computed counts then.
   FM_BAD_ARGUMENT for fewer than 0 rows, and for a network with nodes of the caller's whose function has not been set. */

/* y = net(x). Keeps nothing; any number of threads may call it at once. `poll` may be NULL; FM_INTERRUPTED after it said
   stop. Where another thread updates parameters meanwhile, it tries again for a millisecond, then FM_IN_USE: *y is never
   computed from a mixture of parameters before and after an update. */
fm_status fm_net_predict(fm_net *net, int64_t rows, const void *const *x, void *const *y, fm_poll poll, void *context);
fm_status fm_net_reserve(fm_net *net, int64_t rows); /* takes the memory for it, so that it cannot be lacking later */

/* All calls below, and those that set something, need the network for themselves. Where several threads call, each takes
   it first, and gives it back: FM_IN_USE by another one; FM_LOST where a thread of the process that this one was forked
   from had it: then its arrays may be read, and nothing else. */
fm_status fm_net_take(fm_net *net);
void fm_net_give_back(fm_net *net);
/* Who has taken the network and writes into its parameters or state tells predict of it. Calls below do so themselves. */
void fm_net_begin_update(fm_net *net);
void fm_net_end_update(fm_net *net);

/* The same as predict, keeping what backward needs (a copy of x, the activations). */
fm_status fm_net_forward(fm_net *net, int64_t rows, const void *const *x, int training, void *const *y);
int64_t fm_net_saved_rows(const fm_net *net); /* rows of the forward that awaits its backward, -1 for none */

/* dx and the gradients, from dy; rows as saved. With `accumulate` gradients are added to. */
fm_status fm_net_backward(fm_net *net, int64_t rows, const void *const *dy, int accumulate, void *const *dx);

/* Of a `separate` network, after forward: a node's value, (rows, fan_out); after backward: dL/d(value). For looking at;
   the next call overwrites it. */
const void *fm_net_value(const fm_net *net, int node);
const void *fm_net_delta(const fm_net *net, int node);

void fm_net_set_custom(fm_net *net, fm_custom custom, void *context);

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

/* The loss of scores (rows, n), and dL/dscores unless `gradient` is NULL. FM_BAD_LABEL where a label is no class, however
   late it was written there: *value is then that label. */
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

/* One loss for each output, with its weight in the sum. */
typedef struct {
    fm_loss_spec loss; /* kind -1: the caller's */
    double weight;
} fm_head;

/* A loss of the caller's at work, like fm_custom. The batch is the rows order[0 .. rows) of the epoch's, or those from
   `first` on where `order` is NULL. */
typedef struct {
    int head;
    int64_t rows, first;
    const int64_t *order;
    const void *scores; /* (rows, width of the output) */
    double value;       /* to be set */
    void *gradient;     /* like the scores, to be filled with the gradient times the head's weight */
} fm_custom_loss_call;

typedef int (*fm_custom_loss)(void *context, fm_custom_loss_call *call);

/* Borrows `net` and copies the rest. */
fm_status fm_trainer_new(fm_net *net, const fm_head *heads, const fm_optimizer_spec *optimizer, fm_trainer **out);
void fm_trainer_free(fm_trainer *trainer);
void fm_trainer_set_custom(fm_trainer *trainer, fm_custom_loss custom, void *context);
void *fm_trainer_slot(fm_trainer *trainer, int slot); /* (parameters), NULL where the optimizer has none */
double *fm_trainer_powers(fm_trainer *trainer);       /* (2): hyper[0]^t and hyper[1]^t */
int64_t *fm_trainer_updates(fm_trainer *trainer);     /* t */

/* Factors for the parameters up to `end`, from the end of the group before. Where `lr` is 0 the parameters are frozen:
   they keep their bits, no gradient is made for them, and none counts in the gradient's norm. */
typedef struct {
    int64_t end;
    double lr, weight_decay;
} fm_group;

/* Copies `n` groups, which cover all parameters; with 0 every factor is 1. */
fm_status fm_trainer_set_groups(fm_trainer *trainer, int n, const fm_group *groups);

typedef struct {
    const void *x[FM_MOST_ENDS];
    fm_targets targets[FM_MOST_ENDS];
    int64_t rows;
    const int64_t *order;          /* (rows) permutation, or NULL for the rows as they lie */
    int64_t batch;                 /* rows a step; the last step takes what is left */
    const double *lr;              /* one a step */
    const double *penalty;         /* (steps) by which the penalties count in each step, or NULL: 1 */
    const double *weight_decay;    /* (steps) in place of the optimizer's, or NULL */
    const double *dropout;         /* (steps) factors of all probabilities, which stay within 0 .. 1; or NULL: 1 */
    const double *label_smoothing; /* (steps) in place of that of the losses that have one, or NULL */
    double *losses;                /* (steps, 2) takes each step's loss and its penalties, or NULL */
    fm_poll poll;                  /* or NULL */
    void *poll_context;
} fm_epoch;

/* Steps over all batches: forward, loss, backward, update. *loss is the loss over the epoch's rows, each as its step met
   them, before its update: a mean weighs the steps by their sample weights, a sum adds them up; the penalties are
   averaged by rows. *steps are the steps finished. FM_INTERRUPTED after a poll that said stop: the
   network is as the last finished step left it. So it is after FM_BAD_LABEL, where a step met a label that is no class:
   *loss is then that label. FM_NO_MEMORY before the first step only. */
fm_status fm_train(fm_trainer *trainer, const fm_epoch *epoch, double *loss, int64_t *steps);

/* By hand: an update from the network's gradients; the penalties' value, and their gradient, times `factor`, added to
   the network's. */
fm_status fm_trainer_update(fm_trainer *trainer, double lr);
fm_status fm_trainer_penalty(const fm_trainer *trainer, double *value);
void fm_trainer_add_penalty_gradient(fm_trainer *trainer, double factor);

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
