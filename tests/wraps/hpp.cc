// hpp.cc: what snag.hpp promises of objects, labels and entries.
#include "check.h"

#include <array>
#include <deque>
#include <memory>
#include <snag/snag.hpp>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace app
{

class Connection
{
  public:
    explicit Connection(int fd) noexcept : fd_(fd)
    {
    }

    int fd() const
    {
        return fd_;
    }

  private:
    int fd_;
    snag::tracked<Connection> live_;
};

struct Base {
    virtual ~Base() = default;
    snag::tracked<Base> live;
};

struct Derived : Base {
    snag::tracked<Derived> live_too;
};

struct Point {
    int x, y;
    snag::tracked<Point> live;
};

template <class T, int N> struct Pool {
    std::array<T, N> items{};
    snag::tracked<Pool> live;
};

#ifdef __cpp_exceptions
struct Refuses {
    snag::tracked<Refuses> live;
    Refuses()
    {
        throw 1;
    }
};
#endif

struct A_name_that_is_so_long_that_it_has_to_be_cut_since_it_does_not_fit_at_all {
    snag::tracked<A_name_that_is_so_long_that_it_has_to_be_cut_since_it_does_not_fit_at_all> live;
};

} // namespace app

namespace
{
struct Job {
    snag::tracked<Job> live;
};
} // namespace

static_assert(std::is_nothrow_move_constructible_v<app::Connection>);
static_assert(std::is_nothrow_move_assignable_v<app::Connection>);
static_assert(std::is_nothrow_destructible_v<app::Connection>);
static_assert(std::is_aggregate_v<app::Point>);
static_assert(!std::is_copy_constructible_v<snag::label>);
static_assert(!std::is_copy_constructible_v<snag::entry>);
static_assert(std::is_nothrow_move_constructible_v<snag::entry>);
static_assert(sizeof(snag::tracked<int>) == 1);

using app::Connection;

static size_t connections()
{
    EXPECT(snag::tracked<Connection>::count() == live("app.Connection"));
    return live("app.Connection");
}

static void copies_and_moves()
{
    Connection first(3);
    EXPECT(connections() == 1);
    Connection copy = first;
    EXPECT(connections() == 2);
    Connection moved = std::move(copy);
    EXPECT(connections() == 3);
    moved = first;
    copy = std::move(moved);
    EXPECT(connections() == 3);
    std::swap(first, copy);
    EXPECT(connections() == 3);
    auto owned = std::make_unique<Connection>(first);
    EXPECT(connections() == 4);
    owned.reset();
    EXPECT(connections() == 3);
}

static void containers()
{
    std::vector<Connection> grows;
    for (int i = 0; i < 1000; i++) {
        grows.emplace_back(i);
        EXPECT(connections() == grows.size());
    }
    grows.erase(grows.begin(), grows.begin() + 500);
    grows.shrink_to_fit();
    EXPECT(connections() == 500 && grows[0].fd() == 500);
    std::deque<Connection> other(grows.begin(), grows.end());
    EXPECT(connections() == 1000);
    grows = std::vector<Connection>();
    EXPECT(connections() == 500);
}

static void threads()
{
    std::vector<std::unique_ptr<Connection>> made(100);
    std::thread maker([&made] {
        for (auto &one : made)
            one = std::make_unique<Connection>(1);
    });
    maker.join();
    EXPECT(connections() == 100);
    made.clear();
    EXPECT(connections() == 0);
}

static void other_shapes()
{
    {
        std::unique_ptr<app::Base> object = std::make_unique<app::Derived>();
        EXPECT(live("app.Base") == 1 && live("app.Derived") == 1);
        app::Base sliced = *object;
        EXPECT(live("app.Base") == 2 && live("app.Derived") == 1);
    }
    EXPECT(live("app.Base") == 0 && live("app.Derived") == 0);
    app::Point point = { 1, 2, {} };
    app::Point points[3] = {};
    EXPECT(live("app.Point") == 4 && point.y == 2 && points[2].x == 0);
    Job job;
    EXPECT(live("anonymous.Job") == 1);
    (void)job;
#ifdef __cpp_exceptions
    try {
        app::Refuses refuses;
    } catch (int) {
    }
    EXPECT(snag_profile_lookup("app.Refuses") && live("app.Refuses") == 0);
#endif
}

// The name as far as the hash, which is of the compiler's spelling.
static bool is_named(const char *name, const char *start, size_t length)
{
    return strncmp(name, start, strlen(start)) == 0 && strlen(name) == length &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               length;
}

