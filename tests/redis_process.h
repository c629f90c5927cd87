/*
 * redis_process.h - for tests: a redis-server of the test's own, on a socket in its working folder,
 * without files.
 */
#ifndef TESTS_REDIS_PROCESS_H
#define TESTS_REDIS_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/host.h"
#include "store/redis_link.h"

struct redis_process {
    pid_t pid; /* 0: none runs */
    char folder[64];
    char address[128]; /* unix:/... */
};

/* Waits until it answers. `more` is a further option and its value, or NULL. */
static inline bool redis_process_start(struct redis_process *redis, const char *more,
                                       const char *value)
{
    const char *socket = redis->address + strlen("unix:");

    if (redis->folder[0] == '\0') {
        strcpy(redis->folder, "/tmp/tocsin-redis-XXXXXX");
        if (mkdtemp(redis->folder) == NULL)
            return false;
    }
    snprintf(redis->address, sizeof(redis->address), "unix:%s/redis.sock", redis->folder);
    redis->pid = fork();
    if (redis->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen("/dev/null", "w", stdout) == NULL || chdir(redis->folder) != 0)
            _exit(1);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket, "--save", "",
               "--appendonly", "no", more != NULL ? more : "--daemonize",
               more != NULL ? value : "no", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 6000; i++) {
        const struct redis_config config = {
            .address = redis->address, .connect_ms = 1000, .answer_ms = 1000};
        const struct text word = text_of("PING");
        const struct shared_reply *reply;
        struct shared_link *link;
        struct error err;
        int rc = redis_link_create(&config, &link, &err);
        if (rc == 0) {
            rc = link->ask(link, &word, 1, &reply, &err);
            link->destroy(link);
        }
        if (rc == 0)
            return true;
        usleep(10000); /* between two looks; the limit is what decides */
    }
    return false;
}

static inline void redis_process_kill(struct redis_process *redis)
{
    if (redis->pid > 0) {
        kill(redis->pid, SIGKILL);
        waitpid(redis->pid, NULL, 0);
    }
    redis->pid = 0;
}

static inline void redis_process_end(struct redis_process *redis)
{
    redis_process_kill(redis);
    if (redis->folder[0] != '\0') {
        unlink(redis->address + strlen("unix:"));
        rmdir(redis->folder);
    }
}

#endif
