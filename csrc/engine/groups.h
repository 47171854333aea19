/* Parameter groups divide the flat parameter array into ranges, each with its factors for learning rate and weight
   decay. A trainer always has at least one group, and its groups cover all parameters in order. */
#ifndef FM_ENGINE_GROUPS_H
#define FM_ENGINE_GROUPS_H

#include "engine/trainer.h"

const fm_group *fm_group_among_several(const fm_trainer *trainer, int64_t at);
int fm_groups_freeze(const fm_trainer *trainer, const fm_array *array);

/* The group of parameter `at`; the groups after it in memory follow in order. This function and the next are inline
   because a step can be as short as a microsecond. */
static inline const fm_group *fm_group_of(const fm_trainer *trainer, int64_t at) {
    return trainer->n_groups == 1 ? trainer->groups : fm_group_among_several(trainer, at);
}

/* A group with learning-rate factor 0 is frozen: its parameters keep their bits and its gradients are not computed. */
static inline int fm_array_is_frozen(const fm_trainer *trainer, const fm_array *array) {
    return trainer->any_is_frozen && fm_groups_freeze(trainer, array);
}

#endif
