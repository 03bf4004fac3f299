/* gtest.hpp: the leak check around each test of a GoogleTest program.
 *
 *     #include <snag/leak/gtest.hpp>
 *     int main(int argc, char **argv) {
 *         testing::InitGoogleTest(&argc, argv);
 *         snag::leak_listener::install();
 *         return RUN_ALL_TESTS();
 *     }
 *
 * A test that leaves something behind fails, with the report as its message. A test that has failed
 * already is not looked at. Header-only. */
#ifndef SNAG_LEAK_GTEST_HPP
#define SNAG_LEAK_GTEST_HPP

#include <snag/leak.h>

#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>

namespace snag
{

class leak_listener : public testing::EmptyTestEventListener
{
  public:
    /* OPTIONS, if any, must outlive the tests. */
    static void install(const snag_leak_options *options = nullptr)
    {
        testing::UnitTest::GetInstance()->listeners().Append(new leak_listener(options));
    }

    explicit leak_listener(const snag_leak_options *options) : options_(options)
    {
    }

    void OnTestStart(const testing::TestInfo &) override
    {
        before_ = snag_leaks_begin();
    }

    void OnTestEnd(const testing::TestInfo &test) override
    {
        char *text = nullptr;
        std::size_t length = 0;
        FILE *out = open_memstream(&text, &length);
        int leaks = snag_leaks_end(before_, options_, out);
        before_ = nullptr;
        if (out)
            std::fclose(out);
        if (leaks != 0 && test.result()->Passed())
            ADD_FAILURE() << (text ? text : "leaks");
        std::free(text);
    }

  private:
    const snag_leak_options *options_;
    snag_leaks *before_ = nullptr;
};

} // namespace snag

#endif
