// consumer.cc: consumer.c as a C++ program would have it, with inventories.
#include <snag/snag.hpp>

#include <cstdio>
#include <iostream>
#include <memory>
#include <vector>

#include <snag/wrap/stdio.h>

namespace shop
{
struct Order {
    int lamps = 1;
    snag::tracked<Order> live;
};
} // namespace shop

// Two orders and one file are live.
static bool inventories_count()
{
    const snag::label step("step", "orders");
    const std::vector<shop::Order> orders(2);
    const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::fopen("/dev/null", "r"),
                                                                  &std::fclose);
    return snag::tracked<shop::Order>::count() == 2 &&
           snag_profile_count(snag_profile_lookup("shop.Order")) == 2 &&
           snag_profile_count(snag_profile_lookup("stdio.FILE")) == 1;
}

int main(int argc, char **argv)
{
    snag_options options = SNAG_OPTIONS_INIT;
    options.listen = "127.0.0.1:0";
    const int status = snag_start(&options);
    if (status != 0 || argc != 2 || snag_address() == nullptr || !inventories_count() ||
        snag::tracked<shop::Order>::count() != 0)
        return 1;
    std::cout << "snag " << SNAG_VERSION << " listens on " << snag_address() << '\n';
    const std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(std::fopen(argv[1], "w"),
                                                                std::fclose);
    if (!file || snag_write("threads", fileno(file.get()), 0) != 0)
        return 1;
    snag_stop();
    return snag_address() == nullptr ? 0 : 1;
}
