/* preloaded.c: streams, directories and threads of a program that knows nothing of snag; or, with
 * WRAPPED, includes the headers as well. Leaves two streams, a directory and three threads that
 * nobody joined. Compiled as C and as C++. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef WRAPPED
#include <snag/wrap/dirent.h>
#include <snag/wrap/stdio.h>
#endif

#define APART __attribute__((noinline)) static
#define STAYS() __asm__ volatile("")

static void *nothing(void *unused)
{
    return unused;
}

/* Before who created it has returned from that, for all it knows. */
static void *detaches_itself(void *unused)
{
    pthread_detach(pthread_self());
    return unused;
}

APART FILE *opens_file(void)
{
    FILE *file = fopen("/dev/null", "r");
    STAYS();
    return file;
}

APART FILE *opens_memory(void)
{
    static char *text;
    static size_t length;
    FILE *file = open_memstream(&text, &length);
    STAYS();
    return file;
}

APART DIR *opens_directory(void)
{
    DIR *directory = opendir("/");
    STAYS();
    return directory;
}

APART pthread_t starts_thread(void *(*function)(void *), const pthread_attr_t *attributes)
{
    pthread_t thread;
    if (pthread_create(&thread, attributes, function, NULL) != 0)
        exit(3);
    return thread;
}

static void all_ends(void)
{
    fclose(opens_file());
    fclose(opens_memory());
    fclose(fdopen(open("/dev/null", O_RDONLY), "r"));
    closedir(opens_directory());
    closedir(fdopendir(open("/", O_RDONLY | O_DIRECTORY)));
    pthread_join(starts_thread(nothing, NULL), NULL);
    pthread_detach(starts_thread(nothing, NULL));
    starts_thread(detaches_itself, NULL);
}

static void threads_of_attributes(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 100; i++)
        starts_thread(nothing, &attributes);
    pthread_attr_destroy(&attributes);
}

static void joined_by_trying(void)
{
    pthread_t thread = starts_thread(nothing, NULL);
    while (pthread_tryjoin_np(thread, NULL) != 0)
        usleep(1000);
    thread = starts_thread(nothing, NULL);
    struct timespec until = { 4000000000, 0 };
    if (pthread_timedjoin_np(thread, NULL, &until) != 0)
        exit(4);
    if (pthread_join(pthread_self(), NULL) == 0)
        exit(5);
}

#ifdef __cplusplus
#include <fstream>
#include <thread>

static void of_the_library(void)
{
    for (int i = 0; i < 100; i++) {
        std::thread([] {}).join();
        std::thread([] {}).detach();
        std::ifstream("/dev/null").get();
    }
}
#endif

int main(void)
{
    for (int i = 0; i < 500; i++)
        all_ends();
    threads_of_attributes();
    joined_by_trying();
#ifdef __cplusplus
    of_the_library();
#endif
    opens_file();
    opens_memory();
    opens_directory();
    for (int i = 0; i < 3; i++)
        starts_thread(nothing, NULL);
    printf("ready\n");
    fflush(stdout);
    sleep(60);
    return 0;
}
