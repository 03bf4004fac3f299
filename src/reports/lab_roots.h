/* lab_roots.h: private to lab.c. */
#ifndef SNAG_REPORTS_LAB_ROOTS_H
#define SNAG_REPORTS_LAB_ROOTS_H

struct lab;

/* Finds the tables of libsnag in another process, and which of its threads are snag's. */
void lab_find_roots(struct lab *lab);

#endif
