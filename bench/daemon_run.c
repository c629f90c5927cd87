/* daemon_run.c - see daemon_run.h. */
#include "bench/daemon_run.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/standard_files.h"
#include "daemon/admin_client.h"
#include "daemon/commands.h"

enum { ARGUMENTS_MAX = 128, WAIT_S_MAX = 300 };

static char folder[256], brokers[128], admin[64];
static pid_t owner, broker;

static void give_up(const char *what)
{
    fprintf(stderr, "%s: see %s/run.log\n", what, folder);
    folder[0] = '\0'; /* it stays, for whoever looks */
    exit(2);
}

static void nap(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
    (void)stat, (void)type, (void)at;
    return remove(path);
}

static void remove_folder(void)
{
    if (getpid() == owner && folder[0] != '\0')
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void daemon_folder(void)
{
    const char *in = getenv("TMPDIR");

    owner = getpid();
    snprintf(folder, sizeof(folder), "%s/tocsin-bench-XXXXXX", in != NULL ? in : "/tmp");
    if (mkdtemp(folder) == NULL || chdir(folder) != 0)
        give_up("no folder can be made");
    atexit(remove_folder);
}

pid_t daemon_begin(const char *log, const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX] = {(char *)(uintptr_t) "tocsin"};
    int argc = 1;
    pid_t pid;

    for (; arguments[argc - 1] != NULL && argc < ARGUMENTS_MAX - 1; argc++)
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        give_up("no process can be made");
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
            _exit(2);
        standard_files_hold();
        int code = commands_run(argc, argv);
        fflush(NULL);
        _exit(code);
    }
    return pid;
}

int daemon_end(pid_t pid)
{
    int status = 0;

    if (waitpid(pid, &status, 0) != pid)
        give_up("it is gone");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

double daemon_cpu_s(pid_t pid)
{
    struct timespec t = {0, 0};
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        give_up("nobody knows what CPU it took");
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

FILE *daemon_write(const char *path)
{
    FILE *to = fopen(path, "w");

    if (to == NULL)
        give_up("a file cannot be written");
    return to;
}

static bool has_line(const char *path, char *to, int bytes)
{
    FILE *from = fopen(path, "r");
    bool has = from != NULL && fgets(to, bytes, from) != NULL;

    if (from != NULL)
        fclose(from);
    to[strcspn(to, "\n")] = '\0';
    return has && to[0] != '\0';
}

const char *daemon_broker(int partitions)
{
    char topic[64];
    const char *const arguments[] = {"broker",      "--topic",     topic,
                                     "--port-file", "broker.port", NULL};

    snprintf(topic, sizeof(topic), "events:%d", partitions);
    remove("broker.port"); /* of one before */
    broker = daemon_begin("broker.log", arguments);
    for (int i = 0; !has_line("broker.port", brokers, sizeof(brokers)); i++) {
        if (i == 1000)
            give_up("the broker does not listen");
        nap(10);
    }
    return brokers;
}

void daemon_broker_end(void)
{
    kill(broker, SIGKILL);
    daemon_end(broker);
}

void daemon_use_broker(const char *address)
{
    snprintf(brokers, sizeof(brokers), "%s", address);
}

int daemon_free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &bytes) != 0)
        give_up("no port is free");
    close(fd);
    return ntohs(at.sin_port);
}

void daemon_config(const char *group, const char *more)
{
    FILE *to = daemon_write("tocsin.yaml");

    snprintf(admin, sizeof(admin), "127.0.0.1:%d", daemon_free_port());
    fprintf(to,
            "input: {brokers: \"%s\", group: \"%s\", start: earliest}\nadmin: {listen: \"%s\"}\n%s",
            brokers, group, admin, more);
    fclose(to);
}

const char *daemon_admin(void)
{
    return admin;
}

bool daemon_is_ready(void)
{
    struct error err;
    char *body = NULL;
    int status = 0;
    bool is = admin_client_ask(admin, NULL, false, "/readyz", &status, &body, &err) == 0;

    free(body);
    return is && status == 200;
}

/* Of a page of metrics; -1: it is not there. */
static double metric_of(const char *page, const char *name)
{
    size_t bytes = strlen(name);
    double sum = -1;

    for (const char *at = page; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, bytes) != 0 || (at[bytes] != ' ' && at[bytes] != '{'))
            continue;
        const char *value = at[bytes] == '{' ? strstr(at, "} ") : at + bytes;
        if (value != NULL)
            sum = (sum < 0 ? 0 : sum) + strtod(value + (*value == '}'), NULL);
    }
    return sum;
}

static char *metrics_page(void)
{
    struct error err;
    char *body = NULL;
    int status = 0;

    if (admin_client_ask(admin, NULL, false, "/metrics", &status, &body, &err) != 0)
        return NULL;
    return body;
}

double daemon_metric(const char *name)
{
    char *page = metrics_page();
    double value = page != NULL ? metric_of(page, name) : -1;

    free(page);
    return value;
}

double daemon_closed(void)
{
    char *page = metrics_page();
    double closed = page != NULL ? metric_of(page, "tocsin_events_total") -
                                       metric_of(page, "tocsin_events_waiting")
                                 : -1;

    free(page);
    return closed;
}

static void stay(pid_t pid, time_t until, unsigned look_ms)
{
    siginfo_t info = {.si_pid = 0};

    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid)
        give_up("the daemon has ended");
    if (time(NULL) > until)
        give_up("it takes too long");
    nap(look_ms);
}

void daemon_await_ready(pid_t pid, unsigned look_ms)
{
    time_t until = time(NULL) + WAIT_S_MAX;

    while (!daemon_is_ready())
        stay(pid, until, look_ms);
}

void daemon_await(pid_t pid, const char *name, double least, unsigned look_ms)
{
    time_t until = time(NULL) + WAIT_S_MAX;

    while (daemon_metric(name) < least)
        stay(pid, until, look_ms);
}
