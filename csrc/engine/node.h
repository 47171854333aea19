/* A node as callers describe it, and the data that callers and operations exchange. Part of the public header. */
#ifndef FM_ENGINE_NODE_H
#define FM_ENGINE_NODE_H

#include <stdint.h>

typedef enum {
#define FM_OP(id, ID) FM_OP_##ID,
#include "engine/ops.def"
#undef FM_OP
    FM_OPS
} fm_op;

const char *fm_op_name(int op);   /* NULL outside 0 .. FM_OPS - 1 */
int fm_op_find(const char *name); /* -1 for an unknown name */

/* Largest numbers of sources and of parameter arrays of a node, and of its own numbers and sizes. */
enum { FM_MOST_SOURCES = 8, FM_MOST_ARRAYS = 3, FM_NODE_PARAMS = 4, FM_NODE_SIZES = 4 };

typedef struct {
    fm_op op;
    int n_sources, source[FM_MOST_SOURCES]; /* earlier nodes; -1 - k is input k of the network */
    int64_t fan_in, fan_out; /* fan_in: width of each source, or the sum of their widths; the operation decides */
    int kind;                /* the operation's file defines these five */
    int bias;
    double param[FM_NODE_PARAMS];
    int64_t size[FM_NODE_SIZES];
    int64_t n_list;
    const int64_t *list; /* (n_list); fm_net_new copies it */
} fm_node;

/* The role of a parameter array; penalties and parameter groups use it. */
typedef enum { FM_WEIGHT, FM_BIAS, FM_GAIN, FM_SHIFT, FM_TABLE, FM_ALPHA, FM_FREE } fm_role;

typedef struct {
    int node;
    const char *name;
    fm_role role;
    int64_t rows, cols; /* row-major; a vector has one column */
    int64_t at;         /* index of the first element among the parameters */
} fm_array;

/* Rows of a sparse matrix. Those of row i are value[t] in column[t], ascending, for t from start[r] to start[r + 1],
   where r is order[i], or i without an order. */
typedef struct {
    const int64_t *start; /* NULL: there is no sparse matrix */
    const int32_t *column;
    const void *value; /* of the storage type */
    const int64_t *order;
} fm_csr;

/* One call of a custom node, on the thread that called the network. All arrays are contiguous. */
typedef struct {
    int node;
    int64_t rows;
    int training, keeps;            /* keeps: a backward may follow */
    const void *x[FM_MOST_SOURCES]; /* (rows, width) of each source */
    void *y;                        /* (rows, fan_out): forward writes it, backward may read it */
    const void *dy;                 /* NULL in forward */
    void *dx[FM_MOST_SOURCES];      /* backward stores into it or adds to it; NULL: not needed */
    int add[FM_MOST_SOURCES];
    void *grads; /* (size[0]) */
    int add_grads;
} fm_custom_call;

/* A non-zero result means failure; the call on the network then returns FM_INTERRUPTED. */
typedef int (*fm_custom)(void *context, const fm_custom_call *call);

#endif
