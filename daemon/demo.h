/*
 * demo.h - what the parts of `tocsin demo` share.
 *
 * cmd_demo.c tells the story and waits; demo_start.c starts the processes, demo_terminal.c
 * writes what a person watches, demo_ask.c asks the daemon for its counts, demo_report.c
 * says at the end what came of it.
 *
 * Thread: main. Everything that happens meanwhile happens inside demo_pump().
 */
#ifndef DAEMON_DEMO_H
#define DAEMON_DEMO_H

#include <event2/event.h>
#include "base/error.h"
#include "daemon/children.h"

enum {
    DEMO_PATH_BYTES = 4096,
    DEMO_PARTITIONS = 8,
    DEMO_CLOSING_LINES_MAX = 8,
};

struct demo_options {
    int64_t for_ms;
    bool is_forever;
    const char *dir;
    bool keep;
    int64_t seed, rate, faults;
    const char *fail;
};

enum { DEMO_BROKER, DEMO_RECEIVER, DEMO_DAEMON, DEMO_GENERATOR, DEMO_CHILD_COUNT };

/* What the daemon says of itself, summed over sinks. */
struct demo_sample {
    double events, duplicate, unmatched, routed, rejected, gaps;
    double opened, closed, open;
    double done, waiting, retries, dead;
};

struct demo {
    struct demo_options options;
    char dir[DEMO_PATH_BYTES];
    bool is_terminal;
    int width;
    struct event_base *base;
    struct event *on_int, *on_term, *on_child;
    struct child children[DEMO_CHILD_COUNT];
    bool may_end[DEMO_CHILD_COUNT]; /* an end of this one is no accident */
    bool is_interrupted;
    const struct child *lost; /* the child that ended too early */
    char broker[64];
    unsigned receiver_port, admin_port;
    uint64_t start_ns; /* of the traffic */
    struct demo_sample sample;
    bool has_sample;
    bool has_status; /* a status line stands at the bottom of the terminal */
    uint64_t status_ns;
    bool is_closing; /* what the receiver says now are its counts */
    char closing[DEMO_CLOSING_LINES_MAX][160];
    size_t closing_count;
};

/* Lets things happen for `ms`, or until *is_done (NULL: never), a child is lost
 * or Ctrl-C is pressed. True when *is_done. */
bool demo_pump(struct demo *demo, int64_t ms, const bool *is_done);

/* demo_start.c: a file of the demo's folder; and all processes, in order. */
void demo_path_in(const struct demo *demo, const char *name, char to[DEMO_PATH_BYTES]);
int demo_start_all(struct demo *demo, struct error *err);

/* demo_terminal.c: the status line, a number with commas (24310 -> "24,310"), and what
 * the receiver says: first its address, then pages, at the end its counts. */
#define DIM(demo) demo_style(demo, "\033[2m")
#define BOLD(demo) demo_style(demo, "\033[1m")
#define PLAIN(demo) demo_style(demo, "\033[0m")
const char *demo_style(const struct demo *demo, const char *code);
const char *demo_grouped(double number, char to[32]);
void demo_status_wipe(struct demo *demo);
void demo_status_show(struct demo *demo);
void demo_receiver_line(void *self, const char *line);

/* demo_ask.c: GETs `path` from the daemon's admin side; the caller frees answer->body. */
struct demo_answer {
    bool is_done;
    int code; /* 0: none came */
    char *body;
};
void demo_ask(struct demo *demo, const char *path, struct demo_answer *answer);
/* Asks for the counts, and now and then shows them. */
void demo_status_update(struct demo *demo);

/* demo_report.c: 0 when everything was found and nothing else, 1 when not, or -errno. */
int demo_report(struct demo *demo, struct error *err);
void demo_print_where_to_look(const struct demo *demo);
/* Says which part ended, and its last words. */
void demo_print_lost(struct demo *demo);

#endif
