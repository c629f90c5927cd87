/* children.c - see children.h. */
#include "daemon/children.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/host.h"

enum { ARGUMENTS_MAX = 64 };

static void hand_over_lines(struct bufferevent *from, void *self)
{
    struct child *child = self;
    char *line;

    while ((line = evbuffer_readln(bufferevent_get_input(from), NULL, EVBUFFER_EOL_LF)) != NULL) {
        child->on_line(child->self, line);
        free(line);
    }
}

/* Runs in the child: nothing here but system calls. */
static void become(pid_t starter, int out_fd, int log_fd, char *const *argv)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != starter)
        _exit(127); /* it died before we could ask for the signal */
    dup2(out_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    execv("/proc/self/exe", argv);
    _exit(127);
}

int child_start(struct child *child, struct event_base *base, const char *log_dir,
                const char *const *argv, struct error *err)
{
    char *arguments[ARGUMENTS_MAX] = {(char *)"tocsin"};
    pid_t starter = getpid();
    int out[2] = {-1, -1};
    int log_fd, rc = 0;

    for (size_t i = 0; argv[i] != NULL && i + 2 < ARGUMENTS_MAX; i++)
        arguments[i + 1] = (char *)argv[i]; /* execv() does not write to them */
    snprintf(child->log, sizeof(child->log), "%s/%s.log", log_dir, child->name);
    log_fd = host()->open(host()->self, child->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);
    if (log_fd < 0) {
        error_set(err, "%s: %s", child->log, strerror(-log_fd));
        return log_fd;
    }
    if (child->on_line != NULL && pipe2(out, O_CLOEXEC) != 0) {
        rc = -errno;
        error_set(err, "no pipe for %s: %s", child->name, strerror(errno));
        goto out;
    }
    child->pid = fork();
    if (child->pid == 0)
        become(starter, child->on_line != NULL ? out[1] : log_fd, log_fd, arguments);
    if (child->pid < 0) {
        rc = -errno;
        child->pid = 0;
        error_set(err, "%s cannot be started: %s", child->name, strerror(errno));
        goto out;
    }
    setpgid(child->pid, child->pid); /* both do it: whoever comes first */
    if (child->on_line != NULL) {
        evutil_make_socket_nonblocking(out[0]);
        child->lines = bufferevent_socket_new(base, out[0], BEV_OPT_CLOSE_ON_FREE);
        if (child->lines == NULL) {
            rc = -ENOMEM;
            error_set(err, "out of memory for the output of %s", child->name);
            goto out;
        }
        out[0] = -1;
        bufferevent_setcb(child->lines, hand_over_lines, NULL, NULL, child);
        bufferevent_enable(child->lines, EV_READ);
    }
out:
    if (out[0] >= 0)
        host()->close(host()->self, out[0]);
    if (out[1] >= 0)
        host()->close(host()->self, out[1]);
    host()->close(host()->self, log_fd);
    return rc;
}

bool child_is_running(struct child *child)
{
    if (child->pid == 0 || child->has_ended)
        return false;
    if (waitpid(child->pid, &child->status, WNOHANG) == child->pid)
        child->has_ended = true;
    return !child->has_ended;
}

void child_terminate(struct child *child)
{
    if (child_is_running(child))
        kill(child->pid, SIGTERM);
}

void child_kill(struct child *child)
{
    if (!child_is_running(child))
        return;
    kill(child->pid, SIGKILL);
    if (waitpid(child->pid, &child->status, 0) == child->pid)
        child->has_ended = true;
}

void child_release(struct child *child)
{
    if (child->lines != NULL)
        bufferevent_free(child->lines);
    child->lines = NULL;
}

const char *child_status_text(const struct child *child, char to[64])
{
    if (WIFEXITED(child->status))
        snprintf(to, 64, "ended with code %d", WEXITSTATUS(child->status));
    else
        snprintf(to, 64, "was ended by signal %d", WTERMSIG(child->status));
    return to;
}

int children_make_dir(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -errno;
}

void children_remove_dir(const char *path)
{
    rmdir(path);
}

int children_make_temporary_dir(char *path)
{
    return mkdtemp(path) != NULL ? 0 : -errno;
}
