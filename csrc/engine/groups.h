/* Parameter groups: the flat parameter array cut into ranges, each with its factors of learning rate and weight decay. A
   trainer always has at least one range, and its ranges cover all parameters in order. */
#ifndef FM_ENGINE_GROUPS_H
#define FM_ENGINE_GROUPS_H

#include "engine/trainer.h"

const fm_group *fm_group_among_several(const fm_trainer *trainer, int64_t at);
int fm_groups_freeze(const fm_trainer *trainer, const fm_array *array);

/* The group that parameter `at` lies in; those that follow it in the array are the next ones. Inline, like the next one,
   for steps of a microsecond. */
static inline const fm_group *fm_group_of(const fm_trainer *trainer, int64_t at) {
    return trainer->n_groups == 1 ? trainer->groups : fm_group_among_several(trainer, at);
}

/* A group whose learning rate has the factor 0 is frozen: its parameters keep their bits and its gradients are not made. */
static inline int fm_array_is_frozen(const fm_trainer *trainer, const fm_array *array) {
    return trainer->any_is_frozen && fm_groups_freeze(trainer, array);
}

#endif
