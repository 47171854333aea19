/* A network with every kind of node, custom nodes included, and helpers for the C test programs. */
#ifndef FM_TESTS_NETWORKS_H
#define FM_TESTS_NETWORKS_H

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "check.h"
#include "base/aligned_alloc.h"
#include "engine/net.h"
#include "targets.h"

enum { WIDTH = 24, INNER = 12, OUT = 5, N_CUSTOM = 2, MOST_NODES = 32 };

typedef struct {
    fm_node node[MOST_NODES];
    int count;
} list;

/* Adds a node that reads `a`, and also `b` unless that is the node's own index; returns its index. */
static inline int add(list *l, fm_op op, int64_t fan_in, int64_t fan_out, int a, int b) {
    fm_node *node = &l->node[l->count];
    *node = (fm_node){.op = op, .fan_in = fan_in, .fan_out = fan_out, .source = {a, b}, .bias = 1};
    node->n_sources = op == FM_OP_PARAMETER ? 0 : b == l->count ? 1 : 2;
    if (op == FM_OP_LAYER_NORM || op == FM_OP_BATCH_NORM) node->param[0] = 1e-5, node->param[1] = 0.1;
    if (op == FM_OP_DROPOUT) node->param[0] = 0.2;
    if (op == FM_OP_CUSTOM) node->size[0] = N_CUSTOM;
    if (op == FM_OP_GROUPED_LINEAR) node->size[0] = 3;
    return l->count++;
}

static inline int one(list *l, fm_op op, int64_t fan_in, int64_t fan_out, int a) {
    return add(l, op, fan_in, fan_out, a, l->count);
}

/* Some columns of `a`, which has at least 12. */
static inline int some_columns(list *l, int64_t fan_in, int a) {
    static const int64_t columns[] = {7, 0, 7, 3, 11};
    const int index = one(l, FM_OP_GATHER_COLUMNS, fan_in, sizeof columns / sizeof *columns, a);
    l->node[index].n_list = l->node[index].fan_out;
    l->node[index].list = columns;
    return index;
}

/* A residual block, norms, products, joins, a custom node, two inputs and two outputs. */
static inline fm_ends describe(list *l, int activation) {
    int h = one(l, FM_OP_LINEAR, 17, WIDTH, -1);
    int r = add(l, FM_OP_ADD, WIDTH, WIDTH, one(l, FM_OP_LINEAR, WIDTH, WIDTH, h), h);
    r = one(l, FM_OP_ACTIVATION, WIDTH, WIDTH, r);
    l->node[r].kind = activation;
    l->node[r].param[0] = 0.7;
    r = one(l, FM_OP_BATCH_NORM, WIDTH, WIDTH, r);
    r = one(l, FM_OP_DROPOUT, WIDTH, WIDTH, r);
    const int other = one(l, FM_OP_LAYER_NORM, WIDTH, WIDTH, one(l, FM_OP_LINEAR, 9, WIDTH, -2));
    int m = add(l, FM_OP_MULTIPLY, WIDTH, WIDTH, r, add(l, FM_OP_MAXIMUM, WIDTH, WIDTH, r, other));
    m = one(l, FM_OP_MAXOUT, WIDTH, INNER, m);
    const int p = one(l, FM_OP_PARAMETER, INNER, INNER, 0);
    int q = add(l, FM_OP_MATMUL, 2 * INNER, 16, m, p);
    memcpy(l->node[q].size, (int64_t[FM_NODE_SIZES]){4, 3, 4}, sizeof l->node[q].size);
    q = add(l, FM_OP_CONCAT, 16 + WIDTH, 16 + WIDTH, q, other);
    q = one(l, FM_OP_CUSTOM, 16 + WIDTH, 8, q);
    const int y = one(l, FM_OP_LINEAR, 8, OUT, q);
    const int total = one(l, FM_OP_SUM, OUT, 1, one(l, FM_OP_SOFTMAX, OUT, OUT, y));
    return (fm_ends){.n_inputs = 2, .n_outputs = 2, .width = {17, 9}, .output = {y, total}};
}

/* y[j] = (x[j] + x[j + 8]) * p[0] + p[1], computed in double for both types. */
typedef struct {
    fm_net *net;
    int fails; /* fails from this call on; 0: never */
    size_t size;
} caller;

static inline double get(const void *array, int64_t i, size_t size) {
    return size == 4 ? (double)((const float *)array)[i] : ((const double *)array)[i];
}

static inline void put(void *array, int64_t i, size_t size, double value, int onto) {
    if (onto) value += get(array, i, size);
    if (size == 4) ((float *)array)[i] = (float)value;
    else ((double *)array)[i] = value;
}

/* An array of parameters of a node, counted from 0; NULL if it has fewer. */
static inline const fm_array *array_of(const fm_net *net, int node, int which) {
    for (int i = 0; i < fm_net_arrays(net); i++)
        if (fm_net_array(net, i)->node == node && which-- == 0) return fm_net_array(net, i);
    return NULL;
}

