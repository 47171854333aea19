/* The C API of fastmlp: networks of nodes on plain arrays. It does not use Python. All state is in the handles, except
   the settings of the process at the end of this file.

   Arrays are row-major, contiguous and aligned to their element type. Their elements have the network's type unless
   the declaration names another. Calls that can fail return a status. A call that failed has changed nothing, unless
   its comment says otherwise. */
#ifndef FASTMLP_H
#define FASTMLP_H

#include <stdint.h>

#include "base/status.h"
#include "engine/node.h"
#include "kernels/registry.h"

/* The largest number of inputs, and of outputs, of a network; and of shards of a batch. */
enum { FM_MOST_ENDS = 64, FM_MOST_SHARDS = 1024 };

/* ---- a network ---- */

typedef struct fm_net fm_net;

/* The inputs and outputs of a network: the width of each input, and the node of each output. Outputs must be
   different nodes. */
typedef struct {
    int n_inputs, n_outputs;
    int64_t width[FM_MOST_ENDS];
    int output[FM_MOST_ENDS];
    fm_compute compute;
    int separate; /* no fusion and no shared memory: needed for fm_net_value and fm_net_delta */
    int frozen;   /* has no gradients, and only fm_net_predict, after fm_net_freeze */
} fm_ends;

fm_status fm_net_new(const fm_ends *ends, int n_nodes, const fm_node *nodes, fm_dtype dtype, uint64_t seed,
                     fm_net **out);
void fm_net_free(fm_net *net);

int64_t fm_net_parameters(const fm_net *net);
const fm_node *fm_net_node(const fm_net *net, int index);
void *fm_net_params(fm_net *net); /* (parameters); 0 at first; the caller may write into it between calls */
void *fm_net_grads(fm_net *net);
/* The arrays of parameters, in the order of the nodes, without gaps. */
int fm_net_arrays(const fm_net *net);
const fm_array *fm_net_array(const fm_net *net, int index);
int fm_net_pass(const fm_net *net, int node); /* number of the pass over the data; fused nodes have the same number */
/* State that is not trained, such as running moments, in the order of the nodes. It is not part of the parameters. */
int64_t fm_net_state_size(const fm_net *net);
int64_t fm_net_state_at(const fm_net *net, int node);
void *fm_net_state(fm_net *net);
uint32_t fm_net_step(const fm_net *net); /* number of training forwards so far; dropout masks depend on it */
void fm_net_set_step(fm_net *net, uint32_t step);

/* Called on the calling thread every few milliseconds during long work. A non-zero result stops the call. */
typedef int (*fm_poll)(void *context);

/* An array of pointers has one pointer for each input or output. x[k] is (rows, width of input k), y[k] is (rows,
   width of output k). The gradients dx[k] and dy[k] have the shapes of x[k] and y[k]. */

/* These calls return FM_BAD_INDEX if an input element should be a row number of a table and is not; the results are
   then meaningless. They return FM_BAD_ARGUMENT if rows is negative, if the network has custom nodes and no function
   for them, or if its kind forbids the call (`frozen`). */

/* y = net(x). Stores nothing for backward. Any number of threads may call it at the same time. `poll` may be NULL;
   if it asks to stop, the call returns FM_INTERRUPTED. If another thread updates parameters meanwhile, the call
   tries again for a millisecond, then returns FM_IN_USE: *y is never computed from parameters of before and after an
   update. */
fm_status fm_net_predict(fm_net *net, int64_t rows, const void *const *x, void *const *y, fm_poll poll, void *context);
/* For a `frozen` network, once, when its parameters and its state have their values: packs the weights for the ISA in
   use. Parameters and state must not be written afterwards. */
fm_status fm_net_freeze(fm_net *net);
/* Allocates the memory for such a call, so that the next one cannot fail with FM_NO_MEMORY. */
fm_status fm_net_reserve(fm_net *net, int64_t rows);

