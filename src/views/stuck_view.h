/* stuck_view.h: a diagnosis for a person and for a script. */
#ifndef SNAG_VIEWS_STUCK_VIEW_H
#define SNAG_VIEWS_STUCK_VIEW_H

struct sink;
struct stuck_facts;
struct stuck_list;

/* The findings alone, a line each, the worst first. */
void stuck_write_lines(struct sink *sink, const struct stuck_list *list);

/* /debug/stuck: a line for each finding, the worst first; below, the evidence for each: threads,
 * stacks, descriptors, openers. LIST was made from FACTS. */
void stuck_write_text(struct sink *sink, const struct stuck_list *list,
                      const struct stuck_facts *facts);

/* ?format=json: the same for a script. */
void stuck_write_json(struct sink *sink, const struct stuck_list *list,
                      const struct stuck_facts *facts);

#endif
