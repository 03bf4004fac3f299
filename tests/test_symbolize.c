/* test_symbolize.c proves that names are true: function, file, line and inlined
 * functions as addr2line says, over whole programs of both compilers; and that there is
 * no name where there is none: stripped, behind a function's end, from a file that is
 * not the one mapped, from a file that is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/arena.h"
#include "modules/modules.h"
#include "symbolize/debug_info.h"
#include "symbolize/module_symbols.h"
#include "symbolize/names.h"
#include "symbolize/symbol_table.h"
#include "symbolize/symbolize.h"
#include "symbolize_subject.h"

#include <dirent.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char work[] = "/tmp/test_symbolize.XXXXXX";

/* The path NAME below the test's own directory; good until the eighth call from here. */
static const char *at(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", work, name);
    return path;
}

static const char *source(const char *name)
{
    static char path[512];
    const char *root = getenv("SNAG_SOURCE");
    snprintf(path, sizeof path, "%s/tests/symbolize/%s", root ? root : ".", name);
    return path;
}

static bool have(const char *tool)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", tool);
    return system(command) == 0;
}

static int set_up(void **state)
{
    (void)state;
    symbolizer_prepare();
    return mkdtemp(work) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return run_command("rm -rf '%s'", work) ? 0 : -1;
}

/* Whole programs, held against addr2line. */

/* Their file is on this machine, under a name that may not be normalised. */
static bool same_file(const char *ours, const char *theirs)
{
    char a[4096];
    char b[4096];
    return ours && realpath(ours, a) && realpath(theirs, b) && strcmp(a, b) == 0;
}

/* Theirs may have the compiler's ".cold" and the like behind it, and where DWARF has no
 * mangled name, the bare one: ours then has the arguments as well. */
static bool same_name(const struct source_line *ours, const char *theirs)
{
    char name[1024];
    snprintf(name, sizeof name, "%s", theirs);
    name[strcspn(name, ".")] = 0;
    size_t length = strlen(name);
    return strcmp(ours->system_name, name) == 0 ||
           (strncmp(ours->function, name, length) == 0 &&
            (ours->function[length] == '(' || ours->function[length] == 0));
}

/* Whether each of our frames is that of one of the others who see as many: as to its name, and
 * as to its place. (binutils sometimes gives an inlined function its caller's name, LLVM gives one
 * constructor for the other.) */
static bool agree(const struct location *location, struct named_address *const *answers,
                  size_t tool_count, size_t at)
{
    for (size_t i = 0; i < location->line_count; i++) {
        const struct source_line *ours = &location->lines[i];
        bool name = false;
        bool place = false;
        for (size_t t = 0; t < tool_count; t++) {
            if (answers[t][at].count != location->line_count)
                continue;
            const struct named_line *theirs = &answers[t][at].lines[i];
            name |= same_name(ours, theirs->function);
            place |= ours->line == theirs->line &&
                     (theirs->line == 0 || same_file(ours->file, theirs->file));
        }
        if (!name || !place)
            return false;
    }
    return true;
}

static void show(const char *whose, const struct named_address *theirs)
{
    for (size_t i = 0; i < theirs->count; i++)
        print_message("   %s: %s %s:%d\n", whose, theirs->lines[i].function, theirs->lines[i].file,
                      theirs->lines[i].line);
}

static void show_ours(const struct location *location)
{
    print_message("address 0x%" PRIx64 "\n", location->address - location->module->bias);
    for (size_t i = 0; i < location->line_count; i++)
        print_message("   ours: %s %s:%d\n", location->lines[i].system_name,
                      location->lines[i].file ? location->lines[i].file : "??",
                      location->lines[i].line);
}

static bool in_a_function(const struct sized_function *functions, size_t count, uint64_t address)
{
    for (size_t i = 0; i < count; i++)
        if (address >= functions[i].start && address < functions[i].end)
            return true;
    return false;
}

/* Holds every third byte of .text of the program PATH against what others say of it: each
 * answer must be one of theirs. Returns how many had inlined functions. */
