/* deadlock.c: a bank whose tellers lock two accounts, each in the order of the transfer.
 *
 * Sooner or later one has locked Alice's account and wants Bob's, while another has locked Bob's
 * and wants Alice's. From then on nobody who touches either gets any further.
 *
 *     deadlock SECONDS    ends by itself; then: curl localhost:6060/debug/stuck */
#include <snag/snag.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TELLERS 2

struct account {
    pthread_mutex_t lock;
    long balance;
};

static struct account alice = { PTHREAD_MUTEX_INITIALIZER, 1000000 };
static struct account bob = { PTHREAD_MUTEX_INITIALIZER, 1000000 };
static _Atomic unsigned long transfers, audits;

/* Asks somebody who takes his time. */
static void check_limit(const struct account *account, long amount)
{
    usleep(20);
    if (account->balance < amount)
        abort();
}

/* The mistake: which account comes first is up to the customer. */
static void transfer(struct account *from, struct account *to, long amount)
{
    pthread_mutex_lock(&from->lock);
    check_limit(from, amount);
    pthread_mutex_lock(&to->lock);
    from->balance -= amount;
    to->balance += amount;
    pthread_mutex_unlock(&to->lock);
    pthread_mutex_unlock(&from->lock);
    transfers++;
}

static void wait_for_customer(void)
{
    usleep((useconds_t)(5000 + rand() % 10000));
}

static void *pay_bob(void *unused)
{
    for (;; transfer(&alice, &bob, 5))
        wait_for_customer();
    return unused;
}

static void *pay_alice(void *unused)
{
    for (;; transfer(&bob, &alice, 5))
        wait_for_customer();
    return unused;
}

/* Takes one lock at a time, and would be right in any other bank. */
static void *audit(void *unused)
{
    for (;; usleep(1000)) {
        pthread_mutex_lock(&bob.lock);
        audits += bob.balance >= 0;
        pthread_mutex_unlock(&bob.lock);
    }
    return unused;
}

static void start(const char *name, void *(*body)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, NULL) != 0)
        exit(1);
    pthread_setname_np(thread, name);
    pthread_detach(thread);
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 60;
    snag_start(NULL);
    for (int i = 0; i < TELLERS; i++) {
        start("pay-bob", pay_bob);
        start("pay-alice", pay_alice);
    }
    start("auditor", audit);
    for (int i = 0; i < seconds; i++) {
        sleep(1);
        printf("%lu transfers, %lu audits\n", transfers, audits);
        fflush(stdout);
    }
    return 0;
}
