/* opener_first.c: a plug-in that opens a descriptor. opener_second.c is the same
 * code by another name, so that one lands on the other's addresses. */
#define OPENS first_plugin_opens
#include "opener.h"