static size_t hold_against_others(const char *path, const char *const *tools, size_t tool_count)
{
    uint64_t start;
    uint64_t end;
    assert_true(section_range(path, ".text", &start, &end));
    size_t count = 0;
    uint64_t *addresses = calloc((size_t)(end - start), sizeof *addresses);
    for (uint64_t address = start; address < end; address += 3)
        addresses[count++] = address;
    struct named_address *answers[4];
    for (size_t i = 0; i < tool_count; i++) {
        answers[i] = ask_addr2line(tools[i], path, addresses, count);
        assert_non_null(answers[i]);
    }
    size_t function_count;
    struct sized_function *functions = ask_nm(path, &function_count);
    struct subject subject;
    subject_start(&subject, path);
    size_t named = 0;
    size_t inlined = 0;
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const struct location *location =
            symbolize(subject.symbolizer, addresses[i] + subject.program->bias);
        bool right = location->has_function
                         ? agree(location, answers, tool_count, i)
                         : !in_a_function(functions, function_count, addresses[i]);
        named += location->has_function != 0;
        inlined += location->line_count > 1;
        wrong += !right;
        if (!right && wrong <= 3) {
            show_ours(location);
            for (size_t t = 0; t < tool_count; t++)
                show(tools[t], &answers[t][i]);
        }
    }
    subject_stop(&subject);
    print_message("%s: %zu addresses, %zu named, %zu of inlined functions, %zu wrong\n", path,
                  count, named, inlined, wrong);
    assert_int_equal(wrong, 0);
    assert_true(named * 10 > count * 7);
    free(functions);
    for (size_t i = 0; i < tool_count; i++)
        free(answers[i]);
    free(addresses);
    return inlined;
}

static void test_names_are_those_of_addr2line(void **state)
{
    (void)state;
    /* binutils cannot read all of clang's DWARF 5 and little of split DWARF. */
    static const struct {
        const char *compiler, *options;
        bool needs_llvm;
    } builds[] = {
        { "gcc", "-O0 -g", false },
        { "gcc", "-O1 -g -gdwarf-4", false },
        { "gcc", "-O2 -g -gz", false },
        { "gcc", "-O3 -g -ffunction-sections -Wl,--gc-sections", false },
        { "gcc", "-O2 -g -gsplit-dwarf", true },
        { "clang", "-O0 -g -gdwarf-4", false },
        { "clang", "-O2 -g -gdwarf-4", false },
        { "clang", "-O2 -g", true },
        { "clang", "-O3 -g -gsplit-dwarf", true },
    };
    const char *const tools[] = { "addr2line", "llvm-addr2line" };
    size_t tool_count = have("llvm-addr2line") ? 2 : 1;
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        if (!have(builds[i].compiler) || (builds[i].needs_llvm && tool_count < 2)) {
            print_message("left out: %s %s\n", builds[i].compiler, builds[i].options);
            continue;
        }
        const char *const sources[] = { "shapes.c", "shapes_cpp.cc" };
        for (size_t s = 0; s < 2; s++) {
            const char *suffix = s == 0 ? "" : strcmp(builds[i].compiler, "gcc") ? "++" : "";
            const char *compiler = s == 1 && !*suffix ? "g++" : builds[i].compiler;
            char name[64];
            snprintf(name, sizeof name, "names-%zu-%zu", i, s);
            assert_true(run_command("cd '%s' && %s%s %s -o %s '%s'", work, compiler, suffix,
                                    builds[i].options, name, source(sources[s])));
            size_t inlined = hold_against_others(at(name), tools, tool_count);
            assert_true(inlined > 50);
        }
    }
}

static void test_names_are_demangled_as_by_binutils(void **state)
{
    (void)state;
    assert_true(run_command("g++ -O1 -g -o '%s' '%s'", at("mangled"), source("shapes_cpp.cc")));
    struct subject subject;
    subject_start(&subject, at("mangled"));
    uint64_t start;
    uint64_t end;
    assert_true(section_range(at("mangled"), ".text", &start, &end));
    char last[1024] = "";
    size_t held = 0;
    for (uint64_t address = start; address < end; address++) {
        const struct location *location =
            symbolize(subject.symbolizer, address + subject.program->bias);
        const struct source_line *line = &location->lines[location->line_count - 1];
        if (strcmp(last, line->system_name) == 0)
            continue;
        snprintf(last, sizeof last, "%s", line->system_name);
        assert_string_equal(line->function, ask_cppfilt(line->system_name));
        held += strncmp(line->system_name, "_Z", 2) == 0;
    }
    assert_true(held > 8);
    subject_stop(&subject);
}

