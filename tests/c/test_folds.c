/* Losses with a fold on the C interface: each member's loss and gradient are those of a loss of its own, one step on
   rows in orders of the members equals a step on rows that were put together before, and a fold that does not fit is
   refused. */
#include "networks.h"

enum { ROWS = 37, FOLD = 4, COLS = 3, IN = 2, SIDE = FOLD * COLS };

static const double params[3] = {0.1, 0.5, 0.9};

static fm_loss_spec loss_of(int kind, int64_t fold) {
    return (fm_loss_spec){.kind = kind, .mean = 1, .n_params = 1, .params = params, .fold = fold};
}

/* The elements of one member from rows of all of them, or of all members from rows that they share. */
static void part_of(void *to, const void *from, int64_t cols, int member, int own, size_t size) {
    for (int64_t i = 0; i < ROWS; i++)
        memcpy((char *)to + (size_t)(i * cols) * size,
               (const char *)from + (size_t)((own ? i * FOLD + member : i) * cols) * size, (size_t)cols * size);
}

static void check_loss(fm_dtype dtype, int kind, int own) {
    const size_t size = dtype == FM_F32 ? 4 : 8;
    const int classes = fm_loss_at(kind)->target == FM_TARGET_CLASS;
    void *scores = random_reals(dtype, ROWS * SIDE, 1, 1.0), *targets = random_reals(dtype, ROWS * SIDE, 2, 0.2);
    void *weights = random_reals(dtype, ROWS * FOLD, 3, 1.0), *gradient = random_reals(dtype, ROWS * SIDE, 0, 0.0);
    void *s = random_reals(dtype, ROWS * COLS, 0, 0.0), *t = random_reals(dtype, ROWS * COLS, 0, 0.0);
    void *w = random_reals(dtype, ROWS, 0, 0.0), *g = random_reals(dtype, ROWS * COLS, 0, 0.0);
    int64_t label[ROWS * FOLD], l[ROWS];
    double value, mean = 0.0, alone, members[FOLD];
    for (int64_t i = 0; i < ROWS * FOLD; i++) label[i] = i * i % COLS, put(weights, i, size, (double)(i % 5), 0);
    const fm_loss_spec folded = loss_of(kind, FOLD), single = loss_of(kind, 0);
    const fm_targets all = {classes ? label : NULL, classes ? NULL : targets, COLS, weights, own};
    CHECK(fm_loss(&folded, dtype, ROWS, SIDE, scores, &all, &value, members, gradient) == FM_OK, "loss %d", kind);
    for (int member = 0; member < FOLD; member++) {
        part_of(s, scores, COLS, member, 1, size), part_of(t, targets, COLS, member, own, size);
        part_of(w, weights, 1, member, own, size), part_of(l, label, 1, member, own, sizeof *label);
        const fm_targets its = {classes ? l : NULL, classes ? NULL : t, COLS, w, 0};
        CHECK(fm_loss(&single, dtype, ROWS, COLS, s, &its, &alone, NULL, g) == FM_OK, "loss %d", kind);
        CHECK(members[member] == alone, "loss %d of member %d: %.17g, not %.17g", kind, member, members[member], alone);
        mean += alone / FOLD;
        part_of(s, gradient, COLS, member, 1, size);
        for (int64_t i = 0; i < ROWS * COLS; i++)
            CHECK(FOLD * get(s, i, size) == get(g, i, size), "gradient of loss %d", kind);
    }
    CHECK(value > mean - 1e-9 && value < mean + 1e-9, "loss %d: %.17g, not %.17g", kind, value, mean);
    CHECK(fm_loss(&folded, dtype, ROWS, SIDE - 1, scores, &all, &value, members, gradient) == FM_BAD_ARGUMENT, "width");
    for (int64_t n = 1; n <= 2; n++) {
        fm_fail_allocation(n);
        CHECK(fm_loss(&folded, dtype, ROWS, SIDE, scores, &all, &value, NULL, gradient) == FM_NO_MEMORY, "memory");
        fm_fail_allocation(0);
    }
    free(scores), free(targets), free(weights), free(gradient), free(s), free(t), free(w), free(g);
}

/* ---- rows in orders of the members ---- */

