/* A network: its nodes, the fused ops that they became, and its arrays. */
#ifndef FM_ENGINE_NET_H
#define FM_ENGINE_NET_H

#include "base/seqlock.h"
#include "base/try_lock.h"
#include "engine/op.h"
#include "engine/workspace.h"
#include "fastmlp.h"

/* A fused op and one of its sources. */
typedef struct {
    int op, source;
} fm_reader;

struct fm_net {
    fm_dtype dtype;
    size_t size; /* of an element */
    fm_ends ends;
    int64_t n_params, n_state, widest;
    int n_nodes, n_ops, n_arrays, n_slots;
    fm_node *nodes;
    fm_fused *ops;
    int *op_of_node;
    fm_array *arrays;         /* in the order of the nodes, FM_MOST_ARRAYS for each op at first_array */
    int *first_array;         /* of each node: its index among the arrays */
    int64_t *state_at;        /* of each node */
    int output[FM_MOST_ENDS]; /* fused ops */
    fm_reader *input_readers; /* who reads the network's inputs */
    int n_input_readers;
    double flops;          /* of a row, forward */
    int64_t most_streamed; /* elements of the largest parameters that every block of rows reads */
    int asks_caller;       /* some node is the caller's */
    void *params, *grads, *state;
    fm_custom custom;
    void *custom_context;
    uint64_t seed;
    uint32_t step;
    fm_workspace workspace; /* of forward and backward by hand */
    int64_t saved_rows;     /* -1: nothing awaits backward */
    uint32_t saved_step;
    int saved_training;
    fm_workspace idle_workspace; /* kept by predict for its next call */
    atomic_flag idle_taken;
    fm_try_lock lock;   /* for all that is not predict */
    fm_seqlock updates; /* of parameters and state, by who has the lock; predict looks at it */
};

int fm_net_can_run(const fm_net *net); /* the caller's nodes, if any, have a function */

#endif
