/* Descriptions of networks made from bytes, valid and invalid: fm_net_new must refuse or create each, and a created
   network must predict, train and fail as fastmlp.h says.

   With -fsanitize=fuzzer this is a target of libFuzzer. Otherwise it is a program that tests the given files, and
   `mutations` (its first argument) changed copies of each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/aligned_alloc.h"
#include "bytes.h"
#include "check.h"
#include "engine/net.h"
#include "targets.h"

enum { MOST_NODES = 24, MOST_ROWS = 150, MOST_COLUMNS = 16 };

/* Limits on the work and the parameters of a network: larger networks are valid, but too slow to run often. No
   machine has `impossible` bytes of memory. */
static const double most_work = 3e6, most_parameters = 1e5, impossible = 0x1p47;

/* ---- descriptions ---- */

typedef struct {
    fm_ends ends;
    fm_node node[MOST_NODES + 1];
    int64_t list[MOST_NODES][MOST_COLUMNS];
    int count;
    fm_dtype dtype;
} description;

static int64_t width_of(const description *d, int source) {
    if (source >= 0) return source < d->count ? d->node[source].fan_out : 1;
    return -1 - source < FM_MOST_ENDS ? d->ends.width[-1 - source] : 1;
}

static int take_source(bytes *b, const description *d) {
    const unsigned which = take(b);
    const int64_t values = (int64_t)d->count + d->ends.n_inputs; /* may be any number */
    if (which >= 250 || values < 1 || values > 1000) return (int)take_wild(b);
    return (int)(which % values) - d->ends.n_inputs;
}

/* Sizes that make a matrix product of the two sources, if the widths allow any; they may be wrong. */
static void set_shape(fm_node *node, int64_t a, int64_t b) {
    int64_t depth = 1;
    for (int64_t k = 2; k <= 8; k++)
        if (a % k == 0 && b % k == 0) depth = k;
    node->size[0] = a / depth, node->size[1] = depth, node->size[2] = b / depth;
    if (__builtin_mul_overflow(node->size[0], node->size[2], &node->fan_out)) node->fan_out = 1;
}

static int64_t sum_of_widths(const description *d, const fm_node *node) {
    int64_t total = 0;
    for (int k = 0; k < node->n_sources && k < FM_MOST_SOURCES; k++)
        if (__builtin_add_overflow(total, width_of(d, node->source[k]), &total)) return INT64_MAX;
    return total;
}

/* Columns of a source; they may be wrong. */
static void set_columns(bytes *b, description *d, fm_node *node) {
    int64_t *list = d->list[d->count];
    node->fan_out = node->n_list = 1 + take(b) % MOST_COLUMNS;
    node->list = list;
    for (int64_t j = 0; j < node->n_list; j++) {
        const unsigned which = take(b);
        list[j] = which > 253 || node->fan_in < 1 ? take_wild(b) : (int64_t)which % node->fan_in;
    }
}

/* Widths that match, as far as the sources allow it. */
static void fit(bytes *b, description *d, fm_node *node) {
    const int64_t first = node->n_sources > 0 ? width_of(d, node->source[0]) : take_width(b);
    node->fan_in = node->fan_out = first;
    switch (node->op) {
        case FM_OP_LINEAR: node->fan_out = take_width(b); break;
        case FM_OP_GROUPED_LINEAR: node->size[0] = first % 2 == 0 ? 2 : 1; break;
        case FM_OP_MAXOUT: node->fan_out = first % 2 == 0 ? first / 2 : first; break;
        case FM_OP_SUM: node->fan_out = 1; break;
        case FM_OP_CONCAT: node->fan_in = node->fan_out = sum_of_widths(d, node); break;
        case FM_OP_CUSTOM: node->fan_in = sum_of_widths(d, node), node->fan_out = take_width(b); break;
        case FM_OP_MATMUL:
            node->fan_in = sum_of_widths(d, node);
            set_shape(node, first, width_of(d, node->source[1]));
            break;
        case FM_OP_GATHER_COLUMNS: set_columns(b, d, node); break;
        case FM_OP_EMBEDDING: node->fan_out = 2 * first, node->size[0] = 1 + (int64_t)(take(b) % 8); break;
        default: break;
    }
}

