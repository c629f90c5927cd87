/* futex_count.c - see futex_count.h. */
#include "bench/futex_count.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS_MAX = 128 };

static _Atomic int counter[THREADS_MAX]; /* file descriptor + 1; 0: not open */
static _Atomic unsigned begun;
static _Atomic int refusal; /* errno of the first that failed */
static _Atomic bool no_tracepoint;

/* The tracepoint's number, or 0. */
static uint64_t tracepoint(void)
{
    static const char *const at[] = {
        "/sys/kernel/tracing/events/syscalls/sys_enter_futex/id",
        "/sys/kernel/debug/tracing/events/syscalls/sys_enter_futex/id",
    };
    unsigned long long id = 0;

    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]) && id == 0; i++) {
        FILE *file = fopen(at[i], "r");
        if (file != NULL && fscanf(file, "%llu", &id) != 1)
            id = 0;
        if (file != NULL)
            fclose(file);
    }
    return id;
}

void futex_count_thread(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr)};
    unsigned mine = atomic_fetch_add(&begun, 1);

    attr.config = tracepoint();
    if (attr.config == 0) {
        atomic_store(&no_tracepoint, true);
        return;
    }
    long fd = mine < THREADS_MAX ? syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) : -1;
    if (fd >= 0)
        atomic_store(&counter[mine], (int)fd + 1);
    else
        atomic_store(&refusal, mine < THREADS_MAX ? errno : EMFILE);
}

uint64_t futex_count_sum(void)
{
    uint64_t sum = 0, one;

    for (unsigned i = 0; i < THREADS_MAX; i++) {
        int fd = atomic_load(&counter[i]) - 1;
        if (fd >= 0 && read(fd, &one, sizeof(one)) == sizeof(one))
            sum += one;
    }
    return sum;
}

const char *futex_count_why_not(void)
{
    static char why[128];

    if (atomic_load(&no_tracepoint))
        return "the tracepoint sys_enter_futex is not readable; tracefs needs root";
    if (atomic_load(&refusal) == 0)
        return NULL;
    snprintf(why, sizeof(why), "the kernel refuses a counter: %s", strerror(atomic_load(&refusal)));
    return why;
}

void futex_count_reset(void)
{
    for (unsigned i = 0; i < THREADS_MAX; i++) {
        int fd = atomic_exchange(&counter[i], 0) - 1;
        if (fd >= 0)
            close(fd);
    }
    atomic_store(&begun, 0);
}
