/* Which targets a loss takes. */
#ifndef FM_TESTS_TARGETS_H
#define FM_TESTS_TARGETS_H

#include "engine/net.h"

/* The first rows of the registry: losses of any width with at most one parameter, whose targets are labels or as wide as
   the scores. The others have their tests in Python. */
static inline int plain_losses(void) {
    int count = 0;
    while (fm_loss_at(count)->target != FM_TARGET_QUANTILE) count++;
    return count + 1;
}

/* The columns of the targets of a loss, or of the caller's; -1 if the width does not fit, or if there would be more than
   `width` columns. */
static inline int64_t columns_within(int kind, int64_t width, const double *params) {
    const fm_target target = kind < 0 ? FM_TARGET_REAL : fm_loss_at(kind)->target;
    if (target == FM_TARGET_QUANTILE) return 1;
    if (target != FM_TARGET_FIELDS) return width;
    const int64_t fields = fm_loss_target_cols(kind, width, params);
    return fields > width ? -1 : fields;
}

#endif
