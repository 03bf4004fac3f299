// waits.cc: threads that wait through C++'s own locks, and what a dump must say of each.
// Ends with 0 when it does, else says what is wrong.
#include <snag/snag.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace
{

using namespace std::chrono_literals;

std::mutex plain;
std::recursive_mutex recursive;
std::timed_mutex timed;
std::shared_mutex shared;
std::once_flag flag;
std::atomic<bool> held{ false };
std::thread holder;

struct Slow {
    Slow()
    {
        held = true;
        for (;;)
            pause();
    }
};

Slow &slow()
{
    static Slow instance;
    return instance;
}

void hold_all()
{
    prctl(PR_SET_NAME, "holder");
    plain.lock();
    recursive.lock();
    timed.lock();
    shared.lock();
    std::call_once(flag, [] { slow(); });
}

struct Way {
    std::string name;
    std::string on;
    std::function<void()> wait;
    std::atomic<pid_t> tid{ 0 };

    Way(const char *name, const char *on, std::function<void()> wait)
        : name(name), on(on), wait(std::move(wait))
    {
    }
};

std::string dump()
{
    char path[] = "/tmp/snag-cpp-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    std::string text;
    if (fd < 0 || snag_write("threads", fd, 2) != 0)
        return text;
    char bytes[4096];
    lseek(fd, 0, SEEK_SET);
    for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
        text.append(bytes, static_cast<size_t>(got));
    close(fd);
    return text;
}

/* What the block of thread TID says that it waits for. */
std::string waits_for(const std::string &text, pid_t tid)
{
    size_t block = text.find("\nthread " + std::to_string(tid) + " ");
    size_t end = text.find("\n\n", block);
    size_t line = text.find("waits for ", block);
    if (block == std::string::npos || line == std::string::npos || line > end)
        return "nothing";
    line += std::strlen("waits for ");
    return text.substr(line, text.find('\n', line) - line);
}

} // namespace

int main()
{
    static std::condition_variable condition;
    static std::mutex other;
    static std::promise<int> promise;
    static std::future<int> future = promise.get_future();
    holder = std::thread(hold_all);
    while (!held)
        std::this_thread::sleep_for(1ms);
    static Way ways[] = {
        { "std::mutex", "mutex held by holder", [] { plain.lock(); } },
        { "std::lock_guard", "mutex held by holder", [] { std::lock_guard<std::mutex> g(plain); } },
        { "std::recursive_mutex", "mutex held by holder", [] { recursive.lock(); } },
        { "std::timed_mutex", "mutex held by holder", [] { (void)timed.try_lock_for(1h); } },
        { "std::shared_mutex", "rwlock held by holder", [] { shared.lock_shared(); } },
        { "std::condition_variable", "condition",
          [] {
              std::unique_lock<std::mutex> lock(other);
              condition.wait(lock, [] { return false; });
          } },
        { "std::thread::join", "end of thread holder", [] { holder.join(); } },
        { "std::call_once", "once run by holder", [] { std::call_once(flag, [] {}); } },
        { "a static's guard", "C++ static that another thread initialises", [] { slow(); } },
        { "std::future", "futex", [] { future.wait(); } },
        { "std::this_thread::sleep_for", "sleep", [] { std::this_thread::sleep_for(1h); } },
    };
    for (Way &way : ways) {
        std::thread([&way] {
            way.tid = static_cast<pid_t>(syscall(SYS_gettid));
            way.wait();
            abort();
        }).detach();
    }
    std::this_thread::sleep_for(300ms);
    std::string text = dump();
    int wrong = 0;
    for (const Way &way : ways) {
        std::string said = waits_for(text, way.tid);
        if (said.compare(0, way.on.size(), way.on) == 0)
            continue;
        std::fprintf(stderr, "%s waits for %s, and not for %s\n", way.name.c_str(), said.c_str(),
                     way.on.c_str());
        wrong++;
    }
    std::fflush(stderr);
    _exit(wrong > 0);
}
