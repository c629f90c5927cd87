/*
 * log_pipe.h - the log of the process under test, read back through a pipe.
 */
#ifndef TESTS_LOG_PIPE_H
#define TESTS_LOG_PIPE_H

#include <fcntl.h>
#include <unistd.h>
#include "daemon/log.h"

static int log_pipe_fd[2];

/* From now on what is logged can be read; 0, or -1. */
static inline int log_pipe_open(void)
{
    if (pipe(log_pipe_fd) != 0 || fcntl(log_pipe_fd[0], F_SETFL, O_NONBLOCK) != 0)
        return -1;
    log_set_descriptor(log_pipe_fd[1]);
    log_configure(LOG_INFO, LOG_TEXT);
    return 0;
}

static inline void log_pipe_close(void)
{
    log_set_descriptor(STDERR_FILENO);
    close(log_pipe_fd[0]);
    close(log_pipe_fd[1]);
}

/* What has come since the last look; valid until the next. */
static inline const char *log_pipe_text(void)
{
    static char text[65536];
    ssize_t bytes = read(log_pipe_fd[0], text, sizeof(text) - 1);

    text[bytes > 0 ? bytes : 0] = '\0';
    return text;
}

#endif
