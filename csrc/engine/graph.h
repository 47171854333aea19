/* Descriptions of networks: checks them, and places the parameters and state of each node. */
#ifndef FM_ENGINE_GRAPH_H
#define FM_ENGINE_GRAPH_H

#include "engine/net.h"

int fm_graph_ends_are_valid(const fm_ends *ends, int n_nodes);

/* Copies the lists of the nodes, because the caller keeps its own. */
fm_status fm_graph_copy_lists(fm_net *net);
/* Computes the constants of the operations; `net` has valid nodes. */
fm_status fm_graph_make_constants(fm_net *net);

/* `net` has its nodes, and memory for FM_MOST_ARRAYS arrays of each node. Checks the nodes and places their
   parameters and state. FM_NO_MEMORY if their number overflows. */
fm_status fm_graph_describe(fm_net *net);

/* How many times a value is read, by nodes or as an output of the network; node -1 - k is input k. */
int fm_graph_uses(const fm_net *net, int node);

int64_t fm_graph_width(const fm_net *net, int source); /* width of a node's value, or of an input */

#endif