static fm_net *network(fm_dtype dtype) {
    list l = {.count = 0};
    const int last = one(&l, FM_OP_LINEAR, FOLD * IN, SIDE, -1);
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {FOLD * IN}, .output = {last}};
    fm_net *net = NULL;
    CHECK(fm_net_new(&ends, l.count, l.node, dtype, 3, &net) == FM_OK, "a network");
    draw_params(net, dtype, 5, 0.3);
    return net;
}

static fm_status train(fm_net *net, const fm_loss_spec *loss, fm_epoch *epoch, double *members) {
    const double lr[ROWS] = {0.1, 0.1, 0.1, 0.1};
    const fm_head head = {*loss, 1.0};
    const fm_optimizer_spec optimizer = {.kind = 0};
    fm_trainer *trainer = NULL;
    double value;
    int64_t steps;
    CHECK(fm_trainer_new(net, &head, &optimizer, &trainer) == FM_OK, "a trainer");
    epoch->rows = ROWS, epoch->batch = 10, epoch->lr = lr, epoch->members = members;
    const fm_status status = fm_train(trainer, epoch, &value, &steps);
    fm_trainer_free(trainer);
    return status;
}

static void check_orders(fm_dtype dtype) {
    const size_t size = dtype == FM_F32 ? 4 : 8;
    const fm_loss_spec loss = loss_of(2, FOLD), plain = loss_of(2, 1);
    void *x = random_reals(dtype, ROWS * IN, 1, 1.0), *y = random_reals(dtype, ROWS * COLS, 2, 1.0);
    void *wide_x = random_reals(dtype, ROWS * FOLD * IN, 0, 0.0), *wide_y = random_reals(dtype, ROWS * SIDE, 0, 0.0);
    int64_t order[ROWS * FOLD];
    double members[FOLD], one_member[1];
    for (int64_t i = 0; i < ROWS * FOLD; i++) {
        order[i] = i * 7 % ROWS;
        memcpy((char *)wide_x + (size_t)(i * IN) * size, (char *)x + (size_t)(order[i] * IN) * size, IN * size);
        memcpy((char *)wide_y + (size_t)(i * COLS) * size, (char *)y + (size_t)(order[i] * COLS) * size, COLS * size);
    }
    fm_net *own = network(dtype), *whole = network(dtype);
    fm_epoch epoch = {.x = {x}, .targets = {{.values = y, .cols = COLS}}, .fold = FOLD, .order = order};
    fm_epoch together = {.x = {wide_x}, .targets = {{.values = wide_y, .cols = SIDE}}};
    CHECK(train(own, &loss, &epoch, members) == FM_OK, "orders of the members");
    /* The mean over all columns is that of the members. */
    CHECK(train(whole, &plain, &together, one_member) == FM_OK, "rows put together");
    const size_t bytes = (size_t)fm_net_parameters(own) * size;
    CHECK(memcmp(fm_net_params(own), fm_net_params(whole), bytes) == 0, "other bits in orders of the members");
    const double mean = (members[0] + members[1] + members[2] + members[3]) / FOLD;
    CHECK(mean > one_member[0] - 1e-5 && mean < one_member[0] + 1e-5, "%g, not %g", mean, one_member[0]);
    fm_epoch bad[] = {epoch, epoch, epoch};
    bad[0].fold = -1, bad[1].fold = 2, bad[2].order = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(train(own, &loss, &bad[i], members) == FM_BAD_ARGUMENT, "fold %zu", i);
    CHECK(train(own, &plain, &epoch, members) == FM_BAD_ARGUMENT, "a loss without the fold");
    const fm_head heads[] = {{loss_of(2, 5), 1.0}, {loss_of(2, -1), 1.0}, {loss_of(-1, 2), 1.0}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        fm_trainer *trainer = NULL;
        CHECK(fm_trainer_new(own, &heads[i], &(fm_optimizer_spec){.kind = 0}, &trainer) == FM_BAD_ARGUMENT, "%zu", i);
    }
    fm_net_free(own), fm_net_free(whole);
    free(x), free(y), free(wide_x), free(wide_y);
}

static void check(fm_dtype dtype) {
    for (int kind = 0; kind < plain_losses(); kind++)
        for (int own = 0; own < 2; own++) check_loss(dtype, kind, own);
    check_orders(dtype);
}

int main(void) {
    everywhere(check);
    return report();
}
