/* A sample of each operation of ops.def, with all the arrays that its functions read and write. */
#ifndef FM_TESTS_SAMPLES_H
#define FM_TESTS_SAMPLES_H

#include <math.h>

#include "engine/product.h"
#include "networks.h"
#include "tiles.h"

/* ---- samples ---- */

enum { ROWS = 13 };

typedef struct {
    const char *name;
    fm_node node;
    int64_t width[FM_MOST_SOURCES];
    int64_t rows;      /* 0: ROWS */
    int64_t indices;   /* the input holds whole numbers below this one */
    int activates;     /* the epilogue has an activation; `kind` is its row, as in a separate activation */
    int adds_residual; /* the last source is added before that */
    int ends_local;    /* `down` ends with LOCAL of an activation below */
    int has_no_bias;
} sample;

/* A node with so many sources. */
#define NODE(id, count, in, out, ...) \
    .node = {.op = FM_OP_##id, .n_sources = count, .fan_in = in, .fan_out = out, __VA_ARGS__}
enum { GELU = 5, CLAMP = 13 };

/* A run, single columns, copies of one column, and another run. */
static const int64_t columns[] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20, 0, 7,  7,  7,  7, 7,
                                  7, 7, 7, 7, 1, 0, 2, 5,  6,  7,  8,  9, 10, 11, 12, 13};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static const sample samples[] = {
    {"linear", NODE(LINEAR, 1, 19, 23), .width = {19}},
    {"linear without bias", NODE(LINEAR, 1, 9, 17), .width = {9}, .has_no_bias = 1},
    {"linear by dots", NODE(LINEAR, 1, 37, 3), .width = {37}},
    {"linear by dots, activated", NODE(LINEAR, 1, 37, 3, .kind = GELU), .width = {37}, .activates = 1},
    {"linear with few outputs", NODE(LINEAR, 1, 21, 7), .width = {21}, .rows = 1030},
    {"linear, activated", NODE(LINEAR, 1, 11, 18, .kind = GELU), .width = {11}, .activates = 1},
    {"linear with a residual", NODE(LINEAR, 1, 11, 18, .kind = 1), .width = {11}, .activates = 1, .adds_residual = 1},
    {"linear above an activation", NODE(LINEAR, 1, 11, 18), .width = {11}, .ends_local = 1},
    {"wide linear above an activation", NODE(LINEAR, 1, 210, 200), .width = {210}, .ends_local = 1},
    {"linear with chains in two parts", NODE(LINEAR, 1, 1030, 8), .width = {1030}, .adds_residual = 1},
    {"linear, packed", NODE(LINEAR, 1, 66, 512), .width = {66}, .rows = 70},
    {"folded linear", NODE(LINEAR, 1, 95, 115, .size = {5}), .width = {95}},
    {"folded linear by dots", NODE(LINEAR, 1, 74, 6, .size = {2}), .width = {74}, .rows = 520},
    {"folded linear, activated", NODE(LINEAR, 1, 33, 54, .kind = GELU, .size = {3}), .width = {33}, .activates = 1,
     .adds_residual = 1},
    {"folded linear above an activation", NODE(LINEAR, 1, 33, 54, .size = {3}), .width = {33}, .ends_local = 1},
    {"folded linear, packed", NODE(LINEAR, 1, 128, 800, .size = {2}), .width = {128}, .rows = 35, .has_no_bias = 1},
    {"grouped_linear", NODE(GROUPED_LINEAR, 1, 95, 115, .size = {5}), .width = {95}},
    {"grouped_linear with few outputs", NODE(GROUPED_LINEAR, 1, 63, 12, .size = {3}), .width = {63}, .rows = 1030},
    {"grouped_linear of one input each", NODE(GROUPED_LINEAR, 1, 7, 112, .size = {7}), .width = {7}, .has_no_bias = 1},
    {"grouped_linear, activated", NODE(GROUPED_LINEAR, 1, 33, 54, .kind = GELU, .size = {3}), .width = {33},
     .activates = 1, .adds_residual = 1},
    {"grouped_linear above an activation", NODE(GROUPED_LINEAR, 1, 33, 54, .size = {3}), .width = {33},
     .ends_local = 1},
    {"grouped_linear with few outputs, activated", NODE(GROUPED_LINEAR, 1, 85, 15, .kind = GELU, .size = {5}),
     .width = {85}, .rows = 40, .activates = 1, .adds_residual = 1},
    {"grouped_linear with few inputs above an activation", NODE(GROUPED_LINEAR, 1, 15, 85, .size = {5}), .width = {15},
     .rows = 40, .ends_local = 1},
    {"grouped_linear, packed", NODE(GROUPED_LINEAR, 1, 130, 1024, .size = {2}), .width = {130}, .rows = 70},
    {"activation", NODE(ACTIVATION, 1, 21, 21, .kind = GELU), .width = {21}},
    {"activation that keeps its output", NODE(ACTIVATION, 1, 21, 21, .kind = 1), .width = {21}},
    {"activation with parameters", NODE(ACTIVATION, 1, 21, 21, .kind = CLAMP, .param = {-0.5, 0.7}), .width = {21}},
    {"softmax", NODE(SOFTMAX, 1, 21, 21), .width = {21}},
    {"dropout", NODE(DROPOUT, 1, 21, 21, .param = {0.3}), .width = {21}},
    {"maxout", NODE(MAXOUT, 1, 33, 11), .width = {33}},
    {"add", NODE(ADD, 2, 21, 21), .width = {21, 21}},
    {"multiply", NODE(MULTIPLY, 2, 21, 21), .width = {21, 21}},
    {"maximum", NODE(MAXIMUM, 2, 21, 21), .width = {21, 21}},
    {"concat", NODE(CONCAT, 3, 36, 36), .width = {5, 20, 11}},
    {"sum", NODE(SUM, 1, 21, 1), .width = {21}},
    {"matmul", NODE(MATMUL, 2, 35, 12, .size = {4, 5, 3}), .width = {20, 15}},
    {"parameter", NODE(PARAMETER, 0, 21, 21)},
    {"layer_norm", NODE(LAYER_NORM, 1, 21, 21, .param = {1e-5}), .width = {21}},
    {"batch_norm", NODE(BATCH_NORM, 1, 21, 21, .param = {1e-5, 0.1}), .width = {21}},
    {"batch_norm of many rows", NODE(BATCH_NORM, 1, 5, 5, .param = {1e-5, 0.1}), .width = {5}, .rows = 1030},
    {"custom", NODE(CUSTOM, 1, 16, 8, .size = {2}), .width = {16}},
    {"scale", NODE(SCALE, 1, 21, 21), .width = {21}},
    {"wide scale", NODE(SCALE, 1, 1100, 1100), .width = {1100}},
    {"scale without bias", NODE(SCALE, 1, 21, 21), .width = {21}, .has_no_bias = 1},
    {"embedding", NODE(EMBEDDING, 1, 3, 15, .size = {7}), .width = {3}, .indices = 7},
    {"gather_columns", NODE(GATHER_COLUMNS, 1, 21, N_COLUMNS, .n_list = N_COLUMNS, .list = columns), .width = {21}},
    {"gather_columns of many rows", NODE(GATHER_COLUMNS, 1, 9, 4, .n_list = 4, .list = columns), .width = {9},
     .rows = 70},
    {"parametric_activation", NODE(PARAMETRIC_ACTIVATION, 1, 21, 21, .kind = GELU), .width = {21}},
    {"parametric_activation of its output", NODE(PARAMETRIC_ACTIVATION, 1, 530, 530, .kind = 1), .width = {530}},
    {"parametric_activation with parameters",
     NODE(PARAMETRIC_ACTIVATION, 1, 21, 21, .kind = CLAMP, .param = {-0.5, 0.7}), .width = {21}},
    {"quantized_linear", NODE(QUANTIZED_LINEAR, 1, 19, 101, .param = {0.02, 120}), .width = {19}, .rows = 70},
    {"quantized_linear, activated", NODE(QUANTIZED_LINEAR, 1, 70, 18, .kind = GELU, .param = {0.02, 0}), .width = {70},
     .activates = 1, .adds_residual = 1, .has_no_bias = 1},
};