static inline int run_node(void *context, const fm_custom_call *call) {
    caller *c = context;
    const fm_node *node = fm_net_node(c->net, call->node);
    const char *params = (const char *)fm_net_params(c->net) + array_of(c->net, call->node, 0)->at * (int64_t)c->size;
    const int64_t in = node->fan_in, out = node->fan_out;
    double sum[N_CUSTOM] = {0.0, 0.0};
    if (c->fails > 0 && --c->fails == 0) return 1;
    for (int64_t i = 0; i < call->rows; i++) {
        for (int64_t j = 0; call->dx[0] != NULL && !call->add[0] && j < in; j++)
            put(call->dx[0], i * in + j, c->size, 0.0, 0);
        for (int64_t j = 0; j < out; j++) {
            const double x = get(call->x[0], i * in + j, c->size) + get(call->x[0], i * in + j + out, c->size);
            if (call->dy == NULL) {
                put(call->y, i * out + j, c->size, x * get(params, 0, c->size) + get(params, 1, c->size), 0);
                continue;
            }
            const double dy = get(call->dy, i * out + j, c->size);
            sum[0] += dy * x, sum[1] += dy;
            for (int64_t at = j; call->dx[0] != NULL && at < j + 2 * out; at += out)
                put(call->dx[0], i * in + at, c->size, dy * get(params, 0, c->size), 1);
        }
    }
    for (int k = 0; call->dy != NULL && k < N_CUSTOM; k++) put(call->grads, k, c->size, sum[k], call->add_grads);
    return 0;
}

/* The sum of squares of the scores; ignores the targets. */
static inline int run_loss(void *context, fm_custom_loss_call *call) {
    const caller *c = context;
    for (int k = 0; k < FM_MOST_ENDS; k++) {
        for (int64_t i = 0; call->scores[k] != NULL && i < call->rows; i++) {
            const double score = get(call->scores[k], i, c->size);
            call->value[k] += score * score;
            put(call->gradient[k], i, c->size, 2.0 * score, 0);
        }
    }
    return 0;
}

static inline void *random_reals(fm_dtype dtype, int64_t n, uint32_t stream, double scale) {
    const fm_rng rng = fm_rng_make(7, stream, 0);
    const size_t size = dtype == FM_F32 ? 4 : 8;
    double *draws = malloc((size_t)(n + 1) * sizeof *draws);
    void *out = malloc((size_t)(n + 1) * size);
    if (draws == NULL || out == NULL) abort();
    fm_random_normal(&rng, n, draws);
    for (int64_t i = 0; i < n; i++) put(out, i, size, draws[i] * scale, 0);
    free(draws);
    return out;
}

/* Draws all parameters of a network. */
static inline void draw_params(fm_net *net, fm_dtype dtype, uint32_t stream, double scale) {
    const int64_t count = fm_net_parameters(net);
    void *start = random_reals(dtype, count, stream, scale);
    memcpy(fm_net_params(net), start, (size_t)count * (dtype == FM_F32 ? 4 : 8));
    free(start);
}

static inline uint64_t mix(uint64_t hash, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3ull; /* FNV-1a */
    return hash;
}

static inline fm_net *make(int activation, fm_dtype dtype, int separate, caller *c) {
    list l = {.count = 0};
    fm_ends ends = describe(&l, activation);
    ends.separate = separate;
    c->size = dtype == FM_F32 ? 4 : 8;
    CHECK(fm_net_new(&ends, l.count, l.node, dtype, 42, &c->net) == FM_OK, "a graph");
    draw_params(c->net, dtype, 1, 0.2);
    for (int64_t i = 0; i < fm_net_state_size(c->net); i++) put(fm_net_state(c->net), i, c->size, i >= WIDTH, 0);
    fm_net_set_custom(c->net, run_node, c);
    return c->net;
}

static inline uint64_t hash_of(const caller *c, uint64_t hash) {
    const size_t parameters = (size_t)fm_net_parameters(c->net) * c->size;
    hash = mix(hash, fm_net_params(c->net), parameters);
    hash = mix(hash, fm_net_grads(c->net), parameters);
    return mix(hash, fm_net_state(c->net), (size_t)fm_net_state_size(c->net) * c->size);
}

/* Runs a check on every instruction set, with one thread and with three, in both types. */
static inline void everywhere(void (*check)(fm_dtype)) {
    fm_ignore_thread_cost(1);
    for (int isa = 0; isa < fm_isa_count(); isa++) {
        if (fm_use_isa(fm_isa_name(isa)) != FM_OK) continue;
        for (int i = 0; i < 4; i++) {
            const fm_dtype dtype = i % 2 ? FM_F64 : FM_F32;
            fm_override_threads(i < 2 ? 1 : 3);
            check(dtype);
        }
    }
}

#endif