static int usual_sources(bytes *b, fm_op op) {
    if (op == FM_OP_PARAMETER) return 0;
    if (op == FM_OP_CONCAT || op == FM_OP_CUSTOM) return 1 + (int)(take(b) % FM_MOST_SOURCES);
    return op == FM_OP_ADD || op == FM_OP_MULTIPLY || op == FM_OP_MAXIMUM || op == FM_OP_MATMUL ? 2 : 1;
}

static double take_real(bytes *b) {
    static const double wild[] = {0.0, 1.0, -1.0, NAN, INFINITY, 1e-300, 1e300, 0.5};
    const unsigned which = take(b);
    return which < 240 ? (which + 1) / 256.0 : wild[which % 8];
}

static void add_node(bytes *b, description *d) {
    fm_node *node = &d->node[d->count];
    const unsigned manner = take(b);
    *node = (fm_node){.op = (fm_op)(take(b) % (FM_OPS + (manner > 252)))};
    node->n_sources = manner % 32 == 31 ? (int)take_wild(b) : usual_sources(b, node->op);
    for (int k = 0; k < node->n_sources && k < FM_MOST_SOURCES; k++) node->source[k] = take_source(b, d);
    node->kind = manner > 248 ? (int)take_wild(b) : (int)(take(b) % (unsigned)fm_activation_count());
    node->param[0] = take_real(b), node->param[1] = take_real(b);
    node->bias = manner % 2;
    node->size[0] = node->op == FM_OP_CUSTOM ? (int64_t)(manner % 4) : 0;
    fit(b, d, node);
    if (manner % 16 == 15) node->fan_in = take_wild(b);
    if (manner % 16 == 14) node->fan_out = take_wild(b);
    if (manner % 16 == 13) node->size[manner / 16 % 3] = take_wild(b);
    if (manner % 64 == 12) node->size[0] = take_wild(b);
    d->count++;
}

static int is_read(const description *d, int value) {
    for (int i = 0; i < d->count; i++)
        for (int k = 0; k < d->node[i].n_sources && k < FM_MOST_SOURCES; k++)
            if (d->node[i].source[k] == value) return 1;
    return 0;
}

/* Every value without a reader becomes an output; one more node reads the inputs without a reader. */
static void close_ends(description *d) {
    fm_node rest = {.op = FM_OP_CONCAT};
    for (int k = 0; k < d->ends.n_inputs && k < FM_MOST_SOURCES; k++)
        if (!is_read(d, -1 - k)) rest.source[rest.n_sources++] = -1 - k;
    rest.fan_in = rest.fan_out = sum_of_widths(d, &rest);
    if (rest.n_sources > 0) d->node[d->count++] = rest;
    for (int i = 0; i < d->count && d->ends.n_outputs < FM_MOST_ENDS; i++)
        if (!is_read(d, i)) d->ends.output[d->ends.n_outputs++] = i;
}

static void describe(bytes *b, description *d) {
    const unsigned manner = take(b);
    *d = (description){.dtype = (fm_dtype)(manner % 2)};
    if (manner > 252) d->dtype = (fm_dtype)take_wild(b);
    d->ends.separate = manner / 2 % 2;
    d->ends.n_inputs = manner > 248 ? (int)take_wild(b) : 1 + (int)(manner / 4 % 3);
    for (int k = 0; k < FM_MOST_ENDS; k++) d->ends.width[k] = take(b) > 245 ? take_wild(b) : take_width(b);
    const int count = (int)(take(b) % MOST_NODES);
    for (int i = 0; i < count; i++) add_node(b, d);
    close_ends(d);
    if (manner / 16 % 8 == 7) d->ends.output[take(b) % FM_MOST_ENDS] = (int)take_wild(b);
    if (manner / 16 % 8 == 6) d->ends.n_outputs = (int)take_wild(b);
}

