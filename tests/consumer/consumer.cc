// consumer.cc: consumer.c as a C++ program would have it.
#include <snag/snag.h>

#include <cstdio>
#include <iostream>
#include <memory>

int main(int argc, char **argv)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    const int status = snag_start(&options);
    if (status != 0 || argc != 2 || snag_address() == nullptr)
        return 1;
    std::cout << "snag " << SNAG_VERSION << " listens on " << snag_address() << '\n';
    const std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(std::fopen(argv[1], "w"),
                                                                std::fclose);
    if (!file || snag_write("threads", fileno(file.get()), 0) != 0)
        return 1;
    snag_stop();
    return snag_address() == nullptr ? 0 : 1;
}
