/* inventories.c: a pool that loses connections, and a file that is not always closed.
 *
 * Orders come in, fifty a second. Each borrows a connection of the pool; an order that is not found
 * gives up before it has given the connection back. An answer that is too long for its
 * file gives up before the file is closed.
 *
 *     inventories SECONDS      ends by itself; then: curl localhost:6060/debug/handles
 *
 * Two lines in the pool, and one for the files: the header that wraps fopen and fclose. */
#include <snag/snag.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snag/wrap/stdio.h>

#define POOL_SIZE 512

struct connection {
    struct connection *next; /* that is free as well */
    char buffer[4096];
};

static struct connection connections[POOL_SIZE];
static struct connection *free_connections;

static void pool_fill(void)
{
    for (size_t i = 0; i < POOL_SIZE; i++) {
        connections[i].next = free_connections;
        free_connections = &connections[i];
    }
}

/* NULL when all are borrowed. */
static struct connection *pool_borrow(void)
{
    struct connection *connection = free_connections;
    if (!connection)
        return NULL;
    free_connections = connection->next;
    SNAG_TRACK_BYTES("pool.connections", connection, sizeof *connection);
    return connection;
}

static void pool_give_back(struct connection *connection)
{
    SNAG_UNTRACK("pool.connections", connection);
    connection->next = free_connections;
    free_connections = connection;
}

/* The answer to a query, in the connection's buffer; NULL where there is none. */
static const char *ask(struct connection *connection, unsigned order)
{
    if (order % 5 == 0)
        return NULL;
    snprintf(connection->buffer, sizeof connection->buffer, "order %u: %s\n", order,
             order % 7 ? "one lamp"
                       : "one hundred lamps, in forty colours, to be sent in twelve boxes");
    return connection->buffer;
}

static bool write_receipt(const char *text)
{
    FILE *file = fopen("/dev/null", "w");
    if (!file)
        return false;
    if (strlen(text) > 40)
        return false; /* a mistake: the file is open */
    fputs(text, file);
    return fclose(file) == 0;
}

static bool handle_order(unsigned order)
{
    struct connection *connection = pool_borrow();
    if (!connection)
        return false;
    const char *answer = ask(connection, order);
    if (!answer)
        return false; /* the other one: the connection is borrowed */
    bool written = write_receipt(answer);
    pool_give_back(connection);
    return written;
}

static bool handle_health_check(void)
{
    struct connection *connection = pool_borrow();
    if (connection)
        pool_give_back(connection);
    return connection != NULL;
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 60;
    unsigned failed = 0;
    pool_fill();
    snag_start(NULL);
    for (unsigned order = 1; order <= (unsigned)seconds * 50; order++) {
        failed += !handle_order(order);
        handle_health_check();
        usleep(20000);
        if (order % 50 == 0)
            printf("%u orders, %u failed\n", order, failed);
        fflush(stdout);
    }
    return 0;
}
