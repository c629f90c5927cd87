/*
 * why_run.h - runs the input of a question as often as its answer needs (daemon/why.h), and prints
 * the answer.
 *
 * Thread: one.
 */
#ifndef DAEMON_WHY_RUN_H
#define DAEMON_WHY_RUN_H

#include "daemon/replay_range.h"
#include "daemon/why.h"

/* What a command says; filled by its table. */
struct why_run {
    struct option_list arguments; /* what is asked for, then files */
    const char *config;
    struct replay_range range;
    const char *marks;
    struct option_list rules;
    const char *rule;
    int64_t at_ms, since_ms, lines;
    bool is_json, quiet, progress;
    struct why_question question; /* rule, at_ms and notes_max are filled by why_run() */
};

/* Ten years: what lies before 1970 is no time. */
#define WHY_SINCE_MS_MAX ((int64_t)3650 * 86400 * 1000)

#define WHY_RUN_ROWS(where)                                                                        \
    {"--config",                                                                                   \
     OPTION_TEXT,                                                                                  \
     (where) + offsetof(struct why_run, config),                                                   \
     "FILE",                                                                                       \
     NULL,                                                                                         \
     "Configuration file: its engine, topics, rules and sink names count; nothing is sent.",       \
     0,                                                                                            \
     0,                                                                                            \
     NULL},                                                                                        \
        {"--rules",                                                                                \
         OPTION_LIST,                                                                              \
         (where) + offsetof(struct why_run, rules),                                                \
         "FILE",                                                                                   \
         NULL,                                                                                     \
         "Rule file, folder or shipped pack instead of those of the configuration; may be given "  \
         "again.",                                                                                 \
         0,                                                                                        \
         0,                                                                                        \
         NULL},                                                                                    \
        REPLAY_RANGE_ROWS((where) + offsetof(struct why_run, range)),                              \
        {"--since",                                                                                \
         OPTION_DURATION,                                                                          \
         (where) + offsetof(struct why_run, since_ms),                                             \
         "TIME",                                                                                   \
         NULL,                                                                                     \
         "Of topics: how far back the answer looks [1h]; reading begins as much earlier as "       \
         "windows and alerts last.",                                                               \
         1,                                                                                        \
         WHY_SINCE_MS_MAX,                                                                         \
         NULL},                                                                                    \
        {"--marks",                                                                                \
         OPTION_TEXT,                                                                              \
         (where) + offsetof(struct why_run, marks),                                                \
         "FILE",                                                                                   \
         NULL,                                                                                     \
         "What the clock decided in the run that is asked about; without it the marks.path of "    \
         "the "                                                                                    \
         "configuration where topics are read.",                                                   \
         0,                                                                                        \
         0,                                                                                        \
         NULL},                                                                                    \
        {"--lines",                                                                                \
         OPTION_COUNT,                                                                             \
         (where) + offsetof(struct why_run, lines),                                                \
         "N",                                                                                      \
         "200",                                                                                    \
         "Lines of the story that are kept; of a longer one the middle goes.",                     \
         8,                                                                                        \
         100000,                                                                                   \
         NULL},                                                                                    \
        {"--json", OPTION_FLAG, (where) + offsetof(struct why_run, is_json),                       \
         NULL,     NULL,        "The answer is one JSON object.",                                  \
         0,        0,           NULL},                                                             \
        {"--quiet", OPTION_FLAG, (where) + offsetof(struct why_run, quiet),                        \
         NULL,      NULL,        "No progress on a terminal.",                                     \
         0,         0,           NULL},                                                            \
    {                                                                                              \
        "--progress", OPTION_FLAG, (where) + offsetof(struct why_run, progress), NULL, NULL,       \
            "Says on standard error how far it has come, also where that is no terminal.", 0, 0,   \
            NULL                                                                                   \
    }

/* Returns an exit code: EXIT_OK when what was asked for was found, EXIT_CHANGED when not, others
 * with a sentence. */
int why_run(struct why_run *run, const char *command, struct error *err);

#endif
