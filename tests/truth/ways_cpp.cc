/* ways_cpp.cc: blocked in what only C++ has: catch blocks, destructors while an
 * exception flies, virtual calls, callables, threads and locks of libstdc++. */
#include "truth.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <unistd.h>

#define BLOCK()                                                                                    \
    do {                                                                                           \
        char byte;                                                                                 \
        truth_mark();                                                                              \
        if (read(scene.empty_pipe[0], &byte, 1))                                                   \
            STAY();                                                                                \
    } while (0)

namespace
{

NOINLINE void throw_from(int depth)
{
    std::string text(static_cast<size_t>(depth) + 40, 'x'); /* to be destroyed on the way */
    if (depth > 0)
        throw_from(depth - 1);
    else
        throw std::runtime_error(text);
    STAY();
}

NOINLINE void in_catch()
{
    try {
        throw_from(5);
    } catch (const std::exception &error) {
        std::string copy = error.what();
        BLOCK();
    }
    STAY();
}

NOINLINE void called_in_catch(const std::exception &error)
{
    std::string copy = error.what();
    BLOCK();
}

NOINLINE void in_called_in_catch()
{
    try {
        throw_from(3);
    } catch (const std::exception &error) {
        called_in_catch(error);
    }
    STAY();
}

NOINLINE void rethrow()
{
    try {
        throw_from(2);
    } catch (...) {
        throw;
    }
}

NOINLINE void in_catch_of_rethrown()
{
    try {
        rethrow();
    } catch (const std::exception &error) {
        called_in_catch(error);
    }
    STAY();
}

struct blocks_in_destructor {
    int value = 1;
    NOINLINE ~blocks_in_destructor();
};

blocks_in_destructor::~blocks_in_destructor()
{
    BLOCK();
    value++;
}

/* The destructor is called from the landing pad, in the cold part of the function. */
NOINLINE void throw_past_destructor()
{
    blocks_in_destructor object;
    throw_from(2);
    STAY();
}

NOINLINE void in_destructor_while_thrown()
{
    try {
        throw_past_destructor();
    } catch (const std::exception &) {
        STAY();
    }
}

NOINLINE void in_destructor()
{
    {
        blocks_in_destructor object;
        STAY();
    }
    STAY();
}

struct base {
    virtual ~base() = default;
    virtual void run(int) = 0;
};

struct second_base {
    virtual ~second_base() = default;
    virtual long other() = 0;
    long value = 1;
};

struct derived : base, second_base {
    NOINLINE void run(int depth) override
    {
        if (depth > 0)
            run(depth - 1);
        else
            BLOCK();
        STAY();
    }
    NOINLINE long other() override
    {
        BLOCK();
        return value;
    }
};

NOINLINE void in_virtual_call()
{
    std::unique_ptr<base> object = std::make_unique<derived>();
    object->run(2);
    STAY();
}

/* Called through the second base: a thunk adjusts `this` and jumps. */
NOINLINE void in_thunk()
{
    derived object;
    second_base *volatile second = &object;
    if (second->other())
        STAY();
}

NOINLINE void block_here()
{
    BLOCK();
}

NOINLINE void in_std_function()
{
    int extra = 5;
    std::function<void(int)> function = [&extra](int number) {
        extra += number;
        block_here();
        extra++;
    };
    function(1);
    STAY();
}

NOINLINE void in_sort()
{
    std::vector<int> numbers(100, 3);
    std::sort(numbers.begin(), numbers.end(), [](int left, int right) {
        block_here();
        return left < right;
    });
}

NOINLINE void in_call_once()
{
    static std::once_flag once;
    std::call_once(once, [] { block_here(); });
    STAY();
}

NOINLINE void in_static_initialiser()
{
    static const int value = (block_here(), 3);
    if (value)
        STAY();
}

NOINLINE int slow_initialiser()
{
    for (;;)
        pause();
}

void wait_for_initialiser()
{
    static const int value = slow_initialiser();
    if (value)
        STAY();
}

/* Waits for a static that another thread never gets done. */
NOINLINE void in_static_of_another()
{
    std::thread([] { wait_for_initialiser(); }).detach();
    usleep(50000);
    truth_mark();
    wait_for_initialiser();
    STAY();
}

std::mutex &locked_mutex()
{
    static std::mutex mutex;
    static bool locked = mutex.try_lock();
    (void)locked;
    return mutex;
}

NOINLINE void in_std_mutex()
{
    std::mutex &mutex = locked_mutex();
    truth_mark();
    std::lock_guard<std::mutex> guard(mutex);
    STAY();
}

NOINLINE void in_shared_mutex()
{
    static std::shared_mutex mutex;
    mutex.lock_shared();
    truth_mark();
    mutex.lock();
    STAY();
}

NOINLINE void in_condition_variable()
{
    std::mutex mutex;
    std::condition_variable condition;
    std::unique_lock<std::mutex> guard(mutex);
    truth_mark();
    condition.wait(guard, [] { return false; });
}

NOINLINE void in_wait_for()
{
    std::mutex mutex;
    std::condition_variable condition;
    std::unique_lock<std::mutex> guard(mutex);
    truth_mark();
    condition.wait_for(guard, std::chrono::hours(1));
    STAY();
}

NOINLINE void in_sleep_for()
{
    truth_mark();
    std::this_thread::sleep_for(std::chrono::hours(1));
    STAY();
}

NOINLINE void in_future()
{
    std::promise<int> promise;
    std::future<int> future = promise.get_future();
    truth_mark();
    if (future.get())
        STAY();
}

NOINLINE void in_std_join()
{
    std::thread thread([] {
        for (;;)
            pause();
    });
    truth_mark();
    thread.join();
    STAY();
}

/* The way runs in a thread that libstdc++ made, with its own outermost frames. */
NOINLINE void in_std_thread_of(struct truth *truth)
{
    truth_belongs_to(truth);
    block_here();
    STAY();
}

struct blocks_at_exit {
    int used = 0;
    NOINLINE ~blocks_at_exit();
};

blocks_at_exit::~blocks_at_exit()
{
    if (used)
        BLOCK();
}

thread_local blocks_at_exit local_object;

/* The destructor of a thread_local runs when the thread has ended already. */
NOINLINE void in_thread_local_destructor()
{
    local_object.used = 1;
    pthread_exit(nullptr);
}

/* pthread_exit unwinds through C++ frames and destroys their objects. */
NOINLINE void in_destructor_while_exiting()
{
    blocks_in_destructor object;
    pthread_exit(nullptr);
}

template <int N>
NOINLINE long many_arguments(long a, double b, std::string c, long d, long e, long f, long g,
                             long h, long i)
{
    if constexpr (N > 0)
        return many_arguments<N - 1>(a, b, c + "x", d, e, f, g, h, i) + i;
    else
        BLOCK();
    return a + d + e + f + g + h + i + static_cast<long>(b);
}

NOINLINE void in_templates()
{
    if (many_arguments<4>(1, 2.5, "text", 4, 5, 6, 7, 8, 9))
        STAY();
}

NOINLINE void blocks_noexcept() noexcept
{
    std::vector<std::string> strings(3, std::string(100, 'y'));
    BLOCK();
}

NOINLINE void in_noexcept()
{
    blocks_noexcept();
    STAY();
}

} // namespace

