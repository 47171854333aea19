/* From nodes to fused ops: what runs in one pass, who contributes to whose gradient, and predict's buffers. */
#ifndef FM_ENGINE_FUSE_H
#define FM_ENGINE_FUSE_H

#include "engine/net.h"

/* `net` is described, and has room for as many fused ops as nodes, and for their readers; `scratch` holds as many
   ints as nodes. */
void fm_fuse(fm_net *net, int *scratch);

#endif
