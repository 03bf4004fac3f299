/* snag.hpp: inventories and labels by the rules of C++. Header-only, C++17.
 *
 *     class Connection {
 *         ...
 *         snag::tracked<Connection> live_;     every Connection is in /debug/handles
 *     };
 *
 *     snag::label route{"route", "/orders"};   this thread's label, until the scope ends
 *
 *     snag::profile leases{"db.leases"};       an inventory by name
 *     auto lease = leases.add(row);            live as long as `lease` is
 *
 * Nothing here throws, and neither exceptions nor RTTI need be on. */
#ifndef SNAG_SNAG_HPP
#define SNAG_SNAG_HPP

#include <snag/snag.h>
#include <snag/wrap/wrap.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace snag
{

/* What is hidden is each library's own: no symbol of it is shared, which would keep a plug-in from
 * being unloaded. */
#define SNAG_HIDDEN __attribute__((visibility("hidden")))

namespace detail
{

constexpr std::size_t name_max = 64;

struct fitted_name {
    char text[name_max + 1] = {};
    std::size_t length = 0;
    bool exact = true; /* another type has another name */

    constexpr void put(char c)
    {
        if (length < name_max)
            text[length++] = c;
        else
            exact = false;
    }
};

constexpr bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* How many characters at TEXT say PREFIX: all or none. */
constexpr std::size_t starts_with(const char *text, const char *end, const char *prefix)
{
    std::size_t length = 0;
    for (; prefix[length] != 0; length++)
        if (text + length == end || text[length] != prefix[length])
            return 0;
    return length;
}

/* "snag::detail::spelled() [with T = app::Connection]", or without "with" from clang. */
template <class T> constexpr const char *spelled()
{
    return __PRETTY_FUNCTION__;
}

/* FNV-1a; without spaces, as where these stand differs between compilers. */
constexpr std::uint32_t hash_of(const char *from, const char *end)
{
    std::uint32_t hash = 2166136261u;
    for (; from != end; from++)
        if (*from != ' ')
            hash = (hash ^ static_cast<unsigned char>(*from)) * 16777619u;
    return hash;
}

constexpr std::size_t unnamed_at(const char *from, const char *end)
{
    const std::size_t gcc = starts_with(from, end, "{anonymous}");
    return gcc != 0 ? gcc : starts_with(from, end, "(anonymous namespace)");
}

/* `::` is a dot, the unnamed namespace is `anonymous`, and what else is no word is a hyphen. */
constexpr fitted_name in_allowed_letters(const char *from, const char *end)
{
    fitted_name name;
    while (from != end) {
        const std::size_t unnamed = unnamed_at(from, end);
        if (unnamed != 0) {
            for (const char *word = "anonymous"; *word != 0; word++)
                name.put(*word);
            from += unnamed;
        } else if (starts_with(from, end, "::") != 0) {
            name.put('.');
            from += 2;
        } else if (is_word(*from)) {
            name.put(*from++);
        } else {
            name.exact = false;
            if (name.length > 0 && name.text[name.length - 1] != '-')
                name.put('-');
            from++;
        }
    }
    return name;
}

/* The name of a type as an inventory's. Where something is lost, eight digits of a hash of the
 * whole, as the compiler spells it, tell apart what would look the same. */
constexpr fitted_name fit(const char *from, const char *end)
{
    constexpr std::size_t digits = 8;
    fitted_name name = in_allowed_letters(from, end);
    if (name.exact)
        return name;
    if (name.length > name_max - digits - 1)
        name.length = name_max - digits - 1;
    if (name.length > 0 && name.text[name.length - 1] != '-')
        name.text[name.length++] = '-';
    const std::uint32_t hash = hash_of(from, end);
    for (unsigned shift = 32; shift != 0; shift -= 4)
        name.text[name.length++] = "0123456789abcdef"[hash >> (shift - 4) & 15];
    name.text[name.length] = 0;
    return name;
}

template <class T> constexpr fitted_name name_of()
{
    const char *from = spelled<T>();
    while (starts_with(from, nullptr, "T = ") == 0)
        from++;
    from += 4;
    const char *end = from;
    for (const char *at = from; *at != 0; at++)
        if (*at == ']')
            end = at;
    return fit(from, end);
}

template <class T> struct SNAG_HIDDEN inventory {
    static constexpr fitted_name name = name_of<T>();
    static inline snag_profile *here = nullptr;
};

} // namespace detail

/* The name of T's inventory: "app.Connection" for app::Connection; for what is not a plain name,
 * such as app::Pool<int>, "app.Pool-int-" and eight digits. At most 64 characters. */
template <class T> constexpr const char *inventory_name() noexcept
{
    return detail::inventory<T>::name.text;
}

/* A member that counts its owner's life, in the inventory named after the type OWNER, with
 * sizeof(OWNER) as bytes, by the stack that constructed it:
 *
 *     class Connection {
 *         snag::tracked<Connection> live_;
 *     };
 *
 * It needs no initialiser, and every object counts once, however it comes: a copy is one more, and
 * so is what was moved from, until it is destroyed; assignment changes nothing. An object is live
 * from when this member is constructed until it is destroyed, also when a constructor throws after
 * that. The handle shown is the address of this member. One byte; none in C++20 with
 * [[no_unique_address]]. The owner can no longer be copied as mere bytes, nor be constexpr. */
template <class Owner> class tracked
{
  public:
    /* PLACE is left to its default: it keeps the caller in the stack (snag/wrap/wrap.h). */
    __attribute__((noinline)) tracked(SNAG_WRAP_PLACE = SNAG_WRAP_HERE) noexcept
    {
        SNAG_WRAP_BEGIN();
        enter();
        SNAG_STAYS();
    }

    __attribute__((noinline)) tracked(const tracked &, SNAG_WRAP_PLACE = SNAG_WRAP_HERE) noexcept
    {
        SNAG_WRAP_BEGIN();
        enter();
        SNAG_STAYS();
    }

    tracked &operator=(const tracked &) noexcept
    {
        return *this;
    }

    ~tracked()
    {
        snag_untrack_here(&detail::inventory<Owner>::here, inventory_name<Owner>(), this);
        SNAG_STAYS();
    }

    /* How many there are now. */
    static std::size_t count() noexcept
    {
        return snag_profile_count(snag_profile_lookup(inventory_name<Owner>()));
    }

  private:
    __attribute__((always_inline)) void enter() noexcept
    {
        snag_wrap_made(&detail::inventory<Owner>::here, inventory_name<Owner>(), this,
                       sizeof(Owner));
    }
};

/* The calling thread has the label KEY=VALUE until the end of the scope; then the value that an
 * enclosing snag::label gave KEY, or none. A value given by snag_label_set is not known here: it is
 * replaced, and gone afterwards. Both texts are copied, and cut as snag_label_set does. For local
 * variables: made and destroyed by the same thread. */
class SNAG_HIDDEN label
{
  public:
    [[nodiscard]] label(const char *key, const char *value) noexcept
    {
        copy(key_, sizeof key_, key);
        copy(value_, sizeof value_, value);
        outer_ = innermost();
        innermost() = this;
        snag_label_set(key_, value_);
    }

    label(const label &) = delete;
    label &operator=(const label &) = delete;

    ~label()
    {
        label **link = &innermost();
        bool is_hidden = false; /* by an inner one that is still there */
        while (*link && *link != this) {
            is_hidden |= std::strcmp((*link)->key_, key_) == 0;
            link = &(*link)->outer_;
        }
        if (*link)
            *link = outer_;
        if (!is_hidden)
            restore();
    }

  private:
    static label *&innermost() noexcept
    {
        static thread_local label *top = nullptr;
        return top;
    }

    static void copy(char *to, std::size_t size, const char *from) noexcept
    {
        std::size_t length = from ? std::strlen(from) : 0;
        if (length >= size)
            length = size - 1;
        if (length > 0)
            std::memcpy(to, from, length);
        to[length] = 0;
    }

    void restore() const noexcept
    {
        for (const label *other = outer_; other; other = other->outer_) {
            if (std::strcmp(other->key_, key_) == 0) {
                snag_label_set(key_, other->value_);
                return;
            }
        }
        if (key_[0] != 0)
            snag_label_clear(key_);
    }

    label *outer_;
    char key_[65];
    char value_[257];
};

/* A handle's place in an inventory: live as long as this is, and owned by one at a time. */
class entry
{
  public:
    entry() noexcept = default;

    entry(entry &&other) noexcept : profile_(other.profile_), handle_(other.handle_)
    {
        other.profile_ = nullptr;
    }

    entry &operator=(entry &&other) noexcept
    {
        if (this != &other) {
            reset();
            profile_ = other.profile_;
            handle_ = other.handle_;
            other.profile_ = nullptr;
        }
        return *this;
    }

    ~entry()
    {
        reset();
    }

    /* Whether it holds a place: not when the add failed, nor after reset, release or a move. */
    explicit operator bool() const noexcept
    {
        return profile_ != nullptr;
    }

    /* The handle is gone. */
    void reset() noexcept
    {
        if (profile_)
            snag_profile_remove(profile_, handle_);
        profile_ = nullptr;
    }

    /* The handle stays live, and whoever ends it calls profile::remove. */
    void release() noexcept
    {
        profile_ = nullptr;
    }

  private:
    friend class profile;

    entry(snag_profile *profile, const void *handle) noexcept : profile_(profile), handle_(handle)
    {
    }

    snag_profile *profile_ = nullptr;
    const void *handle_ = nullptr;
};

/* The inventory of that name, found or made. It is a name for what is there for the rest of the
 * process, so it may be copied, and its end ends nothing. */
class profile
{
  public:
    /* What is not allowed as a name gives a profile that is false, with errno as of
     * snag_profile_new, and keeps nothing. */
    explicit profile(const char *name) noexcept : profile_(snag_profile_new(name))
    {
        if (!profile_ && errno == EEXIST)
            profile_ = snag_profile_lookup(name);
    }

    explicit operator bool() const noexcept
    {
        return profile_ != nullptr;
    }

    /* HANDLE is live, held by the calling stack, as long as what is returned is; that is false
     * when HANDLE was live already, and its end changes nothing then. PLACE is left to its
     * default. */
    [[nodiscard]] __attribute__((noinline)) entry add(const void *handle, std::size_t bytes = 0,
                                                      SNAG_WRAP_PLACE = SNAG_WRAP_HERE) noexcept
    {
        SNAG_WRAP_BEGIN();
        int status = snag_profile_add(profile_, handle, bytes, 1);
        return status == 0 ? entry(profile_, handle) : entry();
    }

    /* For what was released. As snag_profile_remove. */
    int remove(const void *handle) noexcept
    {
        return snag_profile_remove(profile_, handle);
    }

    std::size_t count() const noexcept
    {
        return snag_profile_count(profile_);
    }

    snag_profile *get() const noexcept
    {
        return profile_;
    }

  private:
    snag_profile *profile_;
};

#undef SNAG_HIDDEN

} // namespace snag

#endif