/* All calls below, and all functions that set something, need exclusive use of the network. If several threads use a
   network, each must take it first and give it back afterwards. fm_net_take returns FM_IN_USE if another thread has
   taken it. It returns FM_LOST in a forked process if a thread of the parent had taken it at the time of the fork:
   then the arrays may be read, and no other call is allowed. */
fm_status fm_net_take(fm_net *net);
void fm_net_give_back(fm_net *net);
/* A caller that has taken the network and writes into its parameters or state must put its writes between these
   calls, so that predict on another thread notices them. The calls below do so themselves. */
void fm_net_begin_update(fm_net *net);
void fm_net_end_update(fm_net *net);
uint64_t fm_net_updates(const fm_net *net); /* changes with each update */

/* The target's parameters become (1 - tau) times their values plus tau times those of `source`, and its state becomes
   that of `source`. FM_BAD_ARGUMENT if types or numbers of elements differ. The caller must have taken both. */
fm_status fm_net_average(fm_net *target, const fm_net *source, double tau);

/* Sparse rows may take the place of x[0] if the network has one input that only the weights of Linear multiply. All
   results are those of the same rows with zeros, as docs/numerics.md says. A row's columns must be less than the
   input's width; they are not checked. */
int fm_net_takes_sparse(const fm_net *net);
fm_status fm_net_predict_sparse(fm_net *net, int64_t rows, const fm_csr *x, void *const *y, fm_poll poll,
                                void *context);
/* There is no copy of x: its arrays must stay as they are until the backward. */
fm_status fm_net_forward_sparse(fm_net *net, int64_t rows, const fm_csr *x, int training, void *const *y);

/* Like predict, but stores what backward needs (a copy of x, the activations). */
fm_status fm_net_forward(fm_net *net, int64_t rows, const void *const *x, int training, void *const *y);
int64_t fm_net_saved_rows(const fm_net *net); /* rows that await backward; -1: none */

/* Computes the gradients of the parameters from dy, and dx unless it is NULL; `rows` as in the forward. With
   `accumulate` it adds to the gradients. FM_STALE if parameters or state have been changed since the forward; that is then
   forgotten. */
fm_status fm_net_backward(fm_net *net, int64_t rows, const void *const *dy, int accumulate, void *const *dx);

/* Whether the gradients of the parameters begin .. end are computed by fm_net_backward; at first all are. Otherwise they
   stay as they are. */
void fm_net_set_trained(fm_net *net, int64_t begin, int64_t end, int trained);

/* The product of dy and the Jacobian of net at x: dx[k] is the gradient with respect to x[k]. Also y = net(x), unless y
   is NULL. It computes no gradients of parameters, and leaves alone what a forward has saved for its backward.
   FM_BAD_ARGUMENT also if the network has custom nodes, whose objects would save this pass.
   `ask`, unless it is NULL, is called when y is complete, and writes dy. If it returns nonzero, the call ends with
   FM_INTERRUPTED; if it changes parameters, with FM_STALE. */
fm_status fm_net_vjp(fm_net *net, int64_t rows, const void *const *x, const void *const *dy, void *const *y,
                     void *const *dx, fm_poll ask, void *context);

/* For a `separate` network. After forward: a node's value (rows, fan_out). After backward: dL/d(value). The next
   call overwrites it. */
const void *fm_net_value(const fm_net *net, int node);
const void *fm_net_delta(const fm_net *net, int node);

/* The bytes of memory that calls keep for later ones, and a call that frees it. A forward that awaits its backward is
   forgotten. What a predict on another thread uses is not counted and stays. */
int64_t fm_net_workspace_bytes(fm_net *net);
void fm_net_release(fm_net *net);

void fm_net_set_custom(fm_net *net, fm_custom custom, void *context);

/* ---- losses ---- */

