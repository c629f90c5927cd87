/*
 * history_query.h - what people ask the history: which incidents there were, and the story of one.
 *
 * Opens the file for reading alone, also while a daemon writes it; what is seen is committed, and
 * as of one moment for each question.
 *
 * Bounds:  rows by the filter, time by history_reader_deadline().
 * Thread:  one at a time for each reader.
 */
#ifndef STORE_HISTORY_QUERY_H
#define STORE_HISTORY_QUERY_H

#include "store/history.h"

struct history_reader;

/* Errors: as history_open(). Owner: the caller, until history_reader_close(). */
int history_reader_open(const char *path, struct id128 directory, struct history_reader **out,
                        enum history_refusal *why, struct error *err);
/* NULL is allowed. */
void history_reader_close(struct history_reader *reader);
void history_reader_state(const struct history_reader *reader, struct history_state *out);

/* Whether the file is whole as SQLite has it; and how many incidents there are. Errors: -EBADMSG
 * for one that is not, with a sentence; others. */
int history_reader_check(struct history_reader *reader, uint64_t *incidents, struct error *err);

/* Everything is given up then with -ETIMEDOUT; 0: never. */
void history_reader_deadline(struct history_reader *reader, uint64_t mono_ns);

/* An incident as it stood at its last change. Texts live until the next row. */
struct history_incident {
    struct id128 id;
    int64_t opened_ms, changed_ms, first_ts_ms;
    int64_t ended_ms; /* INT64_MIN: it is open */
    const char *tenant, *rule, *key, *severity, *priority, *title, *tier, *runbook, *team, *source,
        *resource, *check, *host, *muted_by;
    const char *acked_by; /* who acknowledged it last */
    const char *last;     /* cause of its last change */
    int64_t changes, events, alerts, open_alerts;
    int64_t told, owed, dead; /* notifications that are done, may still come, were given up */
    const char *tickets;      /* "pager INC12, desk 4711"; "" */
    int64_t lacking;          /* changes that the history has not, nor who was told of them */
};

struct history_change {
    int64_t number, at_ms;
    const char *change, *cause, *severity, *priority, *title, *why, *message, *muted_by;
    const char *by, *comment; /* of who made it, if a person did */
    int64_t events, alerts, open_alerts;
};

struct history_member {
    const char *source, *resource, *check, *dedup_key, *host, *severity;
    int64_t at_ms;
};

struct history_notification {
    int64_t change, number;
    const char *sink, *kind, *state, *reference, *label, *reason;
    int64_t at_ms; /* of the change */
    int64_t
        state_ms; /* when it became what it is, wall clock; the change's where it is just owed */
    int64_t retries;
    bool may_exist;
};

/* What is NULL or INT64_MIN is not asked for. */
struct history_filter {
    int64_t from_ms, to_ms; /* it was open at some time in between */
    const char *rule, *tenant;
    const char *key; /* stands in its key or title */
    bool open_only;
    uint32_t rows_max;
};

/* The newest first. `more` says whether the bound left some out. Errors: a negative errno. */
int history_list(struct history_reader *reader, const struct history_filter *filter,
                 void (*each)(void *self, const struct history_incident *incident), void *self,
                 bool *more, struct error *err);

/* Each rule of which an incident is remembered, by name. Errors: a negative errno. */
int history_rules(struct history_reader *reader, void (*each)(void *self, const char *rule),
                  void *self, struct error *err);

struct history_story {
    void *self;
    void (*incident)(void *self, const struct history_incident *incident);
    void (*change)(void *self, const struct history_change *change);
    void (*notification)(void *self, const struct history_notification *notification);
    void (*member)(void *self, const struct history_member *member);
};

/* One incident, by its id or the first digits of it: itself, then its changes, then who was told,
 * then its alerts, each in the order of happening, at most `rows_max` of each; `more` as above.
 * Errors: -ENOENT: there is none, -EEXIST: the digits fit several, -EINVAL: they are none; others.
 */
int history_tell(struct history_reader *reader, const char *digits, uint32_t rows_max,
                 const struct history_story *story, bool *more, struct error *err);

#endif
