/* opener_third.c: see opener_first.c. */
#define OPENS third_plugin_opens
#include "opener.h"
