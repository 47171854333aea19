/* Notices changes of parameters and state between a forward pass and its backward pass.

   Updates by this library are counted. Callers also write into the arrays, which only the bits show, so a mark has a stamp
   of them. It covers all parameters of a small network, and of a large one a sample of blocks, so that its cost stays a
   small part of both passes. The next mark has the next sample: a program that writes between the passes again and again is
   noticed soon. */
#ifndef FM_ENGINE_MARK_H
#define FM_ENGINE_MARK_H

#include "kernels/table.h"

struct fm_net;

typedef struct {
    const fm_kernels *kernels; /* that made the stamp; another ISA would make another one */
    uint64_t updates, stamp;
    int64_t first, every; /* the sample: each block whose number is first + i * every */
} fm_mark;

/* After a forward pass of `rows` rows. */
fm_mark fm_mark_of(struct fm_net *net, const fm_kernels *kernels, int64_t rows);
/* Whether parameters and state are as they were then. */
int fm_mark_holds(const struct fm_net *net, const fm_mark *mark);

#endif
