/*
 * replay_range.h - what commands that run recorded events say about their input: files or topics,
 * from where to where, how fast.
 *
 *   FILE...                            recordings, small logs, JSON lines
 *   --brokers B --topic T --from F     topics of a Kafka
 *   --config FILE --from F             those of the configuration's input
 */
#ifndef DAEMON_REPLAY_RANGE_H
#define DAEMON_REPLAY_RANGE_H

#include "daemon/config.h"
#include "daemon/options.h"
#include "daemon/replay_input.h"
#include "daemon/rules_kept.h"
#include "daemon/silences_past.h"

struct replay_range {
    struct option_list topics;
    const char *brokers;
    struct option_list settings;
    const char *from, *to;
    const char
        *data_dir; /* of the daemon that read the topics: what was pushed is read as well; NULL */
};

/* Rows of a command's table whose struct has a struct replay_range at `where`. */
#define REPLAY_RANGE_ROWS(where)                                                                    \
    {"--brokers",                                                                                   \
     OPTION_BROKERS,                                                                                \
     (where) + offsetof(struct replay_range, brokers),                                              \
     "HOST:PORT,...",                                                                               \
     NULL,                                                                                          \
     "Reads topics of this Kafka instead of files; those of the configuration without it.",         \
     0,                                                                                             \
     0,                                                                                             \
     NULL},                                                                                         \
        {"--topic",                                                                                 \
         OPTION_LIST,                                                                               \
         (where) + offsetof(struct replay_range, topics),                                           \
         "NAME",                                                                                    \
         NULL,                                                                                      \
         "A topic to be read instead of those of the configuration; may be given again. With "      \
         "files of JSON lines: the topic whose partitions 0, 1, ... they stand for [events].",      \
         0,                                                                                         \
         0,                                                                                         \
         NULL},                                                                                     \
        {"--set",     OPTION_LIST, (where) + offsetof(struct replay_range, settings),               \
         "KEY=VALUE", NULL,        "A librdkafka property for the connection; may be given again.", \
         0,           0,           NULL},                                                           \
        {"--from",                                                                                  \
         OPTION_TEXT,                                                                               \
         (where) + offsetof(struct replay_range, from),                                             \
         "WHERE",                                                                                   \
         NULL,                                                                                      \
         "Begins each partition at its first record of this log time or later, or at offset:N; "    \
         "earliest is all.",                                                                        \
         0,                                                                                         \
         0,                                                                                         \
         NULL},                                                                                     \
    {                                                                                               \
        "--to", OPTION_TEXT, (where) + offsetof(struct replay_range, to), "WHERE", NULL,            \
            "Ends each partition before its first record of this log time or later, or before "     \
            "offset:N; latest is all that is there now. JSON lines, and recordings of topics "      \
            "without timestamps, have no log times: that of a record's first event stands for "     \
            "it.",                                                                                  \
            0, 0, NULL                                                                              \
    }

/* Of commands that take a data directory beside them, which goes with topics alone. */
#define REPLAY_DATA_ROW(where)                                                                     \
    {                                                                                              \
        "--data", OPTION_TEXT, (where) + offsetof(struct replay_range, data_dir), "DIR", NULL,     \
            "The data directory of the run that is read again: what was pushed and done to "       \
            "incidents is read beside the topics, and without --marks its marks are those of its " \
            "journal.",                                                                            \
            0, 0, NULL                                                                             \
    }

/* Files where there are any; else topics. `speed` is that of range_config; `like` is an input that
 * was opened in the same way and has not been read, whose range this one gets; NULL: none.
 * Owner:  the caller, until replay_input_close().
 * Returns an exit code, with a sentence. */
int replay_range_open(const struct replay_range *range, const struct option_list *files,
                      const struct config *config, uint32_t speed, const char *command,
                      const struct replay_input *like, struct replay_input **out,
                      struct error *err);

/* The silences that people made by hand in the run whose data directory is read, behind the rules,
 * which were read as *read; none without a directory. `note`: what they lack of them, a sentence,
 * or
 * "". */
void replay_range_add_silences(const struct replay_range *range, struct rule_set **rules,
                               struct rules_read *read, char note[SILENCES_NOTE_BYTES]);

/* A note where a stretch was asked for and `records`, what was read of it, is 0: an answer from
 * nothing may look like one from something. */
void replay_range_say_empty(const struct replay_range *range, uint64_t records, FILE *to);

/* A note where topics of the configuration are read without the directory of their daemon, which
 * has records of that time: these are not in the input. */
void replay_range_say_pushed(const struct replay_range *range, const struct option_list *files,
                             const struct config *config, FILE *to);

/* "1x", "10x", "0.5x" -> thousandths. 0, or -EINVAL with a sentence. */
int replay_range_speed(const char *text, uint32_t *speed, struct error *err);

#endif
