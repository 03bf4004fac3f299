/* turn.h: one target's turn: each profile is asked for, held against the format, stored and pushed;
 * then there is at most one line about what failed. */
#ifndef SNAG_COLLECT_TURN_H
#define SNAG_COLLECT_TURN_H

struct member;

/* Ends with rounds_turn_ended(). */
void turn_begin(struct member *member);

#endif
