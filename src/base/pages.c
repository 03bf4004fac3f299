/* pages.c: whether reading a page of the target could wait for somebody; see
 * pages.h and Documentation/admin-guide/mm/pagemap.rst.
 *
 *     present or swapped                       here
 *     neither, without a file                  away: zeros, or a userfaultfd's
 *     neither, of a file whose device answers  away: it is read from there
 *     neither, of any other file               never
 *
 * An untouched page and one that a userfaultfd stands for look the same, and zeros do matter (a
 * frame may hold an array that nobody has written to, a table may be sparse). Pages
 * that are away are therefore read through /proc/PID/mem: the kernel brings a page for it without
 * the leave to wait for a userfaultfd's owner, who makes that read fail instead (EIO) since
 * there are userfaultfds. Pages that are here are read by process_vm_readv, which is cheaper for
 * several. For a few words the kernel is rather asked for the mapping (Linux 6.11): 0.6 us, a look
 * at a page is 1.1.
 *
 * What remains: a page may go away between the look and the read, some
 * microseconds. A page of a stack or of the heap goes to swap. A page of a file on a dead mount
 * must be reclaimed in that very moment, or be unmapped and mapped anew; and one of a userfaultfd
 * be thrown away (MADV_DONTNEED) by its owner. To look again afterwards would tell too late, and
 * nothing that reads memory can be told not to wait for a file. */
#include "base/pages.h"

#include "base/maps.h"
#include "base/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)

/* Maps that were read are believed this long, or twenty times as long as reading them took. */
#define MAPPINGS_NS UINT64_C(5000000)
#define MAPPINGS_FACTOR 20u

struct page_mapping {
    uint64_t start;
    uint64_t end;
    uint64_t device; /* 0 without a file */
    bool readable;
};

void page_gate_open(struct page_gate *gate, int directory_fd)
{
    *gate = (struct page_gate){ .page_size = (uint64_t)sysconf(_SC_PAGESIZE) };
    gate->pagemap_fd = openat(directory_fd, "pagemap", O_RDONLY | O_CLOEXEC);
    gate->maps_fd = openat(directory_fd, "maps", O_RDONLY | O_CLOEXEC);
    file_systems_open(&gate->systems, directory_fd);
}

void page_gate_close(struct page_gate *gate)
{
    if (gate->pagemap_fd >= 0)
        close(gate->pagemap_fd);
    if (gate->maps_fd >= 0)
        close(gate->maps_fd);
    gate->pagemap_fd = gate->maps_fd = -1;
    file_systems_close(&gate->systems);
    free(gate->mappings);
    gate->mappings = NULL;
    gate->mapping_count = 0;
}