static void test_mangled_names_of_every_kind(void **state)
{
    (void)state;
    static const char *const names[] = {
        "_Z1fv",
        "_ZNSt6vectorIiSaIiEE9push_backERKi",
        "_ZN5outer3BoxIiEC2Ei",
        "_ZZ11with_lambdaiENKUliE_clEi",
        "_ZN12_GLOBAL__N_16hiddenEi",
        "_ZNKSt8functionIFiiEEclEi.part.0",
        "main",
        "_start",
        "_Z",
        "_ZN",
        "_R",
        "_ZNSt6vectorIiSaIiEE9push_back",
        "_ZZZZZZ",
        "",
    };
    struct arena arena = ARENA_INIT;
    if (strcmp(name_demangled(&arena, "_Z1fv"), "_Z1fv") == 0)
        skip(); /* built without a demangler */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(name_demangled(&arena, names[i]), ask_cppfilt(names[i]));
    /* c++filt shows the hashes of Rust's names as well. */
    assert_string_equal(name_demangled(&arena, "_RNvNtCs1234_7mycrate3foo3bar"),
                        "mycrate::foo::bar");
    assert_string_equal(name_demangled(&arena, "_RNvC6_123foo3bar"), "123foo::bar");
    assert_string_equal(name_demangled(&arena, "_ZN4core3fmt5write17h0123456789abcdefE"),
                        "core::fmt::write");
    arena_release(&arena);
}

static void test_paths_are_written_straight(void **state)
{
    (void)state;
    static const struct {
        const char *directory, *file, *path;
    } cases[] = {
        { "/src", "a.c", "/src/a.c" },
        { "/src/", "./lib//a.c", "/src/lib/a.c" },
        { "/src/build", "../lib/../a.c", "/src/a.c" },
        { "/src", "/usr/include/stdio.h", "/usr/include/stdio.h" },
        { NULL, "/usr/bin/../lib/gcc/../../include/c++/12/map", "/usr/include/c++/12/map" },
        { NULL, "/../../a.c", "/a.c" },
        { NULL, "../sysdeps/./poll.c", "../sysdeps/poll.c" },
        { NULL, "../../a/../b.c", "../../b.c" },
        { "./nptl", "a.c", "nptl/a.c" },
        { NULL, "a.c", "a.c" },
        { NULL, "/", "" },
    };
    struct arena arena = ARENA_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(name_path(&arena, cases[i].directory, cases[i].file), cases[i].path);
    arena_release(&arena);
}

/* What has no name. */

static const struct location *find(struct subject *subject, uint64_t address_in_file)
{
    return symbolize(subject->symbolizer, address_in_file + subject->program->bias);
}

static void has_no_name(struct subject *subject, uint64_t address)
{
    char expected[256];
    snprintf(expected, sizeof expected, "%s+0x%" PRIx64, module_name(subject->program), address);
    const struct location *location = find(subject, address);
    assert_false(location->has_function);
    assert_false(location->has_lines);
    assert_int_equal(location->line_count, 1);
    assert_string_equal(location->lines[0].function, expected);
    assert_string_equal(location->lines[0].system_name, expected);
    assert_null(location->lines[0].file);
}

static void has_name(struct subject *subject, uint64_t address, const char *name, uint64_t offset)
{
    const struct location *location = find(subject, address);
    const struct source_line *line = &location->lines[location->line_count - 1];
    assert_string_equal(line->function, name);
    assert_true(location->has_function);
    assert_int_equal(location->function_offset, offset);
}

static void build(const char *name, const char *options)
{
    assert_true(
        run_command("cd '%s' && gcc %s -o %s '%s'", work, options, name, source("shapes.c")));
}