/* ---- size ---- */

typedef struct {
    double parameters, work; /* work: for one row */
} size_of_net;

static size_of_net measure(const description *d) {
    size_of_net size = {0.0, 0.0};
    for (int k = 0; k < FM_MOST_ENDS && k < d->ends.n_inputs; k++) size.work += (double)d->ends.width[k];
    for (int i = 0; i < d->count; i++) {
        const fm_node *node = &d->node[i];
        const double in = (double)node->fan_in, out = (double)node->fan_out;
        double weights = node->op == FM_OP_LINEAR ? in * out : node->op == FM_OP_CUSTOM ? (double)node->size[0] : 0.0;
        if (node->op == FM_OP_EMBEDDING && in > 0.0) weights = (double)node->size[0] * (out / in);
        if (node->op == FM_OP_MATMUL) size.work += out * (double)node->size[1];
        if (node->op == FM_OP_PARAMETRIC_ACTIVATION) weights = out;
        if (node->op == FM_OP_PARAMETER || node->op == FM_OP_LAYER_NORM || node->op == FM_OP_BATCH_NORM) weights = out;
        size.work += in + out + weights;
        size.parameters += 2.0 * weights + out;
    }
    return size;
}

/* ---- runs of the network ---- */

static int custom(void *context, const fm_custom_call *call) {
    const fm_net *net = context;
    const fm_node *node = &net->nodes[call->node];
    if (call->dy == NULL) {
        memset(call->y, 0x3c, (size_t)(call->rows * node->fan_out) * net->size);
        return 0;
    }
    for (int k = 0; k < node->n_sources; k++) {
        const int source = node->source[k];
        const int64_t width = source < 0 ? net->ends.width[-1 - source] : net->nodes[source].fan_out;
        if (call->dx[k] != NULL && !call->add[k]) memset(call->dx[k], 0, (size_t)(call->rows * width) * net->size);
    }
    if (call->grads != NULL && !call->add_grads) memset(call->grads, 0, (size_t)node->size[0] * net->size);
    return 0;
}

static int custom_loss(void *context, fm_custom_loss_call *call) {
    const fm_net *net = context;
    for (int k = 0; k < net->ends.n_outputs; k++)
        if (call->scores[k] != NULL)
            memset(call->gradient[k], 0x3b, (size_t)(call->rows * net->ops[net->output[k]].node.fan_out) * net->size);
    return 0;
}

static int stop_at_once(void *context) {
    (void)context;
    return 1;
}

/* Separate blocks, so that an access outside one is noticed. */
typedef struct {
    void *x[FM_MOST_ENDS], *dx[FM_MOST_ENDS], *y[FM_MOST_ENDS], *other[FM_MOST_ENDS];
    int64_t y_bytes[FM_MOST_ENDS];
} arrays;

static void *filled(const fm_net *net, int64_t rows, int64_t width) {
    void *block = malloc((size_t)(rows * width) * net->size + 1);
    if (block == NULL) abort();
    for (int64_t i = 0; i < rows * width; i++) {
        const double value = (double)(i * 7 % 13 - 6) / 7.0;
        if (net->dtype == FM_F32) ((float *)block)[i] = (float)value;
        else ((double *)block)[i] = value;
    }
    return block;
}

static void fill(arrays *a, const fm_net *net, int64_t rows) {
    *a = (arrays){{NULL}, {NULL}, {NULL}, {NULL}, {0}};
    for (int k = 0; k < net->ends.n_inputs; k++) {
        a->x[k] = filled(net, rows, net->ends.width[k]);
        a->dx[k] = filled(net, rows, net->ends.width[k]);
    }
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const int64_t width = net->nodes[net->ends.output[k]].fan_out;
        a->y[k] = filled(net, rows, width), a->other[k] = filled(net, rows, width);
        a->y_bytes[k] = rows * width * (int64_t)net->size;
    }
}

