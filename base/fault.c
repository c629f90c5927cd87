/*
 * fault.c - see fault.h.
 */
#include "base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]), STACK_BYTES = 16 << 10 };

static struct sigaction former[SIGNALS];
static fault_words words_of;
static int words_fd = -1;
static atomic_flag is_said = ATOMIC_FLAG_INIT; /* one death counts once, however many threads die */

/* The kernel's word for an instruction of this process, or abort() and raise(); kill(2) from
 * elsewhere is neither. */
static bool is_own(const siginfo_t *info)
{
    return info->si_code > 0 || (info->si_code == SI_TKILL && info->si_pid == getpid());
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    char words[FAULT_WORDS_BYTES];
    size_t bytes = 0;

    (void)context;
    if (is_own(info) && !atomic_flag_test_and_set(&is_said))
        bytes = words_of(number, words);
    if (bytes > 0) /* nobody is left to be told that it could not be written */
        host()->write(host()->self, words_fd, words, bytes);
    for (int i = 0; i < SIGNALS; i++)
        if (signals[i] == number)
            sigaction(number, &former[i], NULL);
    if (info->si_code <= 0) /* else the instruction faults again, with its address */
        raise(number);
}

void fault_catch(int fd, fault_words words)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

    words_fd = fd;
    words_of = words;
    atomic_flag_clear(&is_said);
    action.sa_sigaction = on_fault;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &former[i]);
}

void fault_forget(void)
{
    for (int i = 0; words_fd >= 0 && i < SIGNALS; i++)
        sigaction(signals[i], &former[i], NULL);
    words_fd = -1;
}

void fault_stack_use(void)
{
    static _Thread_local char room[STACK_BYTES];
    stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)}, before;

    /* One that a sanitizer gave the thread is its own to take back. */
    if (sigaltstack(NULL, &before) == 0 && (before.ss_flags & SS_DISABLE) != 0)
        sigaltstack(&stack, NULL);
}