static void test_a_name_ends_with_its_function(void **state)
{
    (void)state;
#ifndef __x86_64__
    skip();
#endif
    build("sizes", "-O1");
    struct subject subject;
    subject_start(&subject, at("sizes"));
    uint64_t sized = symbol_value(at("sizes"), "sized");
    uint64_t unsized = symbol_value(at("sizes"), "unsized");
    uint64_t spoken = symbol_value(at("sizes"), "spoken");
    assert_true(sized && unsized && spoken);
    has_name(&subject, sized, "sized", 0);
    has_name(&subject, sized + 15, "sized", 15);
    has_no_name(&subject, sized + 16);
    has_no_name(&subject, unsized - 1);
    has_name(&subject, unsized, "unsized", 0);
    has_name(&subject, unsized + 15, "unsized", 15); /* the next symbol, no function, is there */
    has_no_name(&subject, unsized + 16);
    has_name(&subject, spoken + 3, "spoken", 3); /* of spoken, __spoken, _spoken, local_spoken */
    uint64_t around = symbol_value(at("sizes"), "around");
    has_name(&subject, around + 15, "around", 15);
    has_name(&subject, around + 17, "within", 1);
    has_name(&subject, around + 24, "around", 24);
    has_name(&subject, around + 63, "around", 63);
    has_no_name(&subject, around + 64);
    subject_stop(&subject);
}

static void test_a_stripped_program_has_no_names(void **state)
{
    (void)state;
    build("stripped", "-O1 -g -rdynamic");
    uint64_t exported = symbol_value(at("stripped"), "exported");
    uint64_t not_exported = symbol_value(at("stripped"), "many_calls");
    uint64_t unsized = symbol_value(at("stripped"), "unsized");
    size_t count;
    struct sized_function *functions = ask_nm(at("stripped"), &count);
    assert_true(run_command("strip -s '%s'", at("stripped")));
    struct subject subject;
    subject_start(&subject, at("stripped"));
    has_name(&subject, exported, "exported", 0);
    has_no_name(&subject, not_exported);
    if (unsized) {
        has_name(&subject, unsized, "unsized", 0);
        has_no_name(&subject, unsized + 1); /* the symbol that ends it may have been stripped */
    }
    size_t unnamed = 0;
    for (size_t i = 0; i < count; i++) {
        const struct location *location = find(&subject, functions[i].start + 1);
        assert_false(location->has_lines);
        if (!location->has_function)
            unnamed++;
        else
            assert_int_equal(location->function_offset, 1);
    }
    assert_true(unnamed >= 3);
    free(functions);
    subject_stop(&subject);

    build("bare", "-O1 -g");
    assert_true(run_command("strip -s '%s'", at("bare")));
    subject_start(&subject, at("bare"));
    has_no_name(&subject, not_exported);
    subject_stop(&subject);
}

/* Whether the lines of many_calls in the program NAME are known. */
static bool has_lines(const char *name, uint64_t address)
{
    struct subject subject;
    subject_start(&subject, at(name));
    const struct location *location = find(&subject, address);
    const struct source_line *line = &location->lines[location->line_count - 1];
    bool known = location->has_function;
    if (known) {
        assert_string_equal(line->function, "many_calls");
        assert_true(location->has_lines);
    }
    subject_stop(&subject);
    return known;
}

static void test_separate_debug_files(void **state)
{
    (void)state;
    build("apart", "-O1 -g -Wl,--build-id=none");
    uint64_t address = symbol_value(at("apart"), "many_calls") + 4;
    assert_true(
        run_command("cd '%s' && mkdir .debug && objcopy --only-keep-debug apart apart.dbg && "
                    "strip -s apart && objcopy --add-gnu-debuglink=apart.dbg apart",
                    work));
    assert_true(has_lines("apart", address));
    assert_true(run_command("cd '%s' && mv apart.dbg .debug/", work));
    assert_true(has_lines("apart", address));
    /* Another checksum: another file. */
    assert_true(run_command("cd '%s' && printf x >>.debug/apart.dbg", work));
    assert_false(has_lines("apart", address));
    assert_true(run_command("cd '%s' && rm .debug/apart.dbg", work));
    assert_false(has_lines("apart", address));

    /* With build ids: the debug file of another build is not taken, whatever its name. */
    build("first", "-O1 -g -Wl,--build-id=0x0123456789abcdef");
    build("second", "-O1 -g -Wl,--build-id=0x0123456789abcdee");
    assert_true(run_command("cd '%s' && objcopy --only-keep-debug first first.dbg && "
                            "objcopy --only-keep-debug second second.dbg && strip -s first && "
                            "objcopy --add-gnu-debuglink=first.dbg first",
                            work));
    address = symbol_value(at("first.dbg"), "many_calls") + 4;
    assert_true(has_lines("first", address));
    assert_true(run_command("cd '%s' && mv second.dbg first.dbg", work));
    assert_false(has_lines("first", address));
}

