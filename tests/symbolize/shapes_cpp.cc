// shapes_cpp.cc: what C++ adds: mangled names, templates, lambdas, local classes,
// constructors, operators, anonymous namespaces, functions inlined across all of these.
#include <cstdio>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

volatile int sink;

namespace outer
{
namespace
{
inline __attribute__((always_inline)) int hidden(int x)
{
    for (int i = 0; i < x; i++)
        sink = sink + i;
    return sink;
}
} // namespace

template <typename T> struct Box {
    T value;
    explicit Box(T v) : value(v)
    {
        sink = hidden((int)sizeof v);
    }
    ~Box()
    {
        sink = sink - 1;
    }
    __attribute__((noinline)) T operator+(const Box &other) const
    {
        return value + other.value + (T)hidden(3);
    }
    virtual int area(int x)
    {
        return hidden(x) * 2;
    }
};

template <typename T, int N> __attribute__((noinline)) T times(T x)
{
    Box<T> box(x);
    return box + Box<T>((T)N);
}
} // namespace outer

static __attribute__((noinline)) int with_lambda(int x)
{
    auto add = [x](int y) __attribute__((noinline))
    {
        return x + y + (sink = sink + 1);
    };
    struct Local {
        __attribute__((noinline)) static int twice(int z)
        {
            return z + sink;
        }
    };
    return add(3) + Local::twice(x);
}

static __attribute__((noinline)) int with_library(int x)
{
    std::map<std::string, std::vector<int>> all;
    all["a"].push_back(x);
    for (auto &each : all)
        for (int i : each.second)
            sink = sink + i;
    return (int)all.size();
}

extern "C" int plain_c(int x)
{
    return outer::times<int, 4>(x) + (int)outer::times<double, 7>(x) + with_lambda(x) +
           with_library(x);
}

int main(int argc, char **)
{
    if (argc > 5)
        return plain_c(argc);
    std::printf("%d\n", (int)getpid());
    std::fflush(stdout);
    for (;;)
        pause();
}
