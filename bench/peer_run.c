/* peer_run.c - see peer_run.h. */
#include "bench/peer_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "bench/figures.h"

enum { ASKED_MAX = 65536, CANNOT_START = 127 };

struct peer_process {
    pid_t pid;
};

struct peer_talk {
    pid_t pid;
    int to;
    FILE *from;
    char log[256];
};

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

bool peer_is_there(const char *command)
{
    static const char *const more[] = {"/usr/local/sbin", "/usr/sbin", "/sbin"};
    const char *path = getenv("PATH");
    char all[4096], file[4096 + 64];

    snprintf(all, sizeof(all), "%s", path != NULL ? path : "/usr/local/bin:/usr/bin:/bin");
    for (char *at = all, *folder; (folder = strsep(&at, ":")) != NULL;) {
        snprintf(file, sizeof(file), "%s/%s", folder, command);
        if (access(file, X_OK) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        snprintf(file, sizeof(file), "%s/%s", more[i], command);
        if (access(file, X_OK) == 0) {
            snprintf(all, sizeof(all), "%s:%s", path != NULL ? path : "", more[i]);
            setenv("PATH", all, 1);
            return true;
        }
    }
    return false;
}

/* In the child: descriptors in their places, then the program. */
static void become(const char *const *argv, int in, int out, int log)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (in < 0 || out < 0 || log < 0 || dup2(in, STDIN_FILENO) < 0 ||
        dup2(out, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(CANNOT_START);
    close_range(3, ~0U, 0);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(CANNOT_START);
}

/* In the child: a file into a pipe. */
static void feed(const char *path, int to)
{
    static char buffer[1 << 16];
    int from = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (from >= 0 && (got = read(from, buffer, sizeof(buffer))) > 0)
        for (ssize_t done = 0, put; done < got; done += put)
            if ((put = write(to, buffer + done, (size_t)(got - done))) < 0)
                _exit(1); /* it has ended before its input */
    _exit(0);
}

/* What it said of errors, behind `why`: the line that has that word, or the last. */
static void add_said(const char *log, char *why)
{
    FILE *from = fopen(log, "r");
    char line[512], said[512] = "";
    size_t used = strlen(why);

    while (from != NULL && strstr(said, "rror") == NULL && fgets(line, sizeof(line), from) != NULL)
        if (line[0] != '\n')
            memcpy(said, line, sizeof(said));
    if (from != NULL)
        fclose(from);
    said[strcspn(said, "\n")] = '\0';
    if (said[0] != '\0')
        snprintf(why + used, PEER_WHY_BYTES - used, ": %s", said);
}

bool peer_run(const char *const *argv, const char *in, const char *out, const char *log,
              struct peer_took *took, char *why)
{
    int pipe_fd[2] = {-1, -1}, status = 0;
    pid_t feeder = -1, pid;
    struct rusage usage;

    if (in != NULL && pipe2(pipe_fd, O_CLOEXEC) != 0) {
        snprintf(why, PEER_WHY_BYTES, "no pipe: %s", strerror(errno));
        return false;
    }
    fflush(NULL);
    double began = bench_now_s();
    if ((pid = fork()) == 0)
        become(argv, in != NULL ? pipe_fd[0] : open("/dev/null", O_RDONLY | O_CLOEXEC),
               open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
               open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (in != NULL) {
        close(pipe_fd[0]);
        if (pid > 0 && (feeder = fork()) == 0)
            feed(in, pipe_fd[1]);
        close(pipe_fd[1]);
    }
    if (pid < 0) {
        snprintf(why, PEER_WHY_BYTES, "no process: %s", strerror(errno));
        return false;
    }
    while (wait4(pid, &status, WNOHANG, &usage) == 0) {
        if (bench_now_s() - began > PEER_LIMIT_S) {
            kill(pid, SIGKILL);
            wait4(pid, &status, 0, &usage);
            break;
        }
        nap();
    }
    took->wall_s = bench_now_s() - began;
    took->cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    if (feeder > 0) {
        kill(feeder, SIGKILL);
        waitpid(feeder, NULL, 0);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFEXITED(status))
        snprintf(why, PEER_WHY_BYTES, "%s ended with code %d", argv[0], WEXITSTATUS(status));
    else
        snprintf(why, PEER_WHY_BYTES, "%s was ended by signal %d after %.0f s", argv[0],
                 WTERMSIG(status), took->wall_s);
    add_said(log, why);
    return false;
}

int peer_ask(const char *command, char *said, size_t bytes)
{
    static char all[ASKED_MAX];
    char whole[8192];

    snprintf(whole, sizeof(whole), "(%s) 2>&1", command);
    FILE *from = popen(whole, "r"); // NOLINT(cert-env33-c): the bench's own words
    if (from == NULL) {
        snprintf(said, bytes, "no process");
        return -1;
    }
    size_t got = fread(all, 1, sizeof(all) - 1, from);
    while (got > 0 && all[got - 1] == '\n')
        got--;
    all[got] = '\0';
    int status = pclose(from);
    const char *last = strrchr(all, '\n');
    snprintf(said, bytes, "%s", last != NULL ? last + 1 : all);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct peer_process *peer_begin(const char *const *argv, const char *log)
{
    struct peer_process *process = calloc(1, sizeof(*process));

    fflush(NULL);
    if (process == NULL || (process->pid = fork()) < 0) {
        perror("a process");
        exit(2);
    }
    if (process->pid == 0)
        become(argv, open("/dev/null", O_RDONLY | O_CLOEXEC),
               open("/dev/null", O_WRONLY | O_CLOEXEC),
               open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    return process;
}

pid_t peer_pid(const struct peer_process *process)
{
    return process->pid;
}

void peer_end(struct peer_process *process)
{
    if (process == NULL)
        return;
    kill(process->pid, SIGTERM);
    waitpid(process->pid, NULL, 0);
    free(process);
}

struct peer_talk *peer_talk_begin(const char *const *argv, const char *log)
{
    struct peer_talk *talk = calloc(1, sizeof(*talk));
    int to[2], from[2];

    if (talk == NULL || pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
        perror("a pipe");
        exit(2);
    }
    signal(SIGPIPE, SIG_IGN);
    fflush(NULL);
    talk->pid = fork();
    if (talk->pid == 0)
        become(argv, to[0], from[1], open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    close(to[0]);
    close(from[1]);
    talk->to = to[1];
    snprintf(talk->log, sizeof(talk->log), "%s", log);
    talk->from = fdopen(from[0], "r");
    if (talk->pid < 0 || talk->from == NULL) {
        perror("a process");
        exit(2);
    }
    return talk;
}

bool peer_talk_round(struct peer_talk *talk, struct peer_took *took, char *why)
{
    struct pollfd answer = {.fd = fileno(talk->from), .events = POLLIN};
    char line[256], *end;

    if (write(talk->to, "round\n", 6) != 6) {
        snprintf(why, PEER_WHY_BYTES, "it has ended");
        add_said(talk->log, why);
        return false;
    }
    if (poll(&answer, 1, PEER_LIMIT_S * 1000) != 1) {
        snprintf(why, PEER_WHY_BYTES, "it did not answer within %d s", PEER_LIMIT_S);
        return false;
    }
    if (fgets(line, sizeof(line), talk->from) == NULL) {
        snprintf(why, PEER_WHY_BYTES, "it ended instead of an answer");
        add_said(talk->log, why);
        return false;
    }
    took->cpu_s = strtod(line, &end) * 1e-9;
    took->wall_s = strtod(end, &end) * 1e-9;
    if (took->cpu_s > 0 && took->wall_s > 0 && *end == '\n')
        return true;
    line[strcspn(line, "\n")] = '\0';
    snprintf(why, PEER_WHY_BYTES, "it answered %s", line);
    return false;
}

void peer_talk_end(struct peer_talk *talk)
{
    if (talk == NULL)
        return;
    close(talk->to);
    fclose(talk->from);
    kill(talk->pid, SIGKILL);
    waitpid(talk->pid, NULL, 0);
    free(talk);
}
