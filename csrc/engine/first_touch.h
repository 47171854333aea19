/* Arrays as large as the parameters, zero at first. On machines with several memory nodes, a page is placed on the
   node of the thread that first writes to it. So each thread zeroes the part that it will update. */
#ifndef FM_ENGINE_FIRST_TOUCH_H
#define FM_ENGINE_FIRST_TOUCH_H

#include "engine/net.h"

void *fm_first_touch(const fm_net *net); /* NULL if memory is short */

#endif