typedef struct {
    int kind; /* row of losses.def */
    int mean; /* 0: the sum; 1: the mean; 2: the mean over rows of sums over columns */
    int n_params;
    const double *params; /* (n_params); at least one element must be readable */
    int64_t fold;         /* members; the scores of each are an equal part of the columns; 0: one */
} fm_loss_spec;

/* The targets of the scores: class ids, or an array of `cols` columns. */
typedef struct {
    const int64_t *label; /* (rows) or NULL; (rows, fold) if `own` */
    const void *values;   /* (rows, cols) or NULL; (rows, fold, cols) if `own` */
    int64_t cols;
    const void *weight; /* (rows) or NULL; (rows, fold) if `own` */
    int own;            /* each member has its own targets and weights */
} fm_targets;

/* The loss of scores (rows, n), which is the mean of the members' losses; also dL/dscores unless `gradient` is NULL,
   and each member's loss unless `members` (fold) is NULL. Returns FM_BAD_LABEL if a label is not a class, even if
   another thread wrote it during the call; *value is then that label. */
fm_status fm_loss(const fm_loss_spec *loss, fm_dtype dtype, int64_t rows, int64_t n, const void *scores,
                  const fm_targets *targets, double *value, double *members, void *gradient);

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

/* The loss of one output and its weight in the total. */
typedef struct {
    fm_loss_spec loss; /* kind -1: a custom loss */
    double weight;
} fm_head;

/* One call of the custom losses, for all outputs that have one; compare fm_custom. The batch consists of the epoch's rows
   order[0 .. rows), or of the rows from `first` on if `order` is NULL. */
typedef struct {
    int64_t rows, first;
    const int64_t *order;
    const void *scores[FM_MOST_ENDS]; /* (rows, width of the output); NULL: the loss of this output is another one */
    double value[FM_MOST_ENDS];       /* the function sets it */
    void *gradient[FM_MOST_ENDS];     /* like scores; the function fills it with the gradient times the head's weight */
} fm_custom_loss_call;

typedef int (*fm_custom_loss)(void *context, fm_custom_loss_call *call);

/* Keeps a pointer to `net`, which must outlive the trainer, and copies the rest. FM_BAD_ARGUMENT if a loss does not fit
   its output. */
fm_status fm_trainer_new(fm_net *net, const fm_head *heads, const fm_optimizer_spec *optimizer, fm_trainer **out);
void fm_trainer_free(fm_trainer *trainer);
void fm_trainer_set_custom(fm_trainer *trainer, fm_custom_loss custom, void *context);
void *fm_trainer_slot(fm_trainer *trainer, int slot); /* (parameters); NULL if the optimizer does not have this slot */
double *fm_trainer_powers(fm_trainer *trainer);       /* (2): hyper[0]^t and hyper[1]^t */
int64_t *fm_trainer_updates(fm_trainer *trainer);     /* t */

/* Factors for the parameters from the end of the previous group up to `end`. If `lr` is 0, the parameters are
   frozen: they keep their bits, their gradients are not computed and do not count in the gradient's norm. */
typedef struct {
    int64_t end;
    double lr, weight_decay;
} fm_group;

/* Copies `n` groups, which must cover all parameters. With n = 0, every factor is 1. */
fm_status fm_trainer_set_groups(fm_trainer *trainer, int n, const fm_group *groups);

/* Replace the losses, or all settings of the optimizer, from the next step on. FM_BAD_ARGUMENT if they do not fit: other
   settings must leave the kind of the optimizer and its slots as they are. Powers of a changed hyperparameter are computed
   anew. */
fm_status fm_trainer_set_heads(fm_trainer *trainer, const fm_head *heads);
fm_status fm_trainer_set_optimizer(fm_trainer *trainer, const fm_optimizer_spec *optimizer);

/* What a step does whose loss, or the gradient of whose custom loss, is NaN or infinite: the same as others; leave
   parameters, state and optimizer as they are; or also end the call, with FM_NOT_FINITE. Such steps do not count in the
   loss of an epoch, which is NaN if there is no other step. */
