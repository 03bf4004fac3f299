/* test_frame_index.c proves that the search table which is made for a program without one is the
 * one that a linker would have made: for every library of this process, out of its .eh_frame alone;
 * and that no damage to .eh_frame does harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#include "base/target.h"
#include "modules/modules.h"
#include "unwind/frame_index.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAMAGES 4000

static struct target target;
static struct modules *modules;

/* Where .eh_frame is and how long, up to its end mark. */
static bool find_frames(const struct module *module, struct module *bare)
{
    int32_t distance;
    uint32_t length;
    *bare = *module;
    bare->table_count = 0;
    if (!module->is_elf || module->table_count == 0 ||
        !target_read_all(&target, module->eh_frame_hdr + 4, &distance, sizeof distance))
        return false;
    bare->eh_frame = module->eh_frame_hdr + 4 + (uint64_t)(int64_t)distance;
    uint64_t at = bare->eh_frame;
    while (target_read_all(&target, at, &length, sizeof length) && length != 0 && length < 1u << 20)
        at += sizeof length + length;
    bare->eh_frame_size = at - bare->eh_frame;
    return length == 0;
}

/* Whether each function of the linker's table is in ours, with the same description. */
static void compare(const struct module *module, const struct module *bare)
{
    struct frame_index index;
    frame_index_make(&index, &target, bare);
    assert_int_equal(index.count, module->table_count);
    for (size_t i = 0; i < index.count; i++) {
        struct frame_entry linked;
        assert_true(
            target_read_all(&target, module->table + i * sizeof linked, &linked, sizeof linked));
        assert_int_equal(bare->eh_frame + (uint64_t)(int64_t)index.entries[i].start,
                         module->eh_frame_hdr + (uint64_t)(int64_t)linked.start);
        assert_int_equal(bare->eh_frame + (uint64_t)(int64_t)index.entries[i].description,
                         module->eh_frame_hdr + (uint64_t)(int64_t)linked.description);
    }
    frame_index_free(&index);
}

static void test_as_the_linker_makes_it(void **state)
{
    (void)state;
    size_t compared = 0;
    for (size_t i = 0; i < modules_count(modules); i++) {
        struct module bare;
        const struct module *module = modules_at(modules, i);
        if (module->is_vdso || !find_frames(module, &bare))
            continue;
        compare(module, &bare);
        compared++;
    }
    assert_true(compared >= 3); /* this program, the loader, the C library */
}

/* A copy of the smallest of them, with a few bytes changed or its end cut off. */
static void test_damage_does_no_harm(void **state)
{
    (void)state;
    struct module least = { .eh_frame_size = UINT64_MAX };
    for (size_t i = 0; i < modules_count(modules); i++) {
        struct module bare;
        if (find_frames(modules_at(modules, i), &bare) && bare.eh_frame_size > 256 &&
            bare.eh_frame_size < least.eh_frame_size)
            least = bare;
    }
    size_t size = (size_t)least.eh_frame_size;
    assert_true(size < SIZE_MAX / 2);
    unsigned char *whole = malloc(size);
    assert_true(whole && target_read_all(&target, least.eh_frame, whole, size));
    srand(1);
    for (int i = 0; i < DAMAGES; i++) {
        struct frame_index index;
        size_t length = i % 4 == 0 ? (size_t)rand() % size + 1 : size;
        unsigned char *copy = malloc(length);
        assert_non_null(copy);
        memcpy(copy, whole, length);
        for (int j = 0; j < i % 8; j++)
            copy[(size_t)rand() % (j < 2 && length > 64 ? 64 : length)] = (unsigned char)rand();
        least.eh_frame = (uint64_t)(uintptr_t)copy;
        least.eh_frame_size = length;
        frame_index_make(&index, &target, &least);
        assert_true(index.count <= length / 8);
        frame_index_free(&index);
        free(copy);
    }
    free(whole);
}

static int open_own(void **state)
{
    (void)state;
    if (target_open(&target, 0) != 0)
        return -1;
    modules = modules_new(&target);
    return modules ? modules_refresh(modules) : -1;
}

static int close_own(void **state)
{
    (void)state;
    modules_free(modules);
    target_close(&target);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_linker_makes_it),
        cmocka_unit_test(test_damage_does_no_harm),
    };
    return cmocka_run_group_tests(tests, open_own, close_own);
}
