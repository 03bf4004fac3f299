// labelled_cpp.cc: whether std::thread begins with the labels of its creator. Prints the labels of
// its threads as snag says them; an argument is what to expect: "inherited" or "none".
#include <snag/snag.h>

#include <cstdio>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <unistd.h>

static std::string dump()
{
    std::string text;
    char buffer[4096];
    FILE *file = tmpfile();
    if (!file || snag_write("threads", fileno(file), 2) != 0)
        return text;
    rewind(file);
    while (size_t got = fread(buffer, 1, sizeof buffer, file))
        text.append(buffer, got);
    fclose(file);
    return text;
}

// The block of thread TID.
static std::string block_of(const std::string &text, int tid)
{
    size_t begin = text.find("\nthread " + std::to_string(tid) + " ");
    return begin == std::string::npos ? "" : text.substr(begin, text.find("\n\n", begin) - begin);
}

int main(int count, char **arguments)
{
    bool want = count > 1 && strcmp(arguments[1], "inherited") == 0;
    std::promise<int> plain, async;
    std::promise<void> done;
    std::shared_future<void> end = done.get_future().share();
    snag_label_set("tenant", "acme");
    std::thread thread([&] {
        plain.set_value((int)gettid());
        end.wait();
    });
    auto future = std::async(std::launch::async, [&] {
        async.set_value((int)gettid());
        end.wait();
    });
    int tids[] = { plain.get_future().get(), async.get_future().get() };
    std::string text = dump();
    bool right = true;
    for (int tid : tids) {
        std::string block = block_of(text, tid);
        printf("%s\n", block.c_str());
        right &= !block.empty();
        right &= (block.find("labels tenant=acme") != std::string::npos) == want;
        right &= (block.find("started by ") != std::string::npos) == want;
        right &= (block.find(" main") != std::string::npos) == want || !want;
    }
    done.set_value();
    thread.join();
    return right ? 0 : 1;
}