bool page_view_take(const struct page_gate *gate, uint64_t address, size_t length,
                    struct page_view *view)
{
    uint64_t first = address / gate->page_size;
    uint64_t last = (address + length - 1) / gate->page_size;
    if (length == 0 || last < first)
        return false;
    size_t wanted = last - first < PAGES_AT_ONCE ? (size_t)(last - first) + 1 : PAGES_AT_ONCE;
    ssize_t got = pread(gate->pagemap_fd, view->entries, wanted * sizeof *view->entries,
                        (off_t)(first * sizeof *view->entries));
    view->first = first * gate->page_size;
    view->count = got > 0 ? (size_t)got / sizeof *view->entries : 0;
    return view->count > 0;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Takes what TEXT says. Where nothing is mapped from any overlay's device though there is an
 * overlay, these files are told by their layers' devices. */
static bool take_maps(struct page_gate *gate, const char *text)
{
    size_t lines = 1;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    struct page_mapping *mappings = malloc(lines * sizeof *mappings);
    if (!mappings)
        return false;
    free(gate->mappings);
    gate->mappings = mappings;
    gate->mapping_count = 0;
    uint64_t overlay = overlay_device(&gate->systems);
    bool shown = false;
    struct map_line line;
    while (map_line_next(&text, &line)) {
        shown |= line.device == overlay;
        mappings[gate->mapping_count++] = (struct page_mapping){
            .start = line.start, .end = line.end, .device = line.device, .readable = line.readable
        };
    }
    gate->systems.shows_layers = overlay != 0 && !shown;
    return true;
}

/* Reads maps anew if what was read is too old. */
static bool renew_mappings(struct page_gate *gate)
{
    uint64_t before = now_ns();
    uint64_t age = MAPPINGS_FACTOR * gate->mappings_cost_ns;
    if (gate->mappings && before - gate->mappings_ns < (age > MAPPINGS_NS ? age : MAPPINGS_NS))
        return true;
    char *text = NULL;
    bool read =
        gate->maps_fd >= 0 && proc_read_again(gate->maps_fd, &text) >= 0 && take_maps(gate, text);
    free(text);
    gate->mappings_ns = now_ns();
    gate->mappings_cost_ns = gate->mappings_ns - before;
    return read;
}

static bool find_mapping(struct page_gate *gate, uint64_t address, struct page_mapping *mapping)
{
    size_t low = 0;
    size_t high = gate->mapping_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (gate->mappings[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == gate->mapping_count || address < gate->mappings[low].start)
        return false;
    *mapping = gate->mappings[low];
    return true;
}

/* The mapping that ADDRESS is in; false: none, or not to be had. */
static bool ask_mapping(struct page_gate *gate, uint64_t address, struct page_mapping *mapping)
{
    struct map_query query = { .query_addr = address };
    int error = gate->queries_refused ? -ENOTTY : map_query(gate->maps_fd, &query);
    if (error == -ENOENT)
        return false;
    if (error) {
        gate->queries_refused = true;
        return renew_mappings(gate) && find_mapping(gate, address, mapping);
    }
    *mapping = (struct page_mapping){
        .start = query.vma_start,
        .end = query.vma_end,
        .device = makedev(query.dev_major, query.dev_minor),
        .readable = query.vma_flags & MAP_QUERY_READABLE,
    };
    return true;
}

static bool is_here(uint64_t entry)
{
    return entry & (PRESENT | SWAPPED);
}

static size_t index_of(const struct page_gate *gate, const struct page_view *view, uint64_t address)
{
    return (size_t)((address - view->first) / gate->page_size);
}

/* From ADDRESS to the end of page END - 1 of VIEW, at most LENGTH. */
static size_t bytes_up_to(const struct page_gate *gate, const struct page_view *view, size_t end,
                          uint64_t address, size_t length)
{
    uint64_t bytes = view->first + end * gate->page_size - address;
    return bytes < length ? (size_t)bytes : length;
}

size_t page_view_here(const struct page_gate *gate, const struct page_view *view, uint64_t address,
                      size_t length)
{
    size_t begin = index_of(gate, view, address);
    size_t end = begin;
    while (end < view->count && is_here(view->entries[end]))
        end++;
    return end > begin ? bytes_up_to(gate, view, end, address, length) : 0;
}

/* Nothing of MAPPING has a file that may not answer. */
static bool brings_its_pages(struct page_gate *gate, const struct page_mapping *mapping)
{
    return mapping->readable &&
           (mapping->device == 0 || device_answers(&gate->systems, mapping->device));
}

bool page_gate_is_harmless(struct page_gate *gate, uint64_t address, size_t length)
{
    struct page_mapping mapping;
    return !gate->queries_refused && ask_mapping(gate, address, &mapping) &&
           length <= mapping.end - address && brings_its_pages(gate, &mapping);
}

size_t page_view_run(struct page_gate *gate, const struct page_view *view, uint64_t address,
                     size_t length, enum page_kind *kind)
{
    struct page_mapping mapping;
    size_t here = page_view_here(gate, view, address, length);
    *kind = here > 0 ? PAGE_HERE : PAGE_NEVER;
    if (here > 0)
        return here;
    size_t end = index_of(gate, view, address);
    while (end < view->count && !is_here(view->entries[end]))
        end++;
    size_t away = bytes_up_to(gate, view, end, address, length);
    if (!ask_mapping(gate, address, &mapping))
        return away;
    if (mapping.readable && (mapping.device == 0 || device_answers(&gate->systems, mapping.device)))
        *kind = PAGE_AWAY;
    return mapping.end - address < away ? (size_t)(mapping.end - address) : away;
}

uint64_t page_gate_mapping_end(struct page_gate *gate, uint64_t address)
{
    struct page_mapping mapping;
    return ask_mapping(gate, address, &mapping) ? mapping.end : 0;
}
