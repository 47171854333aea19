/* Which deltas a training step computes: those that lead to parameters. */
#ifndef FM_ENGINE_WANTED_H
#define FM_ENGINE_WANTED_H

#include "engine/net.h"

/* Sets `unwanted`, `dx` and `slope` of all fused ops. Parameters that `trainer` has frozen do not count; NULL: all count. */
void fm_find_wanted(const fm_net *net, const fm_trainer *trainer, fm_operands *at);

#endif
