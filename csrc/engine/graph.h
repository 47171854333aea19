/* From nodes to stages: fusion, who contributes to whose gradient, and predict's buffers. Sets all of net but memory. */
#ifndef FM_ENGINE_GRAPH_H
#define FM_ENGINE_GRAPH_H

#include "engine/net.h"

/* `net` has its nodes, checked, and room for as many stages; `scratch` holds as many ints. */
void fm_graph_plan(fm_net *net, int *scratch);

/* How often a node's value (-1 - k: an input's) is read, by other nodes or by the caller. */
int fm_graph_uses(const fm_net *net, int node);

int64_t fm_node_weights(const fm_node *node); /* how many, without its bias */

#endif
