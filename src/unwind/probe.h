/* probe.h: libunwind asked for one row of an unwind table.
 *
 * Private to unwind/. */
#ifndef SNAG_UNWIND_PROBE_H
#define SNAG_UNWIND_PROBE_H

#include <stdint.h>

struct code;
struct module;
struct probe;
struct rule;

/* A probe that reads tables through CODE. NULL without memory. */
struct probe *probe_new(struct code *code);
void probe_free(struct probe *probe);

/* Gives back what is kept of modules. */
void probe_forget(struct probe *probe);

/* Fills RULE (its address is set) from the tables of MODULE, which holds the address. */
void probe_rule(struct probe *probe, const struct module *module, struct rule *rule);

#endif
