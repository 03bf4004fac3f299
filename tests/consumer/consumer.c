/* consumer.c: a program outside of the project: consumer FILE writes the
 * profile of its own threads to FILE. */
#include <snag/snag.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    int status = snag_start(&options);
    if (status || argc != 2 || !snag_address())
        return 1;
    printf("snag %s listens on %s\n", SNAG_VERSION, snag_address());
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || snag_write("threads", fd, 0) != 0 || close(fd) != 0)
        return 1;
    snag_stop();
    return snag_address() ? 1 : 0;
}