/* `right` in library.so, which is loaded by a program that runs, after the shell command
 * REPLACING put `wrong` in its place: what it is called now. */
static void library_is_replaced(const char *option, const char *replacing)
{
    /* The same code at the same addresses under other names: a wrong file would not show. All is
     * bound at once: nothing may look into the library while it is overwritten. */
    assert_true(
        run_command("cd '%s' && printf 'int right(int x) { return x * 3; }' >r.c && "
                    "printf 'int wrong(int x) { return x * 3; }' >w.c && "
                    "gcc -g -shared -fPIC %s -o library.so r.c && "
                    "gcc -g -shared -fPIC %s -o other.so w.c && "
                    "gcc -g %s -o user '%s' -L. -Wl,-z,now -Wl,--no-as-needed -l:library.so "
                    "-Wl,-rpath,'%s'",
                    work, option, option, option, source("shapes.c"), work));
    uint64_t address = symbol_value(at("library.so"), "right");
    uint64_t in_program = symbol_value(at("user"), "many_calls");
    struct subject subject;
    subject_start(&subject, at("user"));
    assert_true(run_command("cd '%s' && %s", work, replacing));
    assert_int_equal(modules_refresh(subject.modules), 0);
    size_t held = 0;
    for (size_t i = 0; i < modules_count(subject.modules); i++) {
        const struct module *module = modules_at(subject.modules, i);
        if (strcmp(module_name(module), "library.so") != 0 || module->retired)
            continue;
        const struct location *location = symbolize(subject.symbolizer, module->bias + address);
        /* With the capability for map_files the file itself is still to be had. */
        if (location->has_function)
            assert_string_equal(location->lines[0].function, "right");
        else
            assert_memory_equal(location->lines[0].function, "library.so+0x", 13);
        held++;
    }
    assert_int_equal(held, 1);
    /* The program's own file is, under /proc/PID/exe. */
    has_name(&subject, in_program, "many_calls", 0);
    subject_stop(&subject);
}

static void test_a_replaced_file_names_nothing(void **state)
{
    (void)state;
    const char *renamed = "mv other.so library.so && cp /bin/true new && mv new user";
    library_is_replaced("-Wl,--build-id=none", renamed);
    library_is_replaced("-Wl,--build-id", renamed);
    /* Overwritten: the inode is the same. */
    library_is_replaced("-Wl,--build-id", "cat other.so >library.so");
}

/* The own process. */

struct self {
    struct target target;
    struct modules *modules;
    struct symbolizer *symbolizer;
};

static void self_open(struct self *self)
{
    assert_int_equal(target_open(&self->target, 0), 0);
    self->modules = modules_new(&self->target);
    assert_int_equal(modules_refresh(self->modules), 0);
    self->symbolizer = symbolizer_new(&self->target, self->modules);
    assert_non_null(self->symbolizer);
}

static void self_close(struct self *self)
{
    symbolizer_free(self->symbolizer);
    modules_free(self->modules);
    target_close(&self->target);
}

static void test_functions_of_the_c_library(void **state)
{
    (void)state;
    struct self self;
    self_open(&self);
    static const char *const names[] = { "poll",   "read",   "nanosleep", "pthread_mutex_lock",
                                         "accept", "getenv", "qsort_r",   "pthread_cond_wait",
                                         "write",  "fopen",  "sem_wait" };
    void *library = dlopen("libc.so.6", RTLD_NOW);
    assert_non_null(library);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t address = (uintptr_t)dlsym(library, names[i]);
        assert_true(address != 0);
        for (uint64_t offset = 0; offset < 8; offset += 4) {
            const struct location *location = symbolize(self.symbolizer, address + offset);
            const struct source_line *line = &location->lines[location->line_count - 1];
            if (!location->has_function)
                fail_msg("%s has no name", names[i]);
            /* fopen and others stand in the library's debug file as their real names. */
            if (strcmp(line->function, names[i]) != 0)
                print_message("%s is called %s\n", names[i], line->function);
            const char *bare = line->function + strspn(line->function, "_");
            assert_true(strstr(bare, names[i]) || strstr(names[i], bare));
            assert_int_equal(location->function_offset, offset);
        }
    }
    dlclose(library);
    self_close(&self);
}

