/*
 * peer_run.h - for benches: programs of others, and our own, as whole processes: what they took by
 * the kernel's account.
 *
 * Thread: one.
 */
#ifndef BENCH_PEER_RUN_H
#define BENCH_PEER_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PEER_WHY_BYTES = 1024, PEER_LIMIT_S = 150 };

struct peer_took {
    double cpu_s, wall_s;
};

/* Whether a command is there, in PATH or in a folder for system programs. */
bool peer_is_there(const char *command);

/* Runs a program, argv up to a NULL, from its start to its end. Its input comes through a pipe out
 * of the file `in`, read by a process of its own which is not counted; NULL: it has none. What it
 * prints goes into `out`, what it says of errors into `log`. False, with *why, if it cannot be
 * started, fails, or is not through after PEER_LIMIT_S and killed. */
bool peer_run(const char *const *argv, const char *in, const char *out, const char *log,
              struct peer_took *took, char *why);

/* Runs a shell command; its exit code, and in *said the last line of all that it printed. For what
 * has to be there before a clock. */
int peer_ask(const char *command, char *said, size_t bytes);

/* One that serves until it is ended, by a signal that asks for it. */
struct peer_process;
struct peer_process *peer_begin(const char *const *argv, const char *log);
pid_t peer_pid(const struct peer_process *process);
void peer_end(struct peer_process *process); /* NULL is allowed */

/* A program that stays, for those that have to be warm: it reads a line for each round and answers
 * one with the CPU and the time that the round took, in nanoseconds. It ends when its input does.
 */
struct peer_talk;
struct peer_talk *peer_talk_begin(const char *const *argv, const char *log);
bool peer_talk_round(struct peer_talk *talk, struct peer_took *took, char *why);
void peer_talk_end(struct peer_talk *talk); /* NULL is allowed */

#endif