static void release(arrays *a) {
    for (int k = 0; k < FM_MOST_ENDS; k++) free(a->x[k]), free(a->dx[k]), free(a->y[k]), free(a->other[k]);
}

static void run_by_hand(bytes *b, fm_net *net, int64_t rows) {
    arrays a;
    const unsigned manner = take(b);
    fill(&a, net, rows);
    const void *const *x = (const void *const *)a.x;
    if (manner % 8 == 7) fm_fail_allocation(1 + manner / 8 % 4);
    fm_status status = fm_net_forward(net, rows, x, 0, a.y);
    CHECK(status == FM_OK || status == FM_NO_MEMORY || status == FM_BAD_INDEX, "forward: %d", status);
    const fm_status other = fm_net_predict(net, rows, x, a.other, manner % 3 ? NULL : stop_at_once, NULL);
    CHECK(other == FM_OK || other == FM_NO_MEMORY || other == FM_BAD_INDEX ||
              (other == FM_INTERRUPTED && manner % 3 == 0),
          "predict: %d", other);
    for (int k = 0; k < net->ends.n_outputs && status == FM_OK && other == FM_OK; k++)
        CHECK(memcmp(a.y[k], a.other[k], (size_t)a.y_bytes[k]) == 0, "predict and forward differ, output %d", k);
    status = fm_net_forward(net, rows, x, 1, a.y);
    const fm_status back = fm_net_backward(net, rows, (const void *const *)a.y, 0, manner % 2 ? a.dx : NULL);
    CHECK(back == (status == FM_OK ? FM_OK : FM_BAD_ARGUMENT), "backward: %d after %d", back, status);
    fm_fail_allocation(0);
    CHECK((fm_net_value(net, 0) != NULL) == (net->ends.separate && net->workspace.block != NULL), "a node's value");
    release(&a);
}

static void train(bytes *b, fm_net *net, int64_t rows) {
    fm_head heads[FM_MOST_ENDS];
    double params[MOST_NODES * 64] = {0.5}, rate[MOST_ROWS], value;
    int64_t label[MOST_ROWS] = {0}, order[MOST_ROWS], steps;
    int has_labels = 0; /* among fields, which are any numbers */
    arrays a;
    fm_trainer *trainer = NULL;
    fill(&a, net, rows);
    fm_epoch epoch = {.rows = rows, .batch = 1 + take(b) % 16, .lr = rate, .order = take(b) % 2 ? order : NULL};
    for (int64_t i = 0; i < rows; i++) order[i] = rows - 1 - i, rate[i] = 1e-3;
    for (int k = 0; k < net->ends.n_inputs; k++) epoch.x[k] = a.x[k];
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const int64_t width = net->nodes[net->ends.output[k]].fan_out;
        const int kind = (int)(take(b) % (unsigned)(fm_loss_count() + 1)) - 1;
        const fm_target target = kind < 0 ? FM_TARGET_REAL : fm_loss_at(kind)->target;
        const int quantiles = target == FM_TARGET_QUANTILE && width <= (int64_t)(sizeof params / sizeof *params);
        heads[k] = (fm_head){{kind, (int)take(b) % 3, quantiles ? (int)width : 4, params, 0}, 1.0};
        if (target == FM_TARGET_CLASS && width % 2 == 0) heads[k].loss.fold = 2;
        if (target == FM_TARGET_QUANTILE && !quantiles) heads[k].loss.kind = -1;
        const int64_t cols = columns_within(kind, width, params);
        if (cols < 1) heads[k].loss.kind = -1;
        has_labels |= target == FM_TARGET_FIELDS;
        epoch.targets[k] = (fm_targets){
            .label = target == FM_TARGET_FIELDS ? NULL : label, .values = a.other[k], .cols = cols < 1 ? width : cols};
    }
    const fm_penalty penalty = {1.0 + take_real(b), 1e-3};
    const fm_optimizer_spec optimizer = {.kind = (int)(take(b) % (unsigned)fm_optimizer_count()),
                                         .hyper = {take_real(b), take_real(b), 1e-8},
                                         .clip_norm = take(b) % 2,
                                         .n_penalties = take(b) % 2,
                                         .penalties = &penalty};
    CHECK(fm_trainer_new(net, heads, &optimizer, &trainer) == FM_OK, "a trainer");
    fm_trainer_set_custom(trainer, custom_loss, net);
    const fm_status status = fm_train(trainer, &epoch, &value, &steps);
    const int stopped = status == FM_BAD_INDEX || (has_labels && status == FM_BAD_LABEL);
    CHECK(status == (rows > 0 ? FM_OK : FM_BAD_ARGUMENT) || stopped, "training: %d", status);
    CHECK(stopped || steps == (rows + epoch.batch - 1) / epoch.batch, "%lld steps", (long long)steps);
    fm_trainer_free(trainer);
    release(&a);
}