static void test_code_that_is_in_no_file(void **state)
{
    (void)state;
    char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(code, MAP_FAILED);
    struct self self;
    self_open(&self);
    const struct location *location = symbolize(self.symbolizer, (uintptr_t)code + 16);
    const struct module *module = location->module;
    assert_non_null(module);
    char expected[64];
    snprintf(expected, sizeof expected, "[anon]+0x%" PRIx64,
             (uint64_t)((uintptr_t)code + 16 - module->start));
    assert_string_equal(location->lines[0].function, expected);
    assert_false(location->has_function);

    location = symbolize(self.symbolizer, 0x1234);
    assert_null(location->module);
    assert_string_equal(location->lines[0].function, "0x1234");
    assert_int_equal(location->line_count, 1);

    void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *function = vdso ? dlsym(vdso, "__vdso_clock_gettime") : NULL;
    if (function) {
        location = symbolize(self.symbolizer, (uintptr_t)function + 1);
        assert_true(location->module->is_vdso);
        assert_string_equal(location->lines[0].function, "clock_gettime");
        assert_int_equal(location->function_offset, 1);
    }
    self_close(&self);
    munmap(code, 4096);
}

static void test_what_is_mapped_later_is_seen(void **state)
{
    (void)state;
    assert_true(run_command("cd '%s' && printf 'int late(int x) { return x * 3; }' >late.c && "
                            "gcc -g -shared -fPIC -o late.so late.c",
                            work));
    struct self self;
    self_open(&self);
    void *library = dlopen(at("late.so"), RTLD_NOW);
    assert_non_null(library);
    uint64_t address = (uintptr_t)dlsym(library, "late");
    assert_null(symbolize(self.symbolizer, address)->module);
    assert_int_equal(modules_refresh(self.modules), 0);
    const struct location *location = symbolize(self.symbolizer, address);
    assert_string_equal(location->lines[0].function, "late");
    const char *name = location->lines[0].function;

    /* Unloaded: the old answer can still be read, and the old name is still the right one. */
    char *page = (char *)(uintptr_t)location->module->start;
    size_t length = (size_t)(location->module->end - location->module->start);
    assert_int_equal(dlclose(library), 0);
    assert_int_equal(modules_refresh(self.modules), 0);
    assert_string_equal(symbolize(self.symbolizer, address)->lines[0].function, "late");
    assert_string_equal(name, "late");

    /* Until other code is there. */
    assert_ptr_equal(mmap(page, length, PROT_READ | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
                     page);
    assert_int_equal(modules_refresh(self.modules), 0);
    location = symbolize(self.symbolizer, address);
    assert_false(location->has_function);
    assert_memory_equal(location->lines[0].function, "[anon]+0x", 9);
    assert_string_equal(name, "late");
    munmap(page, length);
    self_close(&self);
}

static bool is_named(struct target *target, const struct module *named_as, uint64_t address)
{
    struct module_symbols *symbols = module_symbols_new(target, named_as);
    assert_non_null(symbols);
    const struct symbol *symbol = module_symbols_function(symbols, address - named_as->bias);
    bool named = symbol && strcmp(symbol->name, "late") == 0;
    module_symbols_free(symbols);
    return named;
}

static void test_code_proves_a_file_where_numbers_do_not(void **state)
{
    (void)state;
    assert_true(run_command("cd '%s' && printf 'int late(int x) { return x * 3; }' >late.c && "
                            "gcc -shared -fPIC -Wl,--build-id=none -o proven.so late.c && "
                            "sed 's/3/5/' late.c >other.c && "
                            "gcc -shared -fPIC -Wl,--build-id=none -o unproven.so other.c",
                            work));
    void *library = dlopen(at("proven.so"), RTLD_NOW);
    assert_non_null(library);
    uint64_t address = (uintptr_t)dlsym(library, "late");
    struct self self;
    self_open(&self);
    struct module module = *modules_find(self.modules, address);
    assert_int_equal(module.build_id_length, 0);
    assert_true(is_named(&self.target, &module, address));
    /* As on an overlay: maps has the numbers of the layer below. */
    module.device++;
    module.inode++;
    assert_true(is_named(&self.target, &module, address));
    /* Another inode of the same device is another file. */
    module.device--;
    assert_false(is_named(&self.target, &module, address));
    /* Other code at the same place. */
    module.device++;
    module.path = (char *)(uintptr_t)at("unproven.so");
    module.end--; /* so that the right one is not found under map_files */
    assert_false(is_named(&self.target, &module, address));
    self_close(&self);
    dlclose(library);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void test_trim_gives_everything_back(void **state)
{
    (void)state;
    struct self self;
    self_open(&self);
    size_t before = open_descriptors();
    char name[256];
    for (int round = 0; round < 3; round++) {
        const struct location *location =
            symbolize(self.symbolizer, (uintptr_t)test_trim_gives_everything_back);
        assert_ptr_equal(location, symbolize(self.symbolizer, location->address));
        if (round > 0)
            assert_string_equal(location->lines[0].function, name);
        snprintf(name, sizeof name, "%s", location->lines[0].function);
        symbolize(self.symbolizer, (uintptr_t)dlsym(RTLD_DEFAULT, "getenv"));
        assert_true(open_descriptors() > before);
        symbolizer_trim(self.symbolizer);
        assert_int_equal(open_descriptors(), before);
    }
    assert_string_equal(name, "test_trim_gives_everything_back");
    self_close(&self);
}

/* As where the engine has a C library of its own. */
static void test_a_file_mapped_twice_is_opened_once(void **state)
{
    (void)state;
    const char *linked = getenv("SNAG_ENGINE_IS_LINKED");
    if (linked && strcmp(linked, "0") != 0)
        skip(); /* a sanitizer's runtime is not to be had twice */
    void *second = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
    assert_non_null(second);
    const uint64_t places[] = { (uintptr_t)dlsym(RTLD_DEFAULT, "getenv"),
                                (uintptr_t)dlsym(second, "getenv") };
    assert_true(places[0] != places[1]);
    struct self self;
    self_open(&self);
    size_t before = open_descriptors();
    for (int first = 0; first < 2; first++) {
        const struct location *one = symbolize(self.symbolizer, places[first]);
        size_t opened = open_descriptors();
        const struct location *other = symbolize(self.symbolizer, places[!first]);
        assert_true(one->module != other->module);
        assert_int_equal(open_descriptors(), opened);
        assert_string_equal(one->lines[0].function, "getenv");
        assert_string_equal(other->lines[0].function, "getenv");
        symbolizer_trim(self.symbolizer);
        assert_int_equal(open_descriptors(), before);
    }
    self_close(&self);
    dlclose(second);
}

static void test_reading_ahead_changes_no_name(void **state)
{
    (void)state;
    struct self self;
    char function[256], file[1024];
    self_open(&self);
    for (int ahead = 0; ahead < 2; ahead++) {
        if (ahead)
            symbolizer_read_ahead(self.symbolizer);
        const struct location *location =
            symbolize(self.symbolizer, (uintptr_t)test_reading_ahead_changes_no_name);
        if (ahead)
            assert_string_equal(location->lines[0].function, function);
        if (ahead)
            assert_string_equal(location->lines[0].file, file);
        snprintf(function, sizeof function, "%s", location->lines[0].function);
        snprintf(file, sizeof file, "%s", location->lines[0].file);
        symbolizer_trim(self.symbolizer);
    }
    symbolizer_read_ahead(self.symbolizer);
    symbolizer_read_ahead(self.symbolizer);
    self_close(&self); /* while it is read */
}

static void test_the_program_is_known(void **state)
{
    (void)state;
    struct self self;
    self_open(&self);
    const struct module *program = symbolizer_program(self.symbolizer);
    assert_ptr_equal(program, modules_find(self.modules, (uintptr_t)test_the_program_is_known));
    self_close(&self);
}

/* Broken files. */

static unsigned char *read_whole(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*length);
    assert_int_equal(fread(bytes, 1, *length, file), *length);
    fclose(file);
    return bytes;
}

/* Breaks BYTES in the way of number VARIANT: cut short, or some of them flipped, the
 * debug sections more often than the rest. Returns the new length. */
static size_t spoil(unsigned char *bytes, size_t length, unsigned variant)
{
    srand(variant);
    if (variant % 4 == 0)
        return (size_t)rand() % length;
    size_t from = variant % 3 == 0 ? 0 : length / 16;
    for (int i = rand() % (variant % 4 == 1 ? 4 : 150); i >= 0; i--) {
        size_t place = from + ((size_t)rand() << 12 ^ (size_t)rand()) % (length - from);
        bytes[place] = rand() % 3 == 0 ? 0xff : (unsigned char)rand();
    }
    return length;
}

/* Asks the file PATH, as if it had been mapped, for all from START to END. Returns how
 * many names it gave. */
static size_t ask_everything(const char *path, uint64_t start, uint64_t end)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    struct target target;
    assert_int_equal(target_open(&target, 0), 0);
    char copy[256];
    snprintf(copy, sizeof copy, "%s", path);
    const struct module module = {
        .id = 1,
        .is_elf = true,
        .start = start,
        .end = end,
        .path = copy,
        .device = status.st_dev,
        .inode = status.st_ino,
    };
    size_t named = 0;
    struct module_symbols *symbols = module_symbols_new(&target, &module);
    assert_non_null(symbols);
    struct debug_answer *answer = malloc(sizeof *answer);
    for (uint64_t address = start; address < end; address += 41) {
        if (module_symbols_debug(symbols, address, answer))
            for (size_t i = 0; i < answer->count; i++)
                named += answer->frames[i].name && *answer->frames[i].name;
        const struct symbol *symbol = module_symbols_function(symbols, address);
        named += symbol && *symbol->name;
    }
    free(answer);
    module_symbols_free(symbols);
    target_close(&target);
    return named;
}

