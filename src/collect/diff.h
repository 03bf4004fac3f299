/* diff.h: `snag collect diff A B`: what came and what went between two profiles. */
#ifndef SNAG_COLLECT_DIFF_H
#define SNAG_COLLECT_DIFF_H

/* ARGUMENTS begin behind "diff" and end with NULL. The exit status: 0, with --exit-code 1 when
 * something has grown; 1 as well when a file cannot be read, 2 for misuse. */
int collect_diff(char **arguments);

#endif
