/* lab_roots.c: the tables of a process that is looked at from outside and has libsnag in it.
 *
 * Found by the symbols that libsnag exports for this: those of the shared library in memory, as the
 * loader finds them; those of a program that is linked with the static one in its file, or, when it
 * was stripped, by the words that each table begins with. They are looked for again when the
 * process has loaded something, or has become another program. */
#include "reports/lab_roots.h"

#include "base/own_threads.h"

#include "handles/layout.h"
#include "labels/layout.h"
#include "modules/modules.h"
#include "reports/reports.h"
#include "sources/marked.h"
#include "sources/own_threads.h"
#include "sources/tracking_symbol.h"
#include "symbolize/file_symbol.h"
#include "symbolize/symbolize.h"

enum root { HANDLES, LABELS, OWN_THREADS, ROOTS };

static const char *const names[ROOTS] = {
    [HANDLES] = HANDLES_ROOT_SYMBOL,
    [LABELS] = LABELS_ROOT_SYMBOL,
    [OWN_THREADS] = OWN_THREADS_SYMBOL,
};

static void search_memory(struct lab *lab, uint64_t roots[ROOTS])
{
    for (size_t i = 0; i < modules_count(lab->modules); i++) {
        const struct module *module = modules_at(lab->modules, i);
        if (!module->is_elf || module->is_vdso || module->retired)
            continue;
        for (int root = 0; root < ROOTS; root++)
            if (roots[root] == 0)
                roots[root] = loaded_symbol(&lab->target, module->bias, names[root]);
    }
}

static const struct mark marks[ROOTS] = {
    [HANDLES] = { HANDLES_MAGIC, HANDLES_VERSION, sizeof(struct handle_root) },
    [LABELS] = { LABELS_MAGIC, LABELS_VERSION, sizeof(struct label_root) },
    [OWN_THREADS] = { OWN_THREADS_MAGIC, OWN_THREADS_VERSION, sizeof(struct own_threads) },
};

static void search(struct lab *lab, const struct module *program)
{
    uint64_t roots[ROOTS] = { 0 };
    search_memory(lab, roots);
    if (program && roots[HANDLES] == 0)
        file_symbols(&lab->target, program, names, roots, ROOTS);
    if (program && roots[HANDLES] == 0)
        marked_find(&lab->target, program, marks, roots, ROOTS);
    lab->handles_root = roots[HANDLES];
    lab->labels_root = roots[LABELS];
    lab->threads_root = roots[OWN_THREADS];
}

void lab_find_roots(struct lab *lab)
{
    if (modules_refresh(lab->modules) != 0)
        return;
    const struct module *program = symbolizer_program(lab->symbolizer);
    uint32_t id = program ? program->id : 0;
    size_t count = modules_count(lab->modules);
    if (id != lab->roots_program || count != lab->roots_modules)
        search(lab, program);
    lab->roots_program = id;
    lab->roots_modules = count;
    own_threads_find(&lab->target, lab->threads_root);
}
