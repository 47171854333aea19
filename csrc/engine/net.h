/* A network: its nodes, the fused ops that they became, and its arrays. */
#ifndef FM_ENGINE_NET_H
#define FM_ENGINE_NET_H

#include "base/seqlock.h"
#include "base/try_lock.h"
#include "engine/autotuner.h"
#include "engine/mark.h"
#include "engine/op.h"
#include "engine/workspace.h"
#include "fastmlp.h"

/* A fused op and the index of one of its sources. */
typedef struct {
    int op, source;
} fm_reader;

/* If several threads divide the columns of an op, each takes at least so many. */
enum { FM_LEAST_PART_COLUMNS = 192 };

/* Memory that predict keeps for its next call. A frozen network has some, so that several threads find one. */
typedef struct {
    atomic_flag taken;
    fm_workspace workspace;
    fm_tuners tuners;
} fm_idle;

enum { FM_MOST_IDLE = 8 };

struct fm_net {
    fm_dtype dtype;
    size_t size; /* bytes of an element */
    fm_ends ends;
    int64_t n_params, n_state, widest;
    int n_nodes, n_ops, n_arrays, n_slots;
    fm_node *nodes;
    int64_t *lists;     /* of all nodes */
    int64_t *constants; /* of all nodes; constants_at gives the first one of each node */
    int64_t *constants_at;
    fm_fused *ops;
    int *op_of_node;
    fm_array *arrays;         /* in the order of the nodes; first_array gives each node its first one */
    int *first_array;         /* for each node: index of its first array */
    int64_t *state_at;        /* for each node */
    int output[FM_MOST_ENDS]; /* the fused op of each output */
    fm_reader *input_readers; /* the fused ops that read the network's inputs */
    int n_input_readers;
    double flops;       /* of one row, forward */
    double wide_flops;  /* the part of them in ops with many columns */
    double total_width; /* of the values of all fused ops */
    int asks_caller;    /* some node is a custom node */
    void *params, *grads, *state;
    fm_custom custom;
    void *custom_context;
    uint64_t seed;
    uint32_t step;
    fm_workspace workspace; /* for forward and backward by hand */
    fm_tuners forward_tuners, backward_tuners, vjp_tuners;
    fm_workspace training; /* for all trainers of the network, which take turns */
    fm_workspace vjp;      /* for vector-Jacobian products, which leave the saved forward as it is */
    int64_t saved_rows;    /* rows that await backward; -1: none */
    uint32_t saved_step;
    int saved_training;
    fm_csr saved_sparse; /* the input that backward reads, if it was sparse */
    fm_mark saved_mark;
    uint64_t marks;           /* made so far */
    uint64_t trainings;       /* calls that have used `training` */
    unsigned char *untrained; /* for each array: backward by hand leaves its gradient out */
    fm_idle idle[FM_MOST_IDLE];
    fm_workspace packed; /* frozen: the copies of the parameters that all predictions read */
    fm_tables tables;    /* frozen: the kernels that they are packed for; otherwise NULL */
    fm_try_lock lock;    /* for all calls except predict */
    fm_seqlock updates;  /* of parameters and state, by the holder of the lock; predict checks it */
};

/* False if there are custom nodes and no function for them, or if it is to be frozen and is not yet. */
int fm_net_can_run(const fm_net *net);
int fm_net_idle(const fm_net *net); /* how many of `idle` it uses */

#endif
