/* interrupt.c - see interrupt.h. */
#include "daemon/interrupt.h"

#include <signal.h>
#include "base/host.h"

static int waker = -1;
static volatile sig_atomic_t has_come;

static void on_signal(int number)
{
    (void)number;
    has_come = 1;
    if (waker >= 0)
        host()->waker_wake(host()->self, waker);
}

int interrupt_begin(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    waker = host()->waker_create(host()->self);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return waker;
}

bool interrupt_seen(void)
{
    return has_come != 0;
}

void interrupt_end(void)
{
    int old = waker;

    waker = -1; /* first: a signal may come in between */
    if (old >= 0)
        host()->close(host()->self, old);
}