/* ---- a sample with its arrays ---- */

enum {
    X,
    Y = X + FM_MOST_SOURCES,
    SLOPE,
    BELOW,
    DELTA,
    DZ,
    DX,
    PARAM = DX + FM_MOST_SOURCES,
    GRAD = PARAM + FM_MOST_ARRAYS,
    STATE = GRAD + FM_MOST_ARRAYS,
    SPACE,
    TEMPORARY = SPACE + FM_MOST_SPACES,
    N_ARRAYS,
    PACK = N_ARRAYS, /* these two hold nothing between calls */
    SCRATCH,
    N_ALL
};

typedef struct {
    const sample *of;
    fm_fused op, below;
    fm_array param[FM_MOST_ARRAYS];
    fm_space space[FM_MOST_SPACES];
    int n_spaces;
    int64_t *constants;
    fm_operands at;
    fm_run run;
    array all[N_ALL];
    _Atomic int stop, fault;
    double outside;
} world;

static inline void plan(world *w, size_t size) {
    fm_fused *op = &w->op;
    *op = (fm_fused){
        .row = fm_op_rows[w->of->node.op], .node = w->of->node, .index = 3, .size = size, .fold = 1, .output = -1};
    op->node.bias = !w->of->has_no_bias;
    op->n_sources = op->node.n_sources;
    memcpy(op->width, w->of->width, sizeof op->width);
    CHECK(op->row->check(&op->node, op->width), "%s: a sound node", w->of->name);
    if (op->row->constants != NULL) {
        w->constants = must(malloc((size_t)op->row->constants(&op->node, NULL) * sizeof *w->constants));
        op->row->constants(&op->node, w->constants);
        op->constants = w->constants;
    }
    op->n_arrays = op->row->arrays == NULL ? 0 : op->row->arrays(&op->node, w->param);
    op->epilogue.activation = -1;
    if (w->of->activates) fm_activation_becomes(&op->node, &op->epilogue);
    if (w->of->adds_residual) {
        op->epilogue.residual = 1;
        op->width[op->n_sources++] = op->node.fan_out;
    }
    if (w->of->ends_local) {
        w->below = (fm_fused){.epilogue.activation = -1};
        fm_activation_becomes(&(fm_node){.kind = GELU}, &w->below.epilogue);
        op->below = &w->below;
    }
    memcpy(op->down_cols, op->width, sizeof op->down_cols);
    if (op->row->plan != NULL) op->row->plan(op);
}

