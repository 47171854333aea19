/* Each of the fan_in columns holds row numbers of one table (size[0], fan_out / fan_in). Each row number is replaced by
   that row of the table.

   Row numbers are whole numbers in the storage type; float32 holds them exactly up to 2^24. Another thread may
   change the input during the call, so each number is checked where it is read, and forward stores the checked
   numbers for backward. */
#include <string.h>

#include "engine/op.h"

enum { INDEX }; /* spaces: (rows, fan_in) of int64_t, checked */

static int64_t row_width(const fm_node *node) { return node->fan_out / node->fan_in; }

static int check(const fm_node *node, const int64_t *width) {
    return node->n_sources == 1 && fm_check_each_width(node, width) && node->size[0] > 0 &&
           node->fan_out % node->fan_in == 0;
}

static int arrays(const fm_node *node, fm_array *array) {
    array[0] = (fm_array){.name = "W", .role = FM_TABLE, .rows = node->size[0], .cols = row_width(node)};
    return 1;
}

static void plan(fm_fused *op) { op->whole_rows = 1; }

static int64_t spaces(const fm_fused *op, fm_use use, fm_space *space) {
    (void)use;
    space[INDEX] = (fm_space){.life = FM_KEPT, .size = sizeof(int64_t), .per_row = op->node.fan_in};
    return 1;
}

/* The row number in element `at` of x. If it is not a row of the table, the call fails and row 0 is used meanwhile. */
static int64_t index_at(const fm_run *run, const fm_operands *at, int64_t element) {
    const void *x = fm_element(run, at->x[0], element);
    const double value = run->size == sizeof(float) ? (double)*(const volatile float *)x : *(const volatile double *)x;
    if (value >= 0.0 && value < (double)at->op->node.size[0] && (double)(int64_t)value == value) return (int64_t)value;
    fm_fail(run, FM_BAD_INDEX);
    return 0;
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t columns = at->op->node.fan_in, width = row_width(&at->op->node);
    int64_t *kept = at->space[INDEX];
    for (int64_t i = tile->row * columns; i < (tile->row + tile->rows) * columns; i++) {
        const int64_t index = index_at(run, at, i);
        if (kept != NULL) kept[i] = index;
        memcpy(fm_element(run, at->y, i * width), fm_element(run, at->param[0], index * width),
               (size_t)width * run->size);
    }
}

/* Row numbers have no gradient. */
static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    if (at->op->adds[source]) return;
    for (int64_t row = tile->row; row < tile->row + tile->rows; row++)
        memset(fm_element(run, at->dx[source], row * at->op->node.fan_in + tile->col), 0,
               (size_t)tile->cols * run->size);
}

/* Each row of the table adds its contributions in the order of the batch, on whichever thread. */
static void gradient(const fm_run *run, const fm_operands *at, int array, int64_t begin, int64_t end) {
    const int64_t columns = at->op->node.fan_in, width = row_width(&at->op->node);
    const int64_t *kept = at->space[INDEX];
    if (!run->adds && run->first_row == 0)
        memset(fm_element(run, at->grad[array], begin * width), 0, (size_t)((end - begin) * width) * run->size);
    for (int64_t i = 0; i < run->rows * columns; i++) {
        void *to = fm_element(run, at->grad[array], kept[i] * width);
        if (kept[i] >= begin && kept[i] < end)
            run->kernels->join(FM_JOIN_ADD, 1, width, to, width, fm_element(run, at->dz, i * width), width, to, width);
    }
}

const fm_op_row fm_op_embedding = {
    .name = "embedding",
    .check = check,
    .arrays = arrays,
    .plan = plan,
    .spaces = spaces,
    .forward = forward,
    .down = down,
    .gradient = gradient,
    .sums_in_order = 1,
};
