// throwing_service.cc PORT: an HTTP service in C++, a thread for each connection, whose answers are
// all thrown: through frames with destructors, rethrown once, caught as what they are.
// SIGTERM ends it, with status 3, or with 4 when a destructor was passed by.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

static std::atomic<long> thrown{0}, made{0}, destroyed{0};

struct Guard {
    Guard() { made++; }
    ~Guard() { destroyed++; }
};

struct Answer : std::runtime_error {
    using std::runtime_error::runtime_error;
};

__attribute__((noinline)) static void look_up(const std::string &path, int depth)
{
    Guard guard;
    if (depth > 0) {
        try {
            look_up(path, depth - 1);
        } catch (const std::logic_error &) {
            std::abort(); // it is none
        }
    }
    thrown++;
    throw Answer("answer to " + path + "\n");
}

__attribute__((noinline)) static std::string answer_of(const std::string &path)
{
    try {
        try {
            look_up(path, 12);
        } catch (const std::runtime_error &) {
            Guard guard;
            throw;
        }
    } catch (const Answer &answer) {
        return answer.what();
    }
    return "nothing was thrown\n";
}

static void serve_connection(int connection)
{
    std::string text;
    char part[4096];
    ssize_t length;
    while ((length = read(connection, part, sizeof part)) > 0) {
        text.append(part, static_cast<size_t>(length));
        size_t end = text.find("\r\n\r\n");
        if (end == std::string::npos)
            continue;
        size_t start = text.find(' ') + 1;
        std::string body = answer_of(text.substr(start, text.find(' ', start) - start));
        text.erase(0, end + 4);
        std::string reply = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        if (write(connection, reply.data(), reply.size()) != static_cast<ssize_t>(reply.size()))
            break;
    }
    close(connection);
}

static void accept_connections(int listener)
{
    for (;;) {
        int connection = accept(listener, nullptr, nullptr);
        if (connection >= 0)
            std::thread(serve_connection, connection).detach();
    }
}

int main(int, char **arguments)
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, nullptr);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(std::atoi(arguments[1])));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) || listen(listener, 64))
        return 1;
    std::thread(accept_connections, listener).detach();
    int signal = 0;
    sigwait(&ending, &signal);
    std::printf("thrown %ld, %ld guards made and %ld destroyed\n", thrown.load(), made.load(), destroyed.load());
    std::fflush(stdout);
    _exit(made == destroyed ? 3 : 4);
}
