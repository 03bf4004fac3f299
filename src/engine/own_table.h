/* own_table.h: a descriptor table of the engine's own. */
#ifndef SNAG_ENGINE_OWN_TABLE_H
#define SNAG_ENGINE_OWN_TABLE_H

/* Gives the calling thread a table of its own, with nothing of the service's
 * in it and 0 to 2 taken. NULL, or one line for the log when that is refused: the table is then
 * still the service's. */
const char *own_table_take(void);

#endif
