/* Turns nodes into fused ops: which nodes run in one pass, which readers contribute to a gradient, and which buffers
   predict uses. */
#ifndef FM_ENGINE_FUSE_H
#define FM_ENGINE_FUSE_H

#include "engine/net.h"

/* `net` is described and has memory for as many fused ops and readers as nodes; `scratch` holds one int for each
   node. */
void fm_fuse(fm_net *net, int *scratch);

#endif
