/* model.h: among the writers of a model: model.c, calls.c, makers.c,
 * scope.c upon write.c. */
#ifndef SNAG_CHECK_MODEL_H
#define SNAG_CHECK_MODEL_H

#include "check/check.h"

struct arguments {
    size_t count;
    size_t first[32], end[32]; /* tokens; END is the comma or parenthesis behind it */
};

/* In the function that is being written. */
struct scope {
    const struct function *function;
    struct list objects; /* names of its variables that are followed as objects */
    bool has_streams;    /* it compares with stdin or one of its kind */
    struct list holders; /* and of those that get a pointer from a maker */
};

struct writer {
    struct model *model;
    const struct unit *unit;
    const struct token *tokens;
    struct scope scope;
};

/* ---- write.c ---- */

bool writer_is(const struct writer *writer, size_t token, const char *text);
char *writer_word(const struct writer *writer, size_t token);
/* What stands before a token: white space, newlines, line markers. */
void writer_gap(struct writer *writer, size_t token);
/* The tokens again in one line, as they were. */
void writer_raw(struct writer *writer, size_t from, size_t end);
char *writer_text(const struct writer *writer, size_t from, size_t end);
/* False: more than there is room for. OPEN is the parenthesis. */
bool writer_arguments(const struct writer *writer, size_t open, struct arguments *arguments);
/* The first token of the postfix expression that ends before END, as `s->fds[0]`; END: it is none.
 */
size_t writer_postfix(const struct writer *writer, size_t end);
/* What becomes of the result of the call that begins at NAME. */
void writer_use(struct writer *writer, size_t name, struct site *site);
/* Whether the word at I, before END, is called there. */
bool writer_is_call(const struct writer *writer, size_t i, size_t end);
/* The name in an argument that is `&name`, maybe in parentheses (macros); 0: it is another. */
size_t writer_object(const struct writer *writer, const struct arguments *arguments, int argument);

/* ---- makers.c ---- */

/* False: nothing was written, as it is no making or releasing that can be followed. */
bool writer_maker(struct writer *writer, size_t name, const struct arguments *arguments,
                  const struct resource *resource);
bool writer_releaser(struct writer *writer, size_t name, const struct arguments *arguments,
                     const struct resource *resource, int argument);
/* The call as it is, its arguments as they are to be read. */
void writer_plain_call(struct writer *writer, size_t name);
void writer_argument(struct writer *writer, const struct arguments *arguments, int number);
/* A number in an argument, as `fd`, `s->fd` or `(void *)(long)fd`, is no longer ours to release. */
void writer_given(struct writer *writer, const struct arguments *arguments, size_t number,
                  bool is_taken);

/* ---- calls.c, scope.c, model.c ---- */

void writer_call(struct writer *writer, size_t name);
/* What the function holds; the writer is in it from then on. */
void scope_find(struct writer *writer, const struct function *function);
/* Within a function: each call as it is to be read. */
void writer_tokens(struct writer *writer, size_t from, size_t end);

#endif
