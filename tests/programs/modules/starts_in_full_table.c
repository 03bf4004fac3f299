/* starts_in_full_table.c: a library whose constructor fills the descriptor table and then starts
 * snag, while the loader that calls it holds the loader's lock. snag is found in the program. */
#include <unistd.h>

int snag_start(const void *options);

__attribute__((visibility("default"))) int start_status = 1;

__attribute__((constructor)) static void start(void)
{
    while (dup(0) >= 0)
        ;
    start_status = snag_start(NULL);
}