static inline void fill(array *a, int64_t below, double least) {
    static uint32_t stream;
    const fm_rng rng = fm_rng_make(7, stream++, 0);
    double *draws = must(malloc(((size_t)a->count + 1) * sizeof *draws));
    fm_random_normal(&rng, a->count, draws);
    for (int64_t i = 0; i < a->count; i++) {
        const double number = below > 0 ? (double)draw((uint64_t)below) : least > 0 ? fabs(draws[i]) + least : draws[i];
        put(a->start, i, a->size, number, 0);
    }
    free(draws);
}

static inline void make_values(world *w, fm_use use) {
    const fm_fused *op = &w->op;
    const int64_t rows = w->run.rows, out = op->node.fan_out;
    const size_t size = op->size;
    for (int k = 0; k < op->n_sources; k++) {
        w->all[X + k] = array_new("x", rows * op->width[k], size);
        w->all[DX + k] = array_new("dx", rows * op->width[k], size);
        fill(&w->all[X + k], w->of->indices, 0);
        fill(&w->all[DX + k], 0, 0);
    }
    w->all[Y] = array_new("y", rows * out, size);
    if (op->epilogue.stores_slope && use != FM_PREDICT) w->all[SLOPE] = array_new("slope", rows * out, size);
    if (op->below != NULL) w->all[BELOW] = array_new("what the op below saved", rows * op->width[0], size);
    w->all[DELTA] = array_new("delta", rows * out, size);
    w->all[DZ] = array_new("dz", w->run.training ? 0 : rows * out, size);
    fill(&w->all[DELTA], 0, 0);
    fill(&w->all[DZ], 0, 0);
    if (op->below != NULL) fill(&w->all[BELOW], 0, 0);
}