static void test_broken_files_break_nothing(void **state)
{
    (void)state;
    static const char *const options[] = { "-O2 -g", "-O2 -g -gdwarf-4", "-O2 -g -gz" };
    for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
        assert_true(run_command("g++ %s -Wl,--build-id=none -o '%s' '%s'", options[o], at("whole"),
                                source("shapes_cpp.cc")));
        uint64_t start;
        uint64_t end;
        assert_true(section_range(at("whole"), ".text", &start, &end));
        size_t length;
        unsigned char *whole = read_whole(at("whole"), &length);
        size_t from_whole = ask_everything(at("whole"), start, end);
        assert_true(from_whole > 100);
        size_t fewer = 0;
        for (unsigned variant = 0; variant < 150; variant++) {
            unsigned char *broken = malloc(length);
            memcpy(broken, whole, length);
            size_t left = spoil(broken, length, variant);
            FILE *file = fopen(at("broken"), "wb");
            assert_non_null(file);
            fwrite(broken, 1, left, file);
            fclose(file);
            free(broken);
            fewer += ask_everything(at("broken"), start, end) < from_whole;
        }
        free(whole);
        assert_true(fewer > 40); /* they were broken where it matters */
    }
}

static void test_file_names_that_do_not_end(void **state)
{
    (void)state;
    assert_true(run_command("cd '%s' && gcc -g -gdwarf-5 -Wl,--build-id=none -o ends '%s' && "
                            "objcopy --dump-section .debug_line_str=names ends && "
                            "truncate -s -1 names && "
                            "objcopy --update-section .debug_line_str=names ends endless",
                            work, source("shapes.c")));
    uint64_t start;
    uint64_t end;
    assert_true(section_range(at("ends"), ".text", &start, &end));
    size_t before = ask_everything(at("ends"), start, end);
    size_t after = ask_everything(at("endless"), start, end);
    assert_true(after > 0);           /* by the symbol table */
    assert_true(after <= before / 2); /* and by nothing else */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_those_of_addr2line),
        cmocka_unit_test(test_names_are_demangled_as_by_binutils),
        cmocka_unit_test(test_mangled_names_of_every_kind),
        cmocka_unit_test(test_paths_are_written_straight),
        cmocka_unit_test(test_a_name_ends_with_its_function),
        cmocka_unit_test(test_a_stripped_program_has_no_names),
        cmocka_unit_test(test_separate_debug_files),
        cmocka_unit_test(test_a_replaced_file_names_nothing),
        cmocka_unit_test(test_functions_of_the_c_library),
        cmocka_unit_test(test_code_that_is_in_no_file),
        cmocka_unit_test(test_what_is_mapped_later_is_seen),
        cmocka_unit_test(test_code_proves_a_file_where_numbers_do_not),
        cmocka_unit_test(test_trim_gives_everything_back),
        cmocka_unit_test(test_a_file_mapped_twice_is_opened_once),
        cmocka_unit_test(test_reading_ahead_changes_no_name),
        cmocka_unit_test(test_the_program_is_known),
        cmocka_unit_test(test_broken_files_break_nothing),
        cmocka_unit_test(test_file_names_that_do_not_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
