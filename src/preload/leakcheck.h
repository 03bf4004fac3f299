/* leakcheck.h: `snag run --leakcheck`: a program that leaks ends with another exit status. */
#ifndef SNAG_PRELOAD_LEAKCHECK_H
#define SNAG_PRELOAD_LEAKCHECK_H

/* In the constructor: from now on, if SNAG_LEAKCHECK gives the exit status for leaks ("1" to
 * "255"), the program is looked at when it ends by exit or by returning from main. */
void leakcheck_begin(void);

#endif
