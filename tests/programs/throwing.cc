// throwing.cc: a C++ service whose threads throw and catch without pause while
// their stacks are dumped, over and over, by snag_write and by whoever asks
// the listener. Every exception must arrive, and backtrace(3) must tell the truth
// all the while: another unwinder in the service's namespace has broken both.
//
// throwing DUMPS writes DUMPS profiles, one after the other, with the
// threads at work, then checks what came of it. Prints its address first.
#include <snag/snag.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace
{

constexpr int thread_count = 4;

std::atomic<bool> stop{ false };
std::atomic<long> thrown{ 0 };
std::atomic<long> caught{ 0 };
std::atomic<long> unwound{ 0 };
std::atomic<long> traces{ 0 };
std::atomic<long> wrong_traces{ 0 };

struct counted_on_unwind {
    ~counted_on_unwind()
    {
        unwound++;
    }
};

// Where each of the nested calls below returns to, recorded by itself.
thread_local void *return_addresses[16];

__attribute__((noinline)) void check_backtrace(int depth)
{
    void *frames[64];
    const int count = backtrace(frames, 64);
    bool right = count > depth + 1;
    // frames[0] is here; frames[1] is where this returns to; the calls follow.
    for (int level = 0; right && level < depth; level++)
        right = frames[level + 2] == return_addresses[level];
    traces++;
    if (!right)
        wrong_traces++;
}

__attribute__((noinline)) void descend(int depth, int level)
{
    counted_on_unwind guard;
    return_addresses[depth - level] = __builtin_return_address(0);
    if (level > 1) {
        descend(depth, level - 1);
        return;
    }
    // The innermost call's return address stands first in a backtrace.
    void *reversed[16];
    std::memcpy(reversed, return_addresses, sizeof reversed);
    for (int i = 0; i < depth; i++)
        return_addresses[i] = reversed[depth - 1 - i];
    check_backtrace(depth);
    thrown++;
    throw std::runtime_error("depth " + std::to_string(depth));
}

void throw_and_catch()
{
    for (int depth = 1; !stop; depth = depth % 15 + 1) {
        try {
            descend(depth, depth);
        } catch (const std::exception &error) {
            if (error.what() == "depth " + std::to_string(depth))
                caught++;
        }
    }
}

bool comes_from(const char *symbol, const char *library)
{
    Dl_info info{};
    void *address = dlsym(RTLD_DEFAULT, symbol);
    const bool right = address && dladdr(address, &info) && std::strstr(info.dli_fname, library);
    if (!right)
        std::fprintf(stderr, "throwing: %s is in %s, not in %s\n", symbol,
                     info.dli_fname ? info.dli_fname : "nothing", library);
    return right;
}

bool is_absent(const char *symbol)
{
    const bool absent = dlsym(RTLD_DEFAULT, symbol) == nullptr;
    if (!absent)
        std::fprintf(stderr, "throwing: %s is visible to the service\n", symbol);
    return absent;
}

} // namespace

int main(int argc, char **argv)
{
    const long dumps = argc > 1 ? std::atol(argv[1]) : 1000;
    if (snag_start(nullptr) != 0)
        return 1;
    std::printf("snag listens on %s\n", snag_address());
    std::fflush(stdout);

    std::vector<std::thread> threads;
    for (int i = 0; i < thread_count; i++)
        threads.emplace_back(throw_and_catch);
    const int out = open("/dev/null", O_WRONLY);
    long written = 0;
    for (long i = 0; i < dumps; i++)
        written += snag_write("threads", out, 0) == 0;
    stop = true;
    for (std::thread &thread : threads)
        thread.join();

    std::printf("%ld dumps, %ld thrown, %ld caught, %ld unwound, %ld traces, %ld wrong\n", written,
                thrown.load(), caught.load(), unwound.load(), traces.load(), wrong_traces.load());
    bool right = written == dumps && thrown > dumps && caught == thrown && unwound >= thrown &&
                 traces == thrown && wrong_traces == 0;
    right = comes_from("_Unwind_RaiseException", "libgcc_s.so") && right;
    right = comes_from("_Unwind_Backtrace", "libgcc_s.so") && right;
    right = comes_from("backtrace", "libc.so") && right;
    right = is_absent("unw_backtrace") && is_absent("event_base_new") && right;
    snag_stop();
    return right ? 0 : 1;
}
