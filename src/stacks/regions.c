/* regions.c: whose code an address is, without the loader's lock; see regions.h.
 *
 * What the program was started with is written down once, when this library is
 * loaded, and is never unloaded: rules about it hold for ever. Everything else
 * is asked of glibc's _dl_find_object, which is made for unwinders: no lock,
 * safe in a signal handler. */
#include "stacks/regions.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <sys/auxv.h>

#define INITIAL_MAX 256

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
#define HAVE_FIND_OBJECT 1
#pragma weak _dl_find_object
#endif

static struct code_region initial[INITIAL_MAX]; /* by address */
static _Atomic size_t initial_count;

static uintptr_t loader_address(void)
{
#if defined(HAVE_FIND_OBJECT)
    if (_dl_find_object)
        return (uintptr_t)_dl_find_object;
#endif
    return (uintptr_t)getauxval(AT_BASE);
}

static struct code_region region_from(const struct dl_phdr_info *info)
{
    struct code_region region = { .start = UINTPTR_MAX, .for_ever = true };
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr;
        uintptr_t end = start + part->p_memsz;
        if (part->p_type == PT_GNU_EH_FRAME)
            region.table = (const unsigned char *)start;
        if (part->p_type == PT_LOAD && start < region.start)
            region.start = start;
        if (part->p_type == PT_LOAD && end > region.end)
            region.end = end;
    }
    return region;
}

/* The walk over the loader's list. */
struct listing {
    size_t count;
    uintptr_t loader; /* an address in the last object to take */
};

static void insert(struct listing *listing, const struct code_region *region)
{
    size_t at = listing->count++;
    for (; at > 0 && initial[at - 1].start > region->start; at--)
        initial[at] = initial[at - 1];
    initial[at] = *region;
}

/* The loader's list begins with what the program was started with, in an order
 * in which the loader itself comes last or nearly so; what dlopen brings is
 * added behind. So all up to the loader is there for ever. (Of what comes after it some may be,
 * too, and is asked about needlessly.) */
static int take_object(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct listing *listing = argument;
    struct code_region region = region_from(info);
    (void)size;
    if (region.start >= region.end)
        return 0;
    if (listing->count == INITIAL_MAX)
        return 1;
    insert(listing, &region);
    return listing->loader - region.start < region.end - region.start;
}

/* Walks that come before see nothing yet, and ask glibc for all. */
__attribute__((constructor)) static void take_initial(void)
{
    struct listing listing = { .loader = loader_address() };
    if (listing.loader == 0) /* a static program is alone */
        listing.loader = (uintptr_t)take_initial;
    dl_iterate_phdr(take_object, &listing);
    atomic_store_explicit(&initial_count, listing.count, memory_order_release);
}

static bool find_initial(uintptr_t address, struct code_region *region)
{
    size_t count = atomic_load_explicit(&initial_count, memory_order_acquire);
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (initial[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || address < initial[low].start)
        return false;
    *region = initial[low];
    return true;
}

#if defined(HAVE_FIND_OBJECT)

static bool ask_loader(uintptr_t address, struct code_region *region)
{
    struct dl_find_object object;
    if (!_dl_find_object || _dl_find_object((void *)address, &object) != 0)
        return false;
    region->start = (uintptr_t)object.dlfo_map_start;
    region->end = (uintptr_t)object.dlfo_map_end;
    region->table = object.dlfo_eh_frame;
    region->for_ever = false;
    region->bias = object.dlfo_link_map->l_addr;
    region->path = object.dlfo_link_map->l_name;
    return true;
}

#else

static bool ask_loader(uintptr_t address, struct code_region *region)
{
    (void)address, (void)region;
    return false;
}

#endif

bool region_of(uintptr_t address, struct code_region *region)
{
    return find_initial(address, region) || ask_loader(address, region);
}