static inline void make_memory(world *w, fm_use use) {
    const fm_fused *op = &w->op;
    const size_t size = op->size;
    for (int k = 0; k < op->n_arrays; k++) {
        w->all[PARAM + k] = array_new("parameters", w->param[k].rows * w->param[k].cols, size);
        w->all[GRAD + k] = array_new("gradients", w->param[k].rows * w->param[k].cols, size);
        fill(&w->all[PARAM + k], 0, 0);
        fill(&w->all[GRAD + k], 0, 0);
    }
    w->all[STATE] = array_new("state", op->row->state == NULL ? 0 : op->row->state(&op->node), size);
    fill(&w->all[STATE], 0, 0.5);
    for (int k = 0; k < FM_MOST_SPACES; k++) w->space[k] = (fm_space){.size = size};
    w->n_spaces = op->row->spaces == NULL ? 0 : op->row->spaces(op, use, w->space);
    for (int k = 0; k < w->n_spaces; k++) {
        const fm_space *s = &w->space[k];
        /* The batch is one shard. */
        const int64_t fixed = w->run.packs && s->packed > 0 ? s->packed : s->count + s->per_shard;
        const int64_t count = fixed > 0 ? fixed : s->per_row * w->run.rows;
        if (s->life == FM_SCRATCH) w->all[SCRATCH] = array_new("scratch", count, s->size);
        else if (s->life == FM_TEMPORARY) w->all[TEMPORARY] = array_new("temporary", count, s->size);
        else if (s->life == FM_COPY || use != FM_PREDICT) w->all[SPACE + k] = array_new("space", count, s->size);
        if (s->life == FM_TEMPORARY) w->run.temporary_width = s->per_row;
    }
    w->all[PACK] = array_new("pack", fm_pack_bytes(op, w->run.rows), 1);
}

static inline void connect(world *w) {
    fm_operands *at = &w->at;
    *at = (fm_operands){.op = &w->op, .y = data_of(&w->all[Y]), .slope = data_of(&w->all[SLOPE])};
    for (int k = 0; k < w->op.n_sources; k++) at->x[k] = data_of(&w->all[X + k]), at->dx[k] = data_of(&w->all[DX + k]);
    at->saved = w->op.epilogue.stores_slope ? at->slope : at->y;
    at->saved_below = data_of(&w->all[BELOW]);
    at->delta = data_of(&w->all[DELTA]);
    at->dz = w->op.has_local && !w->run.training ? data_of(&w->all[DZ]) : at->delta;
    for (int k = 0; k < w->op.n_arrays; k++)
        at->param[k] = data_of(&w->all[PARAM + k]), at->grad[k] = data_of(&w->all[GRAD + k]);
    at->state = data_of(&w->all[STATE]);
    for (int k = 0; k < FM_MOST_SPACES; k++) at->space[k] = data_of(&w->all[SPACE + k]);
    w->run.pack = data_of(&w->all[PACK]);
    w->run.scratch = data_of(&w->all[SCRATCH]);
    w->run.temporary = data_of(&w->all[TEMPORARY]);
}

#endif