extern "C" {
extern const struct way ways_cpp[] = {
    { "catch block", in_catch, 2, STACK_USUAL },
    { "called in a catch block", in_called_in_catch, 2, STACK_USUAL },
    { "catch of a rethrown", in_catch_of_rethrown, 2, STACK_USUAL },
    { "destructor, exception flying", in_destructor_while_thrown, 2, STACK_USUAL },
    { "destructor", in_destructor, 2, STACK_USUAL },
    { "virtual call", in_virtual_call, 2, STACK_USUAL },
    { "thunk", in_thunk, 2, STACK_USUAL },
    { "std::function", in_std_function, 2, STACK_USUAL },
    { "std::sort", in_sort, 2, STACK_USUAL },
    { "std::call_once", in_call_once, 2, STACK_USUAL },
    { "static initialiser", in_static_initialiser, 2, STACK_USUAL },
    { "static of another", in_static_of_another, 6, STACK_USUAL },
    { "std::mutex", in_std_mutex, 8, STACK_USUAL },
    { "std::shared_mutex", in_shared_mutex, 8, STACK_USUAL },
    { "condition_variable", in_condition_variable, 8, STACK_USUAL },
    { "condition_variable, timed", in_wait_for, 12, STACK_USUAL },
    { "sleep_for", in_sleep_for, 6, STACK_USUAL },
    { "std::future", in_future, 14, STACK_USUAL },
    { "std::thread::join", in_std_join, 6, STACK_USUAL },
    { "thread_local destructor", in_thread_local_destructor, 2, STACK_USUAL },
    { "destructor, thread exiting", in_destructor_while_exiting, 2, STACK_USUAL },
    { "templates", in_templates, 2, STACK_USUAL },
    { "noexcept", in_noexcept, 2, STACK_USUAL },
    { nullptr, nullptr, 0, STACK_USUAL },
};
}

void start_std_thread(struct truth *truth)
{
    std::thread(in_std_thread_of, truth).detach();
}
