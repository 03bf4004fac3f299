/* inventory_service.c: a service that keeps inventories, by known functions at known times.
 *
 *   http.responses   40 of 1,000 bytes leaked by leak_response at the start, then, two seconds
 *                    later, 7 of 2,000,000 bytes by open_response under the label tenant=red
 *   db.rows          3 without a size by fetch_row, at the start; each SIGUSR1 adds 5 more
 *   idle             none
 *
 * and what goes wrong with them: 3 removes of what is not live by close_again, 1 by
 * close_unknown, 2 adds of what is live. Prints when it did so, in seconds since boot. With a
 * number as argument that many handles more are added to `many`, from 1,000 stacks. */
#include <snag/snag.h>

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LEAKED 40
#define OPENED 7
#define ROWS 3
#define MORE_ROWS 5
#define DIGITS 3 /* of a stack: 10^3 of them */

static snag_profile *responses;
static snag_profile *rows;
static char handles[1000]; /* their addresses are handles */
static volatile sig_atomic_t more;

static void print_time(const char *what)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    printf("%s=%ld.%03ld\n", what, (long)now.tv_sec, now.tv_nsec / 1000000);
}

__attribute__((noinline)) static void leak_response(int number)
{
    if (snag_profile_add(responses, &handles[number], 1000, 0) != 0)
        exit(1);
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void open_response(int number)
{
    if (snag_profile_add(responses, &handles[100 + number], 2000000, 0) != 0)
        exit(1);
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void fetch_row(int number)
{
    SNAG_TRACK("db.rows", &handles[200 + number]);
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void fetch_more_rows(void)
{
    static int number = 500;
    for (int i = 0; i < MORE_ROWS; i++)
        fetch_row(number++ % 300 + 300);
}

__attribute__((noinline)) static void close_again(int number)
{
    snag_profile_remove(responses, &handles[900 + number]);
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void close_unknown(void)
{
    snag_profile_remove(responses, (const void *)(uintptr_t)0xdead40);
    __asm__ volatile("" ::: "memory");
}

/* Comes and goes: not in any dump. */
__attribute__((noinline)) static void serve_and_close(int number)
{
    snag_profile_add(responses, &handles[900 + number], 5, 0);
    snag_profile_remove(responses, &handles[900 + number]);
    __asm__ volatile("" ::: "memory");
}

static void go_wrong(void)
{
    for (int i = 0; i < 3; i++) {
        serve_and_close(i);
        close_again(i);
    }
    close_unknown();
    leak_response(0 + LEAKED);
    for (int i = 0; i < 2; i++)
        snag_profile_add(responses, &handles[LEAKED], 1000, 0);
    snag_profile_remove(responses, &handles[LEAKED]);
}

/* ---- many handles, from 10^DIGITS stacks: each digit is another function ---- */

static snag_profile *many;

#define WAY(digit)                                                                                 \
    __attribute__((noinline)) static void way_##digit(uintptr_t handle, int rest, int left)        \
    {                                                                                              \
        go_on(handle, rest, left);                                                                 \
        __asm__ volatile("" ::: "memory");                                                         \
    }

static void go_on(uintptr_t handle, int rest, int left);
WAY(0)
WAY(1)
WAY(2) WAY(3) WAY(4) WAY(5) WAY(6) WAY(7) WAY(8) WAY(9)

    __attribute__((noinline)) static void go_on(uintptr_t handle, int rest, int left)
{
    static void (*const ways[])(uintptr_t, int, int) = { way_0, way_1, way_2, way_3, way_4,
                                                         way_5, way_6, way_7, way_8, way_9 };
    if (left > 0)
        ways[rest % 10](handle, rest / 10, left - 1);
    else
        snag_profile_add(many, (const void *)handle, 16, 0);
    __asm__ volatile("" ::: "memory");
}

static void add_many(long count)
{
    many = snag_profile_new("many");
    for (long i = 0; i < count; i++)
        go_on((uintptr_t)(i + 1) * 64, (int)(i % 1000), DIGITS);
}

static void on_signal(int number)
{
    (void)number;
    more++;
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = on_signal };
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGUSR1, &action, NULL);
    responses = snag_profile_new("http.responses");
    rows = snag_profile_new("db.rows");
    if (!responses || !rows || !snag_profile_new("idle"))
        return 1;
    print_time("early");
    for (int i = 0; i < LEAKED; i++)
        leak_response(i);
    for (int i = 0; i < ROWS; i++)
        fetch_row(i);
    sleep(2);
    print_time("late");
    snag_label_set("tenant", "red");
    for (int i = 0; i < OPENED; i++)
        open_response(i);
    snag_label_clear(NULL);
    go_wrong();
    if (argc > 1)
        add_many(atol(argv[1]));
    if (snag_start(NULL) != 0)
        return 1;
    printf("inventory_service listens on %s\n", snag_address());
    for (int i = 0; i < 3000; i++) {
        usleep(100000);
        for (; more > 0; more--)
            fetch_more_rows();
    }
    return 0;
}
