/*
 * diagnostics.h - errors in files that people write, with the place pointed at.
 *
 *   rules/storage.yaml:7:12: there is no field "chek"; did you mean "check"?
 *       where: chek.startsWith("disk.")
 *              ^~~~
 *
 * Errors are collected, so that one run shows several: up to DIAGNOSTICS_MAX of
 * them and as many as fit struct error; the rest is counted.
 *
 * Thread: one load, one thread.
 */
#ifndef RULES_DIAGNOSTICS_H
#define RULES_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { DIAGNOSTICS_MAX = 10 };

/* One file (or text from memory) under reading. Borrowed by everything that has
 * a span in it. */
struct script {
    const char *name;
    const char *text; /* UTF-8; bytes long, a zero byte behind it */
    size_t bytes;
};

/* A stretch of a script, in bytes. The end may equal the start: "here". */
struct span {
    const struct script *script;
    uint32_t from;
    uint32_t to;
};

/* Line and column of a byte, from 1; columns count characters. */
struct place {
    uint32_t line;
    uint32_t column;
};

struct pattern_memory;

/* Somebody who wants to know of every error, shown or not, as it is found. */
struct diagnostics_listener {
    void *self;
    void (*told)(void *self, struct span span, const char *sentence);
    /* Of who asks again and again, of less each time (rules/pattern_memory.h). NULL: nothing is
     * remembered. */
    struct pattern_memory *patterns;
};

struct diagnostics {
    struct error *err;                           /* may be NULL */
    const struct diagnostics_listener *listener; /* NULL: nobody; set after diagnostics_init() */
    unsigned count;                              /* errors so far, shown or not */
    unsigned shown;
    size_t used;
    bool full;          /* nothing more is shown */
    bool out_of_memory; /* then the load failed for that reason alone */
    bool is_past;       /* what is read was in force once: see diagnose_sense() */
};

void diagnostics_init(struct diagnostics *diag, struct error *err);

/* Adds one error. The format makes the sentence, without place and end of line. */
void diagnose(struct diagnostics *diag, struct span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of what can be gone by, and what nobody can mean: a condition that nothing can meet, a
 * variable without use. Such judgements grow with each version, and a set that was in force is gone
 * by as it was: of that nothing is added. Returns whether to go on. */
bool diagnose_sense(struct diagnostics *diag, struct span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* May the next error still be shown? Whoever looks through thousands of names for the one that was
 * meant asks before: a file may hold a hundred thousand mistakes. */
bool diagnostics_wants_hint(const struct diagnostics *diag);

/* Notes that memory ran out; further errors are not shown. Returns NULL, so that
 * an allocation can end in `return diagnose_memory(diag)`. */
void *diagnose_memory(struct diagnostics *diag);

/* True when nothing was wrong so far. */
bool diagnostics_clean(const struct diagnostics *diag);

/* Adds "... and n more errors" where not all were shown. Returns 0, -EINVAL or -ENOMEM. */
int diagnostics_finish(struct diagnostics *diag);

struct place script_place(const struct script *script, uint32_t at);

/* Diagnoses the first byte that cannot stand in such a file: one that is no UTF-8, or a control
 * character other than tab and line ends. True: there is none. */
bool script_is_text(const struct script *script, struct diagnostics *diag);

#endif
