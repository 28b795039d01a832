/*
 * Memory in a signal handler: GFP_ATOMIC takes what lies at hand, with no lock and no system call.
 *
 * malloc() must not be called in a signal handler, since the signal may have interrupted malloc().  With
 * GFP_ATOMIC an allocation either succeeds at once or is NULL, whatever was interrupted.  Freeing is for
 * the threads: the handler hands its objects over by a list that is changed by one atomic instruction.
 *
 * Output:
 *
 *     signal 10, while the number was 1
 *     signal 12, while the number was 2
 *     signal 10, while the number was 3
 */
#define _GNU_SOURCE
#include <buddyslab/kmalloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

struct event
{
    struct event* next;
    int signal;
    int number;
};

static _Atomic(struct event*) events; /* the newest first */
static volatile sig_atomic_t number;
static atomic_uint nr_lost;

static void on_signal(int signal)
{
    struct event* event = bsl_kmalloc(sizeof *event, BSL_GFP_ATOMIC);
    if (event == NULL) {
        atomic_fetch_add(&nr_lost, 1); /* there is always a plan for NULL */
        return;
    }
    event->signal = signal;
    event->number = number;
    event->next = atomic_load(&events);
    while (!atomic_compare_exchange_weak(&events, &event->next, event))
        ;
}

/* Takes all events, and turns the list round: the oldest first. */
static struct event* take_events(void)
{
    struct event* in_order = NULL;
    for (struct event* event = atomic_exchange(&events, NULL); event != NULL;) {
        struct event* next = event->next;
        event->next = in_order;
        in_order = event;
        event = next;
    }
    return in_order;
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);

    /* What a thread allocated before leaves some at hand for its handlers. */
    bsl_kfree(bsl_kmalloc(sizeof(struct event), BSL_GFP_KERNEL));
    for (number = 1; number <= 3; number = number + 1)
        raise(number == 2 ? SIGUSR2 : SIGUSR1);

    for (struct event* event = take_events(); event != NULL;) {
        struct event* next = event->next;
        printf("signal %d, while the number was %d\n", event->signal, event->number);
        bsl_kfree(event);
        event = next;
    }
    return nr_lost != 0;
}
