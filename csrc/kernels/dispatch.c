/* Chooses the kernel table, and holds the rows of the registries. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/table.h"

#define FM_ISA_ROW(name, bits) extern const fm_kernels *const fm_kernels_of_##name[2];
#include "isa_rows.def"
#undef FM_ISA_ROW

typedef struct {
    const char *name;
    unsigned needs;
    fm_tables tables;
} isa_row;

static const isa_row isas[] = {
#define FM_ISA_ROW(name, bits) {#name, bits, fm_kernels_of_##name},
#include "isa_rows.def"
#undef FM_ISA_ROW
};

static const isa_row *_Atomic chosen;

int fm_isa_count(void) { return (int)(sizeof isas / sizeof *isas); }

const char *fm_isa_name(int index) { return index >= 0 && index < fm_isa_count() ? isas[index].name : NULL; }

int fm_isa_supported(int index) {
    return index >= 0 && index < fm_isa_count() && (isas[index].needs & ~fm_cpu_features()) == 0;
}

fm_status fm_use_isa(const char *name) {
    for (int i = 0; i < fm_isa_count(); i++) {
        if (strcmp(name, isas[i].name) != 0) continue;
        if (!fm_isa_supported(i)) return FM_UNSUPPORTED_ISA;
        atomic_store(&chosen, &isas[i]);
        return FM_OK;
    }
    return FM_UNKNOWN_ISA;
}

/* The best ISA that this processor supports: cmake/isa.cmake lists them from worst to best, and every processor
   supports the first. */
static const isa_row *best(void) {
    int i = fm_isa_count() - 1;
    while (i > 0 && !fm_isa_supported(i)) i--;
    return &isas[i];
}

static const isa_row *in_use(void) {
    const isa_row *row = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (row == NULL) {
        row = best();
        atomic_store(&chosen, row);
    }
    return row;
}

const char *fm_isa_in_use(void) { return in_use()->name; }

fm_tables fm_tables_in_use(void) { return in_use()->tables; }

int fm_bfloat16_is_native(void) { return fm_tables_in_use()[FM_F32]->product[FM_COMPUTE_BFLOAT16].is_native; }

static const fm_activation_row activation_rows[] = {
#define FM_ACTIVATION(id, name, saves, n_params, params, formula, slope, init, tol32, tol64) \
    {#name, params, formula, slope, init, FM_SAVES_##saves, {tol32, tol64}},
#include "kernels/activations.def"
#undef FM_ACTIVATION
};

static const fm_loss_row loss_rows[] = {
#define FM_LOSS(id, name, target, form, averaged, params, cols, tol32, tol64) \
    {#name, params, FM_TARGET_##target, averaged, {tol32, tol64}},
#include "kernels/losses.def"
#undef FM_LOSS
};

/* ---- the columns of targets; `more` are the fields behind the action ---- */

static int64_t equal_parts(int64_t n, int64_t parts) { return n > 0 && n % parts == 0 ? 1 : -1; }

static int64_t halves(int64_t n, int64_t more) { return n > 1 && n % 2 == 0 ? n / 2 + more : -1; }

static int64_t mixture(int64_t n, double components) {
    const int64_t k = (int64_t)components;
    return k > 0 && k <= FM_MOST_COMPONENTS && n % k == 0 ? halves(n / k - 1, 0) : -1;
}

static int64_t actions(int64_t n, double value_coef, int64_t more) { return n > (value_coef != 0) ? 1 + more : -1; }

static int64_t vectors(int64_t n, double value_coef, int64_t more) { return halves(n - (value_coef != 0), more); }

enum {
#define FM_LOSS(id, ...) LOSS_##id,
#include "kernels/losses.def"
#undef FM_LOSS
};

int64_t fm_loss_target_cols(int kind, int64_t n, const double *p) {
    (void)p;
    switch (kind) {
#define FM_LOSS(id, name, target, form, averaged, params, cols, tol32, tol64) \
    case LOSS_##id: return cols;
#include "kernels/losses.def"
#undef FM_LOSS
    }
    return -1;
}

static const fm_optimizer_row optimizer_rows[] = {
#define FM_OPTIMIZER(id, name, slots, need0, need1, hyper) {#name, hyper, slots, {need0, need1}},
#include "kernels/optimizers.def"
#undef FM_OPTIMIZER
};

#define FM_COUNT(rows) ((int)(sizeof(rows) / sizeof *(rows)))
#define FM_AT(rows, kind) ((kind) >= 0 && (kind) < FM_COUNT(rows) ? &(rows)[kind] : NULL)

int fm_activation_count(void) { return FM_COUNT(activation_rows); }
int fm_loss_count(void) { return FM_COUNT(loss_rows); }
int fm_optimizer_count(void) { return FM_COUNT(optimizer_rows); }
const fm_activation_row *fm_activation_at(int kind) { return FM_AT(activation_rows, kind); }
const fm_loss_row *fm_loss_at(int kind) { return FM_AT(loss_rows, kind); }
const fm_optimizer_row *fm_optimizer_at(int kind) { return FM_AT(optimizer_rows, kind); }
