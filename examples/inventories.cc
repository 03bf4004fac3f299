// inventories.cc: sessions that a map of reminders keeps alive.
//
// A shop has a Session for each visitor, for half a second. Those who check out are also held by a
// reminder that nobody takes away, and never end.
//
//     inventories_cc SECONDS   ends by itself; then: curl localhost:6060/debug/handles
//
// The class has one line for it. The label says on which route a session was made.
#include <snag/snag.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <thread>

namespace shop
{

class Session
{
  public:
    explicit Session(unsigned visitor) : visitor_(visitor)
    {
    }

    unsigned visitor() const
    {
        return visitor_;
    }

  private:
    unsigned visitor_;
    char basket_[500] = {};
    snag::tracked<Session> live_;
};

using Reminders = std::map<unsigned, std::shared_ptr<Session>>;

std::shared_ptr<Session> browse(unsigned visitor)
{
    snag::label route("route", "/browse");
    return std::shared_ptr<Session>(new Session(visitor));
}

std::shared_ptr<Session> check_out(unsigned visitor, Reminders &reminders)
{
    snag::label route("route", "/checkout");
    std::shared_ptr<Session> session(new Session(visitor));
    reminders[visitor] = session; // the mistake: nobody takes it out again
    return session;
}

} // namespace shop

int main(int argc, char **argv)
{
    using namespace std::chrono_literals;
    const unsigned seconds = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 60;
    std::deque<std::shared_ptr<shop::Session>> recent;
    shop::Reminders reminders;
    snag_start(nullptr);
    for (unsigned visitor = 1; visitor <= seconds * 50; visitor++) {
        recent.push_back(visitor % 5 ? shop::browse(visitor) : shop::check_out(visitor, reminders));
        if (recent.size() > 25)
            recent.pop_front();
        std::this_thread::sleep_for(20ms);
        if (visitor % 50 == 0)
            std::printf("%u visitors, %zu here\n", visitor, recent.size());
        std::fflush(stdout);
    }
}
