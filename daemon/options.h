/*
 * options.h - the one reader of command lines; each command brings a table.
 *
 *   static const struct option_row rows[] = {
 *       {"--workers", OPTION_COUNT, offsetof(struct replay, workers), "N", "1",
 *        "Number of engine threads.", .min = 1, .max = 64},
 *       {"--json", OPTION_FLAG, offsetof(struct replay, json), NULL, NULL, "..."},
 *   };
 *   static const struct option_table table = {"replay", "[options] FILE...", "What it does.",
 *                                             rows, OPTION_ROWS(rows), 1, 64};
 *   ...
 *   if (!options_read(&table, argc, argv, &replay, &exit_code))
 *       return exit_code;
 *
 * `--name value` and `--name=value` mean the same; `--` ends options; a lone `-`
 * is an argument (standard input). `--help` and `-h` belong to every table.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum option_kind {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char *, borrowed from argv */
    OPTION_COUNT,    /* int64_t */
    OPTION_DURATION, /* int64_t, milliseconds */
    OPTION_SIZE,     /* int64_t, bytes */
    OPTION_TIME,     /* int64_t, milliseconds since 1970 */
    OPTION_CHOICE,   /* int64_t: index into `choices` */
    OPTION_BROKERS,  /* const char *, borrowed from argv: daemon/brokers.h */
    OPTION_LIST,     /* struct option_list: the option may be given again */
};

enum { OPTION_LIST_MAX = 64 };

struct option_list {
    const char *item[OPTION_LIST_MAX]; /* borrowed from argv */
    size_t count;
};

struct option_row {
    const char *name; /* "--workers" */
    enum option_kind kind;
    size_t offset;        /* of the value in the command's struct */
    const char *value;    /* what the help calls the value: "N"; NULL for flags */
    const char *fallback; /* default as text; NULL: left as it is */
    const char *help;     /* one sentence */
    int64_t min, max;     /* of counts, durations, sizes; max 0: no upper bound but int64 */
    const char *choices;  /* "text json": of OPTION_CHOICE */
};

#define OPTION_ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

struct option_table {
    const char *command; /* "replay" */
    const char *usage;   /* "[options] FILE..." */
    const char *about;   /* a paragraph for --help */
    const struct option_row *rows;
    size_t row_count;
    size_t arguments_min, arguments_max; /* beside options; the list comes first in the struct: */
    size_t arguments_offset;             /* of a struct option_list, used when arguments_max > 0 */
    const char *exits;                   /* "0 64 66 70": the exit codes that the help explains */
};

/* Fills the defaults, then what argv says. True: go on. False: leave with
 * *exit_code, help (0) or a sentence (EXIT_USAGE) has been printed. */
bool options_read(const struct option_table *table, int argc, char **argv, void *to,
                  int *exit_code);

/* The same without printing: 0, -EINVAL with a sentence, or 1 when help is asked for. */
int options_parse(const struct option_table *table, int argc, char **argv, void *to,
                  struct error *err);

void options_print_help(const struct option_table *table);

/* What an exit code means; NULL for codes that no command uses. */
const char *exit_code_meaning(int code);

#endif
