/*
 * standard_files.c - see standard_files.h.
 */
#include "base/standard_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>
#include "base/host.h"

void standard_files_hold(void)
{
    const struct host *h = host();

    /* From below: an opening takes the lowest number that is free. */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            h->open(h->self, "/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY, 0);
}

bool standard_input_take(void)
{
    static atomic_flag taken = ATOMIC_FLAG_INIT;

    /* relaxed: it says nothing of other memory. */
    return !atomic_flag_test_and_set_explicit(&taken, memory_order_relaxed);
}
