/* lab_roots.c: the tables of a process that is looked at from outside and has libsnag in it.
 *
 * Found by the symbols that libsnag exports for this: those of the shared library in memory, as the
 * loader finds them; those of a program that is linked with the static one in its file, unless it
 * was stripped. They are looked for again when the process has loaded something, or has become
 * another program. */
#include "reports/lab_roots.h"

#include "base/own_threads.h"

#include "handles/layout.h"
#include "labels/layout.h"
#include "modules/modules.h"
#include "reports/reports.h"
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

static void search(struct lab *lab, const struct module *program)
{
    uint64_t roots[ROOTS] = { 0 };
    uint64_t of_file[ROOTS];
    search_memory(lab, roots);
    if (program && roots[HANDLES] == 0) {
        file_symbols(&lab->target, program, names, of_file, ROOTS);
        for (int root = 0; root < ROOTS; root++)
            roots[root] = roots[root] ? roots[root] : of_file[root];
    }
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
