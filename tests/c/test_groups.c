/* The promises of fastmlp.h for parameter groups: frozen ranges keep their bits at any position; the other
   parameters change as without groups. */
#include <math.h>

#include "networks.h"

enum { ROWS = 37, IN = 17, HIDDEN = 20, FIRST = 19, LAST = 301 };

typedef struct {
    size_t size;
    fm_net *net;
    fm_trainer *trainer;
    void *start, *x, *target;
    int64_t n; /* number of parameters */
} course;

static course start(fm_dtype dtype, double clip_norm) {
    static const double none[1] = {0.0};
    course c = {.size = dtype == FM_F32 ? 4 : 8};
    list l = {.count = 0};
    const int hidden = one(&l, FM_OP_LAYER_NORM, HIDDEN, HIDDEN, one(&l, FM_OP_LINEAR, IN, HIDDEN, -1));
    const int output = one(&l, FM_OP_LINEAR, HIDDEN, OUT, hidden);
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {IN}, .output = {output}};
    const fm_head head = {{2, 1, 0, none, 0}, 1.0};
    const fm_optimizer_spec optimizer = {.kind = 1, .hyper = {0.9, 0.99, 1e-8, 1e-3}, .clip_norm = clip_norm};
    CHECK(fm_net_new(&ends, l.count, l.node, dtype, 11, &c.net) == FM_OK, "a network");
    CHECK(fm_trainer_new(c.net, &head, &optimizer, &c.trainer) == FM_OK, "a trainer");
    c.n = fm_net_parameters(c.net);
    c.start = random_reals(dtype, c.n, 1, 0.2);
    c.x = random_reals(dtype, ROWS * IN, 2, 1.0), c.target = random_reals(dtype, ROWS * OUT, 3, 1.0);
    memcpy(fm_net_params(c.net), c.start, (size_t)c.n * c.size);
    return c;
}

static void end(course *c) {
    fm_trainer_free(c->trainer);
    fm_net_free(c->net);
    free(c->start), free(c->x), free(c->target);
}

static void step(course *c) {
    const double lr[1] = {1e-3};
    double value;
    int64_t steps;
    const fm_epoch epoch = {
        .x = {c->x}, .targets = {{.values = c->target, .cols = OUT}}, .rows = ROWS, .batch = ROWS, .lr = lr};
    CHECK(fm_train(c->trainer, &epoch, &value, &steps) == FM_OK && steps == 1, "training");
}

static void check_bad_groups(course *c) {
    const fm_group bad[][2] = {{{0, 1.0, 1.0}, {c->n, 1.0, 1.0}},     {{9, 1.0, 1.0}, {9, 1.0, 1.0}},
                               {{c->n, 1.0, 1.0}, {9, 1.0, 1.0}},     {{9, 1.0, 1.0}, {c->n - 1, 1.0, 1.0}},
                               {{9, -1.0, 1.0}, {c->n, 1.0, 1.0}},    {{9, 1.0, NAN}, {c->n, 1.0, 1.0}},
                               {{9, 1.0, 1.0}, {c->n, INFINITY, 1.0}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(fm_trainer_set_groups(c->trainer, 2, bad[i]) == FM_BAD_ARGUMENT, "groups %zu", i);
    CHECK(fm_trainer_set_groups(c->trainer, -1, bad[0]) == FM_BAD_ARGUMENT, "fewer than no groups");
    fm_fail_allocation(1);
    CHECK(fm_trainer_set_groups(c->trainer, 0, NULL) == FM_NO_MEMORY, "no memory for groups");
    fm_fail_allocation(0);
}

static void check_frozen(fm_dtype dtype, double clip_norm) {
    course whole = start(dtype, clip_norm), grouped = start(dtype, clip_norm);
    const fm_group groups[3] = {{FIRST, 1.0, 1.0}, {LAST, 0.0, 1.0}, {whole.n, 1.0, 1.0}};
    int64_t moved = 0, others = 0;
    CHECK(fm_trainer_set_groups(grouped.trainer, 3, groups) == FM_OK, "groups");
    CHECK(fm_trainer_set_groups(whole.trainer, 3, groups) == FM_OK, "groups");
    CHECK(fm_trainer_set_groups(whole.trainer, 0, NULL) == FM_OK, "no groups");
    check_bad_groups(&grouped);
    step(&whole), step(&grouped);
    for (int64_t i = 0; i < whole.n; i++) {
        const double value = get(fm_net_params(grouped.net), i, grouped.size);
        if (i >= FIRST && i < LAST) moved += value != get(grouped.start, i, grouped.size);
        else others += value != get(fm_net_params(whole.net), i, whole.size);
    }
    CHECK(moved == 0, "%lld frozen parameters have moved", (long long)moved);
    CHECK(others == 0 || clip_norm != 0.0, "%lld parameters have moved otherwise", (long long)others);
    end(&whole), end(&grouped);
}

int main(void) {
    fm_ignore_thread_cost(1);
    for (int isa = 0; isa < fm_isa_count(); isa++) {
        if (fm_use_isa(fm_isa_name(isa)) != FM_OK) continue;
        for (int i = 0; i < 8; i++) {
            fm_override_threads(i & 1 ? 3 : 1);
            check_frozen(i & 2 ? FM_F64 : FM_F32, i & 4 ? 0.1 : 0.0);
        }
    }
    return report();
}
