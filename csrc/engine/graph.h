/* Descriptions of networks: whether they are sound, and where each node's parameters and state lie. */
#ifndef FM_ENGINE_GRAPH_H
#define FM_ENGINE_GRAPH_H

#include "engine/net.h"

int fm_graph_ends_are_valid(const fm_ends *ends, int n_nodes);

/* `net` has its nodes, and room for FM_MOST_ARRAYS arrays of each: checks them, and gives parameters and state their
   places. FM_NO_MEMORY where they are more than can be counted. */
fm_status fm_graph_describe(fm_net *net);

/* How often a node's value (-1 - k: an input's) is read, by other nodes or by the caller. */
int fm_graph_uses(const fm_net *net, int node);

int64_t fm_graph_width(const fm_net *net, int source); /* of a node's value or an input */

#endif
