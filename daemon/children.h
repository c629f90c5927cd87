/*
 * children.h - other commands of this binary, run as processes of their own.
 *
 *   starter --fork, exec /proc/self/exe--> tocsin NAME ...
 *           <----- its standard output, as lines, or a file
 *           <----- its errors and log: a file
 *
 * No child outlives its starter: the kernel sends it SIGTERM when the starter
 * dies in whatever way. Children are in process groups of their own, so that
 * Ctrl-C reaches the starter alone, which then ends them in its order.
 *
 * Thread: the one that runs the event loop.
 */
#ifndef DAEMON_CHILDREN_H
#define DAEMON_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/error.h"

struct event;
struct event_base;
struct bufferevent;

struct child {
    const char *name; /* "broker": also that of its log, DIR/broker.log */
    char log[4096];
    pid_t pid; /* 0: not started */
    bool has_ended;
    int status; /* as waitpid() gives it, once it has ended */
    struct bufferevent *lines;
    void (*on_line)(void *self, const char *line);
    void *self;
};

/* Starts `tocsin argv...`; argv[0] is the command's name, NULL ends it. With
 * `on_line` each line of standard output goes there, else to the log too.
 * `log_dir` must exist.
 * Errors: a negative errno with a sentence. */
int child_start(struct child *child, struct event_base *base, const char *log_dir,
                const char *const *argv, struct error *err);

/* Looks whether it has ended. */
bool child_is_running(struct child *child);

/* Asks it to end; no effect where it does not run. */
void child_terminate(struct child *child);
void child_kill(struct child *child);

/* Releases what the starter holds of an ended child. */
void child_release(struct child *child);

/* "ended with code 70", "was killed by signal 11". */
const char *child_status_text(const struct child *child, char to[64]);

/* Makes a folder, its parent must exist; one that exists is fine. 0 or a negative errno. */
int children_make_dir(const char *path);

/* Removes an empty folder. */
void children_remove_dir(const char *path);

/* Makes a new folder from a template that ends with XXXXXX. 0 or a negative errno. */
int children_make_temporary_dir(char *path);

#endif
