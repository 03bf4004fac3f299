/* sanitizers.c: a program built with AddressSanitizer may have libraries before it.
 *
 * Its runtime ends a program at once in which it is not the first library, as it cannot be where
 * ours are preloaded. It works all the same: each of ours calls what comes next, and that
 * is the sanitizer's. The runtime asks a function of this name for its settings, here and in
 * whatever the process becomes; those of the environment come after them, and a program that has
 * this function itself is asked in our place. */

__attribute__((visibility("default"))) const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "verify_asan_link_order=0";
}