typedef enum { FM_NAN_USE, FM_NAN_SKIP, FM_NAN_RAISE } fm_nan;
/* Cuts each batch of the following steps into `shards` contiguous parts of its rows, at first one. The gradient of each
   part is computed by itself, and all are added in a fixed binary tree; see docs/numerics.md. FM_BAD_ARGUMENT unless it is
   a power of two of at most FM_MOST_SHARDS, or if it is not 1 and the network has custom nodes. With `ranks`, which must
   outlive the trainer, other processes make the same steps: all are given the rows of the whole batch, and each computes
   with those of its own shards. NULL: there are none. */
typedef struct fm_reducer fm_reducer; /* base/reducer.h */
fm_status fm_trainer_set_shards(fm_trainer *trainer, int shards, const fm_reducer *ranks);

void fm_trainer_set_nan(fm_trainer *trainer, fm_nan nan);
int64_t fm_trainer_not_finite(const fm_trainer *trainer); /* the number of such steps in the last call */

/* Running means over the steps of an epoch: of losses that are means, by the weight of the samples, and of penalties,
   by rows; and the sum of the losses that are sums. */
typedef struct {
    double rows, weight, mean, sum, penalty;
} fm_totals;

/* With `fold` members, each takes the rows of the data in its own order: row r of a step consists of fold rows of the
   data, order[r][0 .. fold), one behind another. So x[k] has the width of input k divided by fold, and every loss has
   this fold. */
typedef struct {
    const void *x[FM_MOST_ENDS];
    fm_csr sparse;                    /* replaces x[0] if it has rows; its own order is not read; not with a fold */
    fm_targets targets[FM_MOST_ENDS]; /* for each row of the data */
    int64_t rows;                     /* to train on */
    int64_t fold;                     /* 0: one */
    const int64_t *order;  /* (rows, fold) positions in x and the targets; NULL, only without a fold: in memory order */
    int64_t batch;         /* rows of a step; the last step takes the remaining rows */
    const double *lr;      /* (steps) */
    const double *penalty; /* (steps) factor of the penalties in each step; NULL: 1 */
    const double *weight_decay;    /* (steps) replaces the optimizer's weight decay; NULL: it stays */
    const double *dropout;         /* (steps) factor of dropout probabilities, which must stay in 0 .. 1; NULL: 1 */
    const double *label_smoothing; /* (steps) replaces the losses' label smoothing; NULL: it stays */
    double *losses;                /* (steps, 2) receives the loss and the penalties of each step; or NULL */
    double *members;               /* (fold of the first loss) receives the loss of each member; or NULL */
    fm_totals *totals; /* NULL, or for an epoch in several calls: 0 before the first; each goes on from the last one */
    fm_poll poll;      /* or NULL */
    void *poll_context;
} fm_epoch;

/* Runs one step for each batch: forward, loss, backward, update. *loss is the loss over the rows of the epoch, where
   the loss of each batch is computed before its update. Means are averaged over the steps by sample weights, sums
   are added; the penalties are averaged by rows. *steps is the number of finished steps. Returns FM_INTERRUPTED if
   `poll` asked to stop, and FM_BAD_LABEL if a label is not a class; *loss is then that label. In both cases the
   network is as the last finished step left it. FM_NO_MEMORY is returned only before the first step. */
fm_status fm_train(fm_trainer *trainer, const fm_epoch *epoch, double *loss, int64_t *steps);

/* Updates by hand. The first call updates the parameters from the network's gradients. The second computes the value
   of the penalties. The third adds their gradient, times `factor`, to the network's gradients. */
fm_status fm_trainer_update(fm_trainer *trainer, double lr);
fm_status fm_trainer_penalty(const fm_trainer *trainer, double *value);
void fm_trainer_add_penalty_gradient(fm_trainer *trainer, double factor);

