/*
 * history_support.h - for tests of the history: a writer with what it said, the file held against
 * one that is made anew, and what is in it as lines.
 */
#ifndef TESTS_HISTORY_SUPPORT_H
#define TESTS_HISTORY_SUPPORT_H

#include <stdatomic.h>
#include "store/history_files.h"
#include "store/history_query.h"
#include "store/history_writer.h"
#include "store/journal_recall.h"
#include "tests/history_world.h"

static const struct history_limits no_limits = {0, 0};

/* ---- a writer, and what it said ---- */

static char said[4][ERROR_TEXT_BYTES]; /* by enum history_news: the last sentence */
static _Atomic int news_count[4];

static inline void on_news(void *self, enum history_news news, const char *sentence)
{
    (void)self;
    snprintf(said[news], sizeof(said[news]), "%s", sentence);
    atomic_fetch_add(&news_count[news], 1);
}

/* With what is open where the journal is durable; NULL: nobody says so. */
static inline struct history_writer *writer_knowing(uint64_t durable, struct history_limits limits,
                                                    const struct journal_summary *open)
{
    const struct history_writer_config config = {.path = HISTORY_PATH,
                                                 .journal = &history_journal,
                                                 .limits = limits,
                                                 .retry_ms = 100,
                                                 .news = on_news,
                                                 .open = open != NULL ? open->open : NULL,
                                                 .open_count = open != NULL ? open->open_count : 0,
                                                 .knows_open = open != NULL && open->knows_open,
                                                 .open_ms = open != NULL ? open->to_ms : 0};
    struct history_writer *writer;
    struct error err = {""};

    memset(said, 0, sizeof(said));
    for (int i = 0; i < 4; i++)
        atomic_store(&news_count[i], 0);
    if (history_writer_create(&config, durable, &writer, &err) != 0)
        fail_msg("%s", err.text);
    return writer;
}

static inline struct history_writer *writer_of(uint64_t durable, struct history_limits limits)
{
    return writer_knowing(durable, limits, NULL);
}

#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        time_t end_ = time(NULL) + WAIT_S;                                                         \
        while (!(condition)) {                                                                     \
            if (time(NULL) > end_)                                                                 \
                fail_msg("waited in vain for %s", #condition);                                     \
            short_rest();                                                                          \
        }                                                                                          \
    } while (0)

static inline struct history_writer_counters counters_of(const struct history_writer *writer)
{
    struct history_writer_counters counters;

    history_writer_counters(writer, &counters);
    return counters;
}

/* The journal lets go of whole segments before the frame. */
static inline void give_up_before(uint64_t frame)
{
    struct error err = {""};

    if (segment_log_release_before(history_log, frame, &err) != 0)
        fail_msg("%s", err.text);
}

/* Writes all that is durable, and ends. */
static inline void write_all(struct history_limits limits)
{
    history_writer_destroy(writer_of(history_frame, limits), WAIT_S * 1000000000ull);
}

static inline void rebuild(struct history_limits limits, struct history_rebuilt *out)
{
    struct error err = {""};

    if (history_rebuild(HISTORY_PATH, &history_journal, &limits, out, &err) != 0)
        fail_msg("%s", err.text);
}

/* The file as it is, and as it is when it is made anew, are the same. */
static inline void assert_as_made_anew(struct history_limits limits)
{
    struct history_rebuilt rebuilt;
    char *live = rows_of_file(HISTORY_PATH), *anew;

    rebuild(limits, &rebuilt);
    anew = rows_of_file(HISTORY_PATH);
    assert_string_equal(live, anew);
    free(live);
    free(anew);
}

/* ---- what is in it, as lines ---- */

static inline void put_incident(void *to, const struct history_incident *inc)
{
    char ended[32] = "open";

    if (inc->ended_ms != INT64_MIN)
        snprintf(ended, sizeof(ended), "%" PRId64, inc->ended_ms);
    fprintf(
        to,
        "%016" PRIx64 "%016" PRIx64 " opened %" PRId64 " ended %s rule %s tenant %s key %s "
        "%s %s \"%s\" team %s %" PRId64 " changes %" PRId64 " events %" PRId64 " alerts %" PRId64
        " open, told %" PRId64 " owed %" PRId64 " dead %" PRId64 " tickets %s last %s\n",
        inc->id.hi, inc->id.lo, inc->opened_ms, ended, inc->rule, inc->tenant, inc->key,
        inc->severity, inc->priority, inc->title, inc->team, inc->changes, inc->events, inc->alerts,
        inc->open_alerts, inc->told, inc->owed, inc->dead, inc->tickets, inc->last);
}

static inline void put_change(void *to, const struct history_change *change)
{
    fprintf(to, "%" PRId64 " at %" PRId64 " %s %s \"%s\" %s\n", change->number, change->at_ms,
            change->change, change->cause, change->title, change->why);
}

static inline void put_told(void *to, const struct history_notification *told)
{
    fprintf(to,
            "%" PRId64 " %s %s at %" PRId64 ": %s at %" PRId64 " %s %s %" PRId64 " retries %s\n",
            told->change, told->sink, told->kind, told->at_ms, told->state, told->state_ms,
            told->label, told->reference, told->retries, told->reason);
}

static inline void put_member(void *to, const struct history_member *member)
{
    fprintf(to, "%s of %s %s %s %s on %s at %" PRId64 "\n", member->severity, member->source,
            member->resource, member->check, member->dedup_key, member->host, member->at_ms);
}

#endif
