/* minimal.c: one line in main, one dump, by the public header alone. Exit status 0
 * when snag works, 3 when it says that it cannot. */
#include <snag/snag.h>

#include <stdio.h>

int main(void)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    int status = snag_start(&options);
    if (status) {
        printf("minimal: snag_start: %d\n", status);
        return 3;
    }
    fflush(stdout);
    status = snag_write("threads", 1, 2);
    printf("minimal: snag_write: %d\n", status);
    snag_stop();
    return status ? 1 : 0;
}
