#include "engine/groups.h"

#include <math.h>
#include <string.h>

#include "base/aligned_alloc.h"

const fm_group *fm_group_among_several(const fm_trainer *trainer, int64_t at) {
    int first = 0, last = trainer->n_groups - 1;
    while (first < last) {
        const int middle = first + (last - first) / 2;
        if (at < trainer->groups[middle].end) last = middle;
        else first = middle + 1;
    }
    return &trainer->groups[first];
}

int fm_groups_freeze(const fm_trainer *trainer, const fm_array *array) {
    const int64_t end = array->at + array->rows * array->cols;
    int64_t begin = array->at;
    for (const fm_group *group = fm_group_of(trainer, begin); begin < end; group++) {
        if (group->lr != 0.0) return 0;
        begin = group->end;
    }
    return 1;
}

static int is_factor(double value) { return value >= 0.0 && isfinite(value); }

static int are_valid(const fm_trainer *trainer, int n, const fm_group *groups) {
    for (int i = 0; i < n; i++) {
        if (groups[i].end <= (i == 0 ? 0 : groups[i - 1].end)) return 0;
        if (!is_factor(groups[i].lr) || !is_factor(groups[i].weight_decay)) return 0;
    }
    return groups[n - 1].end == trainer->net->n_params;
}

fm_status fm_trainer_set_groups(fm_trainer *trainer, int n, const fm_group *groups) {
    const fm_group whole = {.end = trainer->net->n_params, .lr = 1.0, .weight_decay = 1.0};
    if (n < 0 || (n > 0 && !are_valid(trainer, n, groups))) return FM_BAD_ARGUMENT;
    const int count = n == 0 ? 1 : n;
    fm_group *own = fm_alloc(count, sizeof *own);
    if (own == NULL) return FM_NO_MEMORY;
    memcpy(own, n == 0 ? &whole : groups, (size_t)count * sizeof *own);
    fm_free(trainer->groups);
    trainer->groups = own;
    trainer->n_groups = count;
    trainer->any_is_frozen = 0;
    for (int i = 0; i < count; i++) trainer->any_is_frozen |= own[i].lr == 0.0;
    return FM_OK;
}
