/* Arrays like the parameters, zero at first. On machines with several memory nodes a page lies where the thread that
   writes it first runs; so each thread zeroes what it will update. */
#ifndef FM_ENGINE_FIRST_TOUCH_H
#define FM_ENGINE_FIRST_TOUCH_H

#include "engine/net.h"

void *fm_first_touch(const fm_net *net); /* NULL without memory */

#endif
