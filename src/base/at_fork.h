/* at_fork.h: where that lies which every fork writes.
 *
 * A page that is written in a child, or in its parent after it, is copied: that costs more than
 * the write. What the handlers of a fork set lies side by side, so that one page is copied
 * and not five. */
#ifndef SNAG_BASE_AT_FORK_H
#define SNAG_BASE_AT_FORK_H

#define WRITTEN_AT_FORK __attribute__((section(".data.at_fork")))

#endif
