/* opener_second.c: see opener_first.c. */
#define OPENS second_plugin_opens
#include "opener.h"
