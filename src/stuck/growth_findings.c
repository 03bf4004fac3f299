/* growth_findings.c: what the monitor has seen grow as no load does.
 *
 * What counts is decided where it is watched (watch/growth.h); here it only takes its place among
 * the findings. */
#include "stuck/findings.h"

#include "base/sink.h"

void growth_findings_add(struct diagnosis *diagnosis)
{
    const struct stuck_facts *facts = diagnosis->facts;
    for (size_t i = 0; i < facts->growing_count; i++) {
        if (!facts->growing[i].is_leak)
            continue;
        struct finding finding = {
            .kind = FINDING_GROWING, .holder = SIZE_MAX, .cycle = SIZE_MAX
        };
        struct sink_buffer sentence;
        sink_buffer_init(&sentence);
        sink_puts(&sentence.sink, facts->growing[i].sentence);
        finding_add(diagnosis, finding, &sentence);
    }
}