static void names()
{
    EXPECT(strcmp(snag::inventory_name<Connection>(), "app.Connection") == 0);
    EXPECT(strcmp(snag::inventory_name<Job>(), "anonymous.Job") == 0);
    using Ints = app::Pool<int, 4>;
    using Pointers = app::Pool<int *, 4>;
    using References = std::vector<std::vector<std::pair<std::string, std::vector<std::string>>>>;
    EXPECT(is_named(snag::inventory_name<Ints>(), "app.Pool-int-4-", 15 + 8));
    EXPECT(is_named(snag::inventory_name<Pointers>(), "app.Pool-int-4-", 15 + 8));
    EXPECT(strcmp(snag::inventory_name<Ints>(), snag::inventory_name<Pointers>()) != 0);
    EXPECT(is_named(snag::inventory_name<References>(), "std.vector-std.vector-std.pair-std.", 64));
    using Long = app::A_name_that_is_so_long_that_it_has_to_be_cut_since_it_does_not_fit_at_all;
    EXPECT(is_named(snag::inventory_name<Long>(),
                    "app.A_name_that_is_so_long_that_it_has_to_be_cut_since_", 64));
    {
        Ints ints;
        Long object;
        EXPECT(live(snag::inventory_name<Ints>()) == 1);
        EXPECT(live(snag::inventory_name<Long>()) == 1);
    }
    EXPECT(live(snag::inventory_name<Ints>()) == 0);
}

// Held by the constructor, which has no other act than this, and by who called that; the size is
// the owner's.
struct Session {
    APART void begin(std::unique_ptr<Session> &to)
    {
        to.reset(new Session);
    }

    __attribute__((noinline)) Session()
    {
    }

    char buffer[399];
    snag::tracked<Session> live;
};

static void holders()
{
    static char text[1 << 18];
    char size[32];
    std::unique_ptr<Session> session;
    Session::begin(session);
    check_held(__LINE__, "Session", 1, "Session::Session");
    text_of("Session", text, sizeof text);
    snprintf(size, sizeof size, ", %zu bytes", sizeof(Session));
    EXPECT(strstr(text, "Session::begin") && strstr(text, size));
}

static bool has_label(const char *label)
{
    static char text[1 << 18];
    snag_profile *inventory = snag_profile_lookup("labels");
    snag_profile_add(inventory, text, 0, 0);
    text_of("labels", text, sizeof text);
    snag_profile_remove(inventory, text);
    return label ? strstr(text, label) != nullptr : strstr(text, "labels ") == nullptr;
}

static void labels()
{
    snag_profile_new("labels");
    {
        std::string route = "/orders";
        snag::label outer("route", route.c_str());
        route = "changed";
        EXPECT(has_label("route=/orders"));
        {
            snag::label inner("route", "/orders/42");
            snag::label tenant("tenant", "blue");
            EXPECT(has_label("route=/orders/42") && has_label("tenant=blue"));
        }
        EXPECT(has_label("route=/orders\n"));
        EXPECT(!has_label("tenant"));
        auto first = std::make_unique<snag::label>("step", "1");
        auto second = std::make_unique<snag::label>("step", "2");
        first.reset(); // in the wrong order: the inner one stays
        EXPECT(has_label("step=2"));
        second.reset();
        EXPECT(!has_label("step"));
        snag::label nothing(nullptr, nullptr);
        snag::label long_one("long", std::string(1000, 'x').c_str());
        EXPECT(has_label("long=xxx"));
    }
    EXPECT(has_label(nullptr));
}

APART snag::entry lease(snag::profile leases, const void *handle)
{
    return leases.add(handle, 10);
}

static void entries()
{
    static int row, other;
    snag::profile leases("db.leases");
    snag::profile same("db.leases");
    EXPECT(leases && leases.get() == same.get() &&
           leases.get() == snag_profile_lookup("db.leases"));
    {
        snag::entry first = lease(leases, &row);
        check_held(__LINE__, "db.leases", 1, "lease");
        snag::entry again = leases.add(&row);
        snag::entry copy = std::move(first);
        EXPECT(!again && copy && leases.count() == 1);
        again.reset();
        EXPECT(leases.count() == 1);
        snag::entry second = leases.add(&other);
        EXPECT(leases.count() == 2);
        second = std::move(copy);
        EXPECT(leases.count() == 1);
        second.release();
    }
    EXPECT(leases.count() == 1 && leases.remove(&row) == 0 && leases.count() == 0);
    snag::profile reserved("threads");
    snag::profile wrong("a name");
    EXPECT(!reserved && !wrong && !wrong.add(&row) && wrong.count() == 0);
}

int main()
{
    copies_and_moves();
    EXPECT(connections() == 0);
    containers();
    threads();
    other_shapes();
    names();
    holders();
    labels();
    EXPECT(snag_profile_count(nullptr) == 0);
    int status = checks_end(); // before the add of a row that is there, which is a mistake
    entries();
    return status != 0 || checks_failed != 0;
}
