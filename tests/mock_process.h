/*
 * mock_process.h - for tests: the mock broker in a child process, told what to do over
 * a pipe. A process of its own, so that sanitizers and timing see what a daemon sees.
 */
#ifndef TESTS_MOCK_PROCESS_H
#define TESTS_MOCK_PROCESS_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "ingest/mock_broker.h"

struct mock_process {
    pid_t pid;
    FILE *to;
    FILE *from;
    char address[128];
};

/* A test that wants more of them says how many. */
#ifndef MOCK_BROKERS
#define MOCK_BROKERS 1
#endif

/* Lines: "topic NAME N", "up", "down", "lead NAME PARTITION BROKER", "fail KIND ERROR COUNT". Each
 * is answered by "ok". */
static inline void mock_process_serve(FILE *from, FILE *to)
{
    struct error err = {""};
    struct mock_broker *broker = mock_broker_create_many(MOCK_BROKERS, &err);
    char line[512], name[256];
    int partitions, partition, number, kind, error, count;

    if (broker == NULL)
        exit(1);
    fprintf(to, "%s\n", mock_broker_address(broker));
    fflush(to);
    while (fgets(line, sizeof(line), from) != NULL) {
        if (sscanf(line, "topic %255s %d", name, &partitions) == 2) {
            if (mock_broker_add_topic(broker, name, partitions, &err) != 0)
                exit(1);
        } else if (sscanf(line, "lead %255s %d %d", name, &partition, &number) == 3) {
            if (mock_broker_lead(broker, name, partition, number) != 0)
                exit(1);
        } else if (sscanf(line, "fail %d %d %d", &kind, &error, &count) == 3) {
            mock_broker_fail(broker, kind, error, count);
        } else {
            mock_broker_set_up(broker, strcmp(line, "up\n") == 0);
        }
        fprintf(to, "ok\n");
        fflush(to);
    }
    exit(0);
}

/* Before any thread of the test starts. False when it cannot be started. */
static inline bool mock_process_start(struct mock_process *mock)
{
    int down[2], up[2];

    if (pipe(down) != 0 || pipe(up) != 0)
        return false;
    mock->pid = fork();
    if (mock->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(down[1]);
        close(up[0]);
        mock_process_serve(fdopen(down[0], "r"), fdopen(up[1], "w"));
    }
    close(down[0]);
    close(up[1]);
    mock->to = fdopen(down[1], "w");
    mock->from = fdopen(up[0], "r");
    if (fgets(mock->address, sizeof(mock->address), mock->from) == NULL)
        return false;
    mock->address[strcspn(mock->address, "\n")] = '\0';
    return true;
}

static inline bool mock_process_do(struct mock_process *mock, const char *line)
{
    char answer[16];

    fprintf(mock->to, "%s\n", line);
    fflush(mock->to);
    return fgets(answer, sizeof(answer), mock->from) != NULL && strcmp(answer, "ok\n") == 0;
}

static inline void mock_process_end(struct mock_process *mock)
{
    kill(mock->pid, SIGKILL);
    waitpid(mock->pid, NULL, 0);
    fclose(mock->to);
    fclose(mock->from);
}

#endif
