/* thread_table.c: what is known of each thread; see thread_table.h.
 *
 * The list of tasks and the table are both in order of thread ids, so one walk
 * along both brings the table up to date. */
#include "sources/thread_table.h"

#include <errno.h>
#include <stdlib.h>

static void record_free(struct thread_record *record, struct capture *capture,
                        struct stack_store *store)
{
    thread_files_close(capture, &record->files);
    stack_store_put(store, record->stack);
    free(record);
}

static struct thread_record *record_new(const struct task *task)
{
    struct thread_record *record = calloc(1, sizeof *record);
    if (!record)
        return NULL;
    record->tid = task->tid;
    record->listed_inode = task->inode;
    record->facts.state = '?';
    return record;
}

/* The record of TASK, which is not in the table before position OLD; a new one if it is not there
 * either. */
static struct thread_record *record_of(const struct thread_table *table, size_t old,
                                       const struct task *task)
{
    if (old == table->count || table->records[old]->tid != task->tid)
        return record_new(task);
    table->records[old]->listed_inode = task->inode;
    return table->records[old];
}

int thread_table_update(struct thread_table *table, const struct task_list *list,
                        struct capture *capture, struct stack_store *store)
{
    struct thread_record **records = calloc(list->count + 1, sizeof *records);
    if (!records)
        return -ENOMEM;
    size_t old = 0;
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        while (old < table->count && table->records[old]->tid < list->tasks[i].tid)
            record_free(table->records[old++], capture, store);
        struct thread_record *record = record_of(table, old, &list->tasks[i]);
        old += old < table->count && table->records[old] == record;
        if (record)
            records[count++] = record;
    }
    while (old < table->count)
        record_free(table->records[old++], capture, store);
    free(table->records);
    table->records = records;
    table->count = count;
    return (int)(list->count - count);
}

void thread_table_clear(struct thread_table *table, struct capture *capture,
                        struct stack_store *store)
{
    for (size_t i = 0; i < table->count; i++)
        record_free(table->records[i], capture, store);
    free(table->records);
    *table = (struct thread_table){ 0 };
}