/* A step in two calls, with gradients of the outputs that the caller computes from them. The first is a forward pass for
   training: y[k] receives (rows, width of output k). The second is the rest of the step: it reads dy[k], like y[k], adds the
   gradients of the penalties, and updates the parameters. Sparse rows must stay as they are in between. Each call of the
   first replaces the last one. The second returns FM_BAD_ARGUMENT if there was no first of so many rows, or it has been
   used up; FM_STALE if parameters or state have been changed since, or another call has trained the network;
   FM_NOT_FINITE if a gradient is NaN or infinite and FM_NAN_RAISE is set. It uses up the first in any case. */
fm_status fm_trainer_forward(fm_trainer *trainer, int64_t rows, const void *const *x, const fm_csr *sparse,
                             void *const *y);
fm_status fm_trainer_apply(fm_trainer *trainer, int64_t rows, const void *const *dy, double lr);
int64_t fm_trainer_pending_rows(const fm_trainer *trainer); /* of a first call that awaits the second; -1: none, or the
                                                               network has been trained since */
void fm_trainer_discard(fm_trainer *trainer);               /* forgets the first */

/* The Euclidean norm of the network's gradients, without those of frozen parameters. */
fm_status fm_trainer_gradient_norm(const fm_trainer *trainer, double *norm);

/* ---- actions ---- */

/* How scores describe the distribution of an action: logits of its classes; or means of its elements, with logarithms
   of their standard deviations. SQUASHED elements are low + (high - low) (1 + tanh(u)) / 2 of such numbers u. */
typedef enum { FM_CATEGORICAL, FM_GAUSSIAN, FM_SQUASHED_GAUSSIAN } fm_distribution;

typedef struct {
    fm_distribution kind;
    fm_dtype dtype;
    int64_t rows, n;
    const void *scores, *log_std;     /* (rows, n); log_std not for classes */
    int64_t score_step, log_std_step; /* elements from one row to the next; 0: the same for all rows */
    const double *low, *high;         /* (n), for SQUASHED */
    void *action;                     /* (rows) int64, or (rows, n) */
    void *log_prob, *entropy;         /* (rows); entropy NULL: not wanted. SQUASHED has none */
} fm_actions;

typedef enum { FM_DRAW, FM_MODE, FM_GIVEN } fm_choice;

/* Sets the actions, unless they are GIVEN, and their log_prob and entropy. DRAW uses the random numbers first ..
   first + fm_actions_drawn of the seed's stream of actions. Returns FM_BAD_LABEL if an action that is GIVEN is not a
   class, and FM_BAD_ARGUMENT if the scores of a row are no distribution, because of NaN or infinity. */
fm_status fm_act(const fm_actions *actions, fm_choice choice, uint64_t seed, uint64_t first);
int64_t fm_actions_drawn(const fm_actions *actions); /* random numbers that DRAW uses */

/* ---- the process ---- */

int fm_isa_count(void);
const char *fm_isa_name(int index);
int fm_isa_supported(int index);
fm_status fm_use_isa(const char *name);
const char *fm_isa_in_use(void);
int fm_bfloat16_is_native(void); /* the ISA in use has instructions for it; others compute the same without */

int fm_threads(void); /* for the calling thread */
int fm_process_threads(void);
void fm_set_process_threads(int threads);
int fm_override_threads(int threads);
int fm_openmp_version(void);

/* For tests: use all allowed threads, even if that is slower. */
void fm_ignore_thread_cost(int ignore);
/* For benchmarks: the threads that a step of so many rows would take if `most` were allowed and each had a core; and
   what threads cost here (engine/costs.h): us of a region, us of one thread in a barrier, FLOPs and parameter updates
   in a us. */
int fm_advised_threads(const fm_net *net, int64_t rows, int most);
void fm_thread_costs(double costs[4]);
/* For tests: in every step, threads take work from each other, in the smallest pieces. */
void fm_force_stealing(int force);
/* For tests: several threads divide the rows and columns of each op, however short the step is. */
void fm_force_ops(int force);

#endif
