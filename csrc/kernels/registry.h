/* The registries: the rows of the .def files, for the engine and for Python. */
#ifndef FM_KERNELS_REGISTRY_H
#define FM_KERNELS_REGISTRY_H

#include <stdint.h>

enum { FM_ACTIVATION_PARAMS = 2, FM_HYPERS = 6, FM_SLOTS = 2, FM_MOST_COMPONENTS = 256 };

/* What backward needs of an activation: its output, or its local gradient ("slope"), which forward stores. */
typedef enum { FM_SAVES_OUTPUT, FM_SAVES_SLOPE } fm_saves;

typedef struct {
    const char *name, *params, *formula, *slope, *init;
    fm_saves saves;
    double tolerance[2]; /* relative, against the float64 reference, for float32 and float64 */
} fm_activation_row;

typedef enum { FM_TARGET_CLASS, FM_TARGET_REAL, FM_TARGET_QUANTILE, FM_TARGET_FIELDS } fm_target;

typedef struct {
    const char *name, *params;
    fm_target target;
    int averaged; /* 0: over rows only; otherwise over columns too, of which so many belong to one element */
    double tolerance[2];
} fm_loss_row;

typedef struct {
    const char *name, *hyper;
    int slots;
    int need[FM_SLOTS]; /* index of the hyperparameter that must not be 0 for the slot to exist; -1: always */
} fm_optimizer_row;

int fm_activation_count(void);
int fm_loss_count(void);
int fm_optimizer_count(void);
const fm_activation_row *fm_activation_at(int kind); /* NULL outside 0 .. count - 1 */
const fm_loss_row *fm_loss_at(int kind);
const fm_optimizer_row *fm_optimizer_at(int kind);

/* The columns of the targets of n columns of scores of one member; -1 if n does not fit or the targets must be labels.
   For a QUANTILE loss any divisor of them will do too. */
int64_t fm_loss_target_cols(int kind, int64_t n, const double *params);

#endif
