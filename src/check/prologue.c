/* prologue.c: what a model's own names mean to an analyzer.
 *
 * To clang a pointer resource is memory (ownership attributes, as malloc and free have them), and a
 * number is a handle (its checker of Fuchsia's handles follows any int that is called so). A
 * number is -1 or above 2, never in between, so that a test for either is understood. To gcc a
 * pointer resource is memory with deallocators of its own (the malloc attribute). */
#include "check/check.h"

#include <stdlib.h>
#include <string.h>

static const char common[] = "int __snag_somehow(void);\n"
                             "void *__snag_any_made(void);\n"
                             "int __snag_any_fd(void);\n"
                             "extern char __snag_stdin, __snag_stdout, __snag_stderr;\n"
                             "void __snag_end(void) __attribute__((noreturn));\n"
                             "static inline int __snag_done_3(void) { return 0; }\n"
                             "static inline int __snag_done_4(void) { return 0; }\n"
                             "static inline int __snag_done_5(void) { return 1; }\n"
                             "static inline int __snag_failed_3(void) { int e = __snag_somehow(); "
                             "if (e == 0) __snag_end(); return e; }\n"
                             "static inline int __snag_failed_4(void) { return -1; }\n"
                             "static inline int __snag_failed_5(void) { return 0; }\n";

static const char for_clang[] =
    "typedef int zx_handle_t;\n"
    "typedef int zx_status_t;\n"
    "zx_status_t __snag_acquire(zx_handle_t *h __attribute__((acquire_handle(\"Fuchsia\"))));\n"
    "extern int __snag_given;\n"
    "static inline int __snag_give(int h) { __snag_given = h; return h; }\n"
    "void __snag_fill(char *p);\n" /* a void pointer would be taken to be kept */
    "void __snag_free(const char *p) __attribute__((ownership_takes(malloc, 1)));\n"
    "void *__snag_lend(char *p);\n"
    "void __snag_keep(const void *p) __attribute__((ownership_holds(malloc, 1)));\n";

static void print_numbers(struct model *to, const struct model *model, size_t number)
{
    const struct site *site = model->sites.items[number];
    model_print(to,
                "static inline int __snag_fd_%zu(void) { zx_handle_t h; if (__snag_acquire(&h) != "
                "0) "
                "%s h <= 2) __snag_end(); return h; }\n",
                number, site->must ? "__snag_end(); if (" : "return -1; if (");
}

static const char *dealloc(const struct resource *resource, const struct model *model, size_t i)
{
    for (size_t j = 0; j < model->releasers.count; j++)
        if (strcmp(model->releasers.items[j], resource->releasers[i].name) == 0)
            return text_format(", malloc(__snag_put_%zu, 1)", j);
    return "";
}

static void print_pointer(struct model *to, const struct model *model, size_t number)
{
    const struct site *site = model->sites.items[number];
    model_print(to, "void *__snag_ptr_%zu(void) __attribute__((", number);
    if (model->dialect == FOR_CLANG) {
        model_print(to, "ownership_returns(malloc)");
    } else {
        model_print(to, "malloc, malloc(__snag_put_none, 1)");
        for (int i = 0; i < site->resource->releaser_count; i++)
            model_print(to, "%s", dealloc(site->resource, model, (size_t)i));
    }
    model_print(to, "));\n");
}

/* What is made has contents that nobody knows; and it is not where a failure would be. */
static void print_made(struct model *to, const struct model *model, size_t number)
{
    const struct resource *row = ((struct site *)model->sites.items[number])->resource;
    bool clang = model->dialect == FOR_CLANG;
    const char *argument = !row->takes ? "void" : row->takes_number ? "int old" : "void *old";
    const char *give = !row->takes || (row->takes_number && !clang) ? ""
                       : row->takes_number                          ? "__snag_give(old); "
                       : clang                                      ? "__snag_keep(old); "
                                                                    : "__snag_put_none(old); ";
    const char *failed = row->fails == FAILS_MAP_FAILED ? "(void *)-1L" : "(void *)0";
    model_print(to, "static inline void *__snag_made_%zu(%s) { %svoid *p = __snag_ptr_%zu(); ",
                number, argument, row->takes_always ? give : "", number);
    model_print(to, "if (!p) return %s; ", failed);
    if (row->fails == FAILS_MAP_FAILED)
        model_print(to, "if (p == (void *)-1L) __snag_end(); ");
    if (clang)
        model_print(to, "__snag_fill((char *)p); ");
    model_print(to, "%sreturn p; }\n", row->takes_always ? "" : give);
}

char *model_prologue(const struct model *model)
{
    struct model to = { .dialect = model->dialect };
    const char *main_file = model->unit->files.count > 1 ? model->unit->files.items[1] : "";
    bool clang = model->dialect == FOR_CLANG;
    model_print(&to, "# 1 \"%s\"\n# 1 \"<snag>\" 1 3\n%s", main_file, common);
    if (clang)
        model_print(&to, "%s", for_clang);
    model_print(&to, "int __snag_put_none(void *);\n");
    for (size_t i = 0; i < model->releasers.count; i++) {
        model_print(&to, "int __snag_put_%zu(void *)%s;\n", i,
                    clang ? " __attribute__((ownership_takes(malloc, 1)))" : "");
        if (clang)
            model_print(&to,
                        "int __snag_close_%zu(zx_handle_t h __attribute__((release_handle("
                        "\"Fuchsia\"))));\n",
                        i);
    }
    for (size_t i = 0; i < model->sites.count; i++) {
        const struct site *site = model->sites.items[i];
        if (!clang)
            model_print(&to, "# %zu \"<snag>\" 3\n", MODEL_SITES + MODEL_SITE_LINES * i);
        if (site->resource->is_number && clang)
            print_numbers(&to, model, i);
        if (!site->resource->is_number) {
            print_pointer(&to, model, i);
            print_made(&to, model, i);
        }
    }
    model_print(&to, "# 1 \"%s\" 2\n", main_file);
    return to.text;
}
