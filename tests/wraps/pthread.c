/* pthread.c: locks that are initialised and destroyed, and keys. Compiled as C and as C++. */
#include "check.h"

#include <snag/wrap/pthread.h>

static pthread_mutex_t mutex;
static pthread_cond_t cond;
static pthread_rwlock_t rwlock;
static pthread_barrier_t barrier;
static pthread_key_t key;

/* Nobody looks at what these return: the call is their last act. */

APART void by_mutex_init(void)
{
    pthread_mutex_init(&mutex, NOTHING);
}

APART void by_cond_init(void)
{
    pthread_cond_init(&cond, NOTHING);
}

APART void by_rwlock_init(void)
{
    pthread_rwlock_init(&rwlock, NOTHING);
}

APART void by_barrier_init(void)
{
    pthread_barrier_init(&barrier, NOTHING, 3);
}

APART int by_key_create(void)
{
    return pthread_key_create(&key, NOTHING);
}

#define CHECK_INIT(inventory, maker, ended)                                                        \
    do {                                                                                           \
        maker();                                                                                   \
        check_held(__LINE__, inventory, 1, #maker);                                                \
        EXPECT((ended) == 0);                                                                      \
        check_held(__LINE__, inventory, 0, "");                                                    \
    } while (0)

static void destroy_fails(void)
{
    pthread_key_t none = 1000;
    by_mutex_init();
    pthread_mutex_lock(&mutex);
    EXPECT(pthread_mutex_destroy(&mutex) == EBUSY);
    check_held(__LINE__, "pthread.mutex", 1, "by_mutex_init");
    pthread_mutex_unlock(&mutex);
    EXPECT(pthread_mutex_destroy(&mutex) == 0);
    EXPECT(live("pthread.mutex") == 0);
    EXPECT(pthread_key_delete(none) == EINVAL);
}

/* An initialiser is no call. Its destroy is let pass. */
static void static_mutex(void)
{
    static pthread_mutex_t of_before = PTHREAD_MUTEX_INITIALIZER;
    EXPECT(pthread_mutex_destroy(&of_before) == 0);
    EXPECT(live("pthread.mutex") == 0);
}

int main(void)
{
    int (*destroy_by_pointer)(pthread_mutex_t *) = pthread_mutex_destroy;
    CHECK_INIT("pthread.mutex", by_mutex_init, pthread_mutex_destroy(&mutex));
    CHECK_INIT("pthread.mutex", by_mutex_init, destroy_by_pointer(&mutex));
    CHECK_INIT("pthread.cond", by_cond_init, pthread_cond_destroy(&cond));
    CHECK_INIT("pthread.rwlock", by_rwlock_init, pthread_rwlock_destroy(&rwlock));
    CHECK_INIT("pthread.barrier", by_barrier_init, pthread_barrier_destroy(&barrier));
    CHECK_INIT("pthread.key", by_key_create, pthread_key_delete(key));
    destroy_fails();
    static_mutex();
    return checks_end();
}