/* Arrays must follow each other without gaps, in the order of the nodes. */
static void check_places(const fm_net *net) {
    int64_t at = 0;
    int node = 0;
    for (int i = 0; i < fm_net_arrays(net); i++) {
        const fm_array *array = fm_net_array(net, i);
        CHECK(array->at == at && array->node >= node && array->node < net->n_nodes, "array %d", i);
        at += array->rows * array->cols, node = array->node;
    }
    CHECK(at == fm_net_parameters(net), "%lld parameters", (long long)at);
}

static void try_description(const uint8_t *data, size_t n) {
    bytes b = {data, n};
    description d;
    fm_net *net = NULL;
    describe(&b, &d);
    const size_of_net size = measure(&d);
    if (size.parameters > most_parameters && size.parameters < impossible) return;
    const fm_status status = fm_net_new(&d.ends, d.count, d.node, d.dtype, 1, &net);
    CHECK(status == FM_OK || status == FM_BAD_ARGUMENT || status == FM_NO_MEMORY, "a network: %d", status);
    CHECK((net != NULL) == (status == FM_OK), "a network with status %d", status);
    if (net == NULL) return;
    check_places(net);
    const int64_t rows = take(&b) % 8 == 0 ? MOST_ROWS : take(&b) % 12;
    fm_override_threads(1 + (int)(take(&b) % 3));
    CHECK(!net->asks_caller || fm_net_forward(net, rows, NULL, 0, NULL) == FM_BAD_ARGUMENT, "no function set");
    fm_net_set_custom(net, custom, net);
    if (size.work * (double)rows < most_work) {
        run_by_hand(&b, net, rows);
        train(&b, net, rows);
    } else if ((double)net->widest * (double)rows > impossible) {
        CHECK(fm_net_forward(net, rows, NULL, 1, NULL) == FM_NO_MEMORY, "%lld columns", (long long)net->widest);
        fm_net_reserve(net, rows);
    }
    fm_net_free(net);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    fm_ignore_thread_cost(1);
    try_description(data, n);
    if (checks_failed > 0) abort();
    return 0;
}

#ifndef FM_FUZZER

static size_t read_file(const char *path, uint8_t *data, size_t most) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return 0;
    const size_t n = fread(data, 1, most, file);
    fclose(file);
    return n;
}

int main(int argc, char **argv) {
    enum { MOST_BYTES = 1 << 16 };
    static uint8_t data[MOST_BYTES], changed[MOST_BYTES];
    uint32_t state = 1;
    const int mutations = argc > 1 ? atoi(argv[1]) : 0;
    for (int i = 2; i < argc; i++) {
        const size_t n = read_file(argv[i], data, sizeof data);
        CHECK(n > 0, "%s cannot be read", argv[i]);
        LLVMFuzzerTestOneInput(data, n);
        for (int k = 0; k < mutations && n > 0; k++) {
            memcpy(changed, data, n);
            for (int change = 0; change <= k % 4; change++) {
                state = state * 1664525u + 1013904223u;
                changed[(state >> 8) % n] = (uint8_t)(state >> 24);
            }
            LLVMFuzzerTestOneInput(changed, n);
        }
    }
    return report();
}

#endif
