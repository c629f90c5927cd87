/*
 * rule_set.h - rule files in, one immutable compiled rule set out.
 *
 *   YAML text -> (libfyaml) -> typed tree -> checked -> struct rule_set
 *
 * A set is built beside the running one and lives in one arena; the hot path
 * only reads it. Rules are ordered by id, bytewise: `index` is that order.
 *
 * Thread: load and destroy by one thread; everything that takes a const set may
 *         be called by any number of threads at once.
 */
#ifndef RULES_RULE_SET_H
#define RULES_RULE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"
#include "base/incident.h"
#include "rules/pattern_set.h"

struct diagnostics_listener; /* rules/diagnostics.h */
struct rule_set;

enum {
    RULE_AGGREGATES_MAX = 8,
    RULE_BY_MAX = 8,
    RULE_QUIET_MAX = 4,
    RULE_STEPS_MAX = 8,
    RULE_FEWER_MAX = 4,
    RULE_LAST_MAX = 2,
    RULE_OF_MAX = 100
};

enum rule_input {
    RULE_INPUT_ALERTS,    /* `on: alerts`: what deduplication lets through (the default) */
    RULE_INPUT_EVENTS,    /* `on: events`: every problem event, repeats too */
    RULE_INPUT_FLAPPING,  /* `on: flapping`: alerts that begin to flap, until they end */
    RULE_INPUT_ALL,       /* of `expect`: every event, clears and what is folded away too */
    RULE_INPUT_INCIDENTS, /* `on: incidents`: what happens to incidents of the rules in `of` */
};

/* What a key of the rule does while it watches (correlate/rule_form.h). */
enum rule_form_kind { FORM_WINDOW, FORM_SEQUENCE, FORM_ALL, FORM_EXPECT, FORM_BASELINE };

/* What a rule with a window looks at. */
enum window_kind {
    WINDOW_SLIDING,  /* the last window_ms */
    WINDOW_TUMBLING, /* one stretch of window_ms after the other, from 1970 on */
    WINDOW_SESSION,  /* until nothing came for window_ms, or for session_max_ms altogether */
    WINDOW_OPEN,     /* alerts that are open now */
};

enum aggregate_kind {
    AGGREGATE_COUNT,
    AGGREGATE_DISTINCT,
    /* From here on over a number of each entry, and a real number themselves. */
    AGGREGATE_SUM,
    AGGREGATE_AVG,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_STDDEV,
    AGGREGATE_QUANTILE,
    AGGREGATE_RATE,
    AGGREGATE_FIRST,
    AGGREGATE_LAST,
    AGGREGATE_DEVIATION, /* of another aggregate, from what is usual: FORM_BASELINE alone */
};

static inline bool aggregate_is_real(enum aggregate_kind kind)
{
    return kind >= AGGREGATE_SUM;
}

struct rule_aggregate {
    enum aggregate_kind kind;
    const char *text; /* as written, "distinct(check)" */
    uint8_t argument; /* which of the rule's numbers it looks at; of a deviation: which one it is */
    uint8_t of;       /* of a deviation: the aggregate that deviates */
    bool is_named;    /* by `when` itself, and not only by a deviation */
    double share;     /* of a quantile: 0.95 */
    /* The count that decides `when`: the largest constant it is compared with, plus 1
     * unless by >= or <; at most max_members. The window never needs to hold more
     * entries than this to decide (it may hold more to explain). */
    int64_t limit;
};

/* What may change while the rule carries on over a reload: all that is not in its form. */
enum rule_setting_kind {
    SETTING_TITLE,
    SETTING_PRIORITY,
    SETTING_TIER,
    SETTING_TEAM,
    SETTING_RUNBOOK,
    SETTING_CLOSE,
    SETTING_SEVERITY, /* of `expect` */
    SETTING_KEYS,     /* of `expect`, those that are listed */
    SETTING_STEPS,    /* names of steps */
    SETTING_WHEN,     /* of a rule with a baseline */
    SETTING_MAX_KEYS,
    SETTING_MAX_MEMBERS,
    SETTING_COUNT
};

/* The key of the rule file. */
const char *rule_setting_name(enum rule_setting_kind kind);

struct rule_setting {
    const char *text;    /* as written, with defaults; NULL where the rule has no such thing */
    struct id128 digest; /* of what it means: variables may change it and not the text */
};

/* A key that makes a rule's form, or what a mute or an enrich step does, as written
 * (rules/rule_shape.h). */
struct rule_shape {
    const char *key, *text;
    struct id128 means; /* digest of what it comes to, with all that it names; zero: not known */
};

/* One step of a sequence, or one condition of `all`. */
struct rule_step {
    const char *name; /* `as`, or "step 2" */
    bool is_negated;  /* `not`: must not come between the steps around it */
};

/* The open part of a rule: what the correlation needs besides the programs. */
struct rule {
    uint32_t index; /* in the set, by id */
    const char *id;
    enum rule_input input;
    enum rule_form_kind form_kind;
    uint32_t of_count; /* of RULE_INPUT_INCIDENTS: rules that it is made of */
    bool is_named;     /* some rule is made of it */
    enum window_kind window_kind;
    int64_t window_ms;
    int64_t session_max_ms;
    int64_t hold_ms; /* `when` has to be true for so long without a break; 0: at once */
    /* Up to here and from here on a cache line: what is looked at for every touch. */
    bool looks_at_end; /* `when` is looked at when the window ends, not when it gains an entry */
    uint8_t argument_count; /* different numbers that the aggregates look at */
    bool has_distinct;      /* among the aggregates */
    bool keeps_values;      /* one distinct, and but for count() nothing else, is among them */
    uint8_t entry_words;    /* what a window's entry keeps for them (correlate/window.h) */
    uint32_t by_count;
    uint32_t aggregate_count;
    uint32_t max_members; /* window entries and open alerts per key [1000] */
    uint32_t max_keys;    /* [100000] */
    uint32_t step_count;  /* FORM_SEQUENCE and FORM_ALL; window_ms is `within` */
    struct rule_aggregate aggregate[RULE_AGGREGATES_MAX];
    const char *by_name[RULE_BY_MAX]; /* as written: "tenant", "host", "labels.rack" */
    struct rule_step step[RULE_STEPS_MAX];
    bool is_strict;           /* `contiguity: strict`: nothing of the key may come between */
    bool keeps_later;         /* `skip: to_next`: chains that began later live on */
    bool ends_by_absence;     /* the last step is a `not`: the timer opens */
    int64_t every_ms;         /* FORM_EXPECT: an event is due this long after the last */
    uint8_t silence_severity; /* and how bad it is when none comes */
    /* The keys that are watched, where they are listed: rows of by_count values, in order. */
    uint32_t listed_count;
    const struct text *listed;
    struct id128 listed_digest;
    /* FORM_BASELINE: what deviation() goes by (correlate/baseline.h) */
    int64_t season_ms;                /* a multiple of window_ms */
    int64_t forget_ms;                /* a key of which nothing came for so long is forgotten */
    uint32_t learn_count;             /* seasons without which nothing is unusual */
    uint8_t deviation_count;          /* different ones among the aggregates */
    uint32_t quiet_count;             /* the distinct durations inside quiet(...) of `close` */
    int64_t quiet_ms[RULE_QUIET_MAX]; /* ascending */
    uint8_t fewer_count;              /* the fewer(touches, ms) inside `close` */
    struct rule_fewer {
        uint32_t touches;
        int64_t ms;
    } fewer[RULE_FEWER_MAX];
    uint32_t fewer_touches_max;
    uint8_t last_count; /* the last(x) inside `close` */
    uint8_t priority;   /* enum priority */
    const char *tier;   /* "" where not given */
    const char *runbook;
    const char *team;
    /* Equal forms carry their state over a reload: hash of input, where, by, window, when, as
     * rules/meaning.h reads them; of a baseline, what `when` computes, so that thresholds may
     * change. */
    struct id128 form;
    /* Equal ones: keys of such forms of one rule can be compared, hash of `by` and whether it is of
     * absence: the silence of a host and its noise are two things. */
    struct id128 key_kind;
    struct rule_setting setting[SETTING_COUNT];
    const struct rule_shape *shape;
    uint32_t shape_count;
    const char *dropped_by; /* an enrich step that drops all its events; NULL: none is known */
    bool reads_message;     /* `where` reads message, value or time: never cached per alert */
};

_Static_assert(offsetof(struct rule, looks_at_end) == 64, "the first line is full");

/* One event as rules see it. */
struct event_view {
    const struct event_text *text;
    uint8_t severity;
    uint8_t state;
    int64_t et_ms;
};

/* Loads the files (or, for a folder, every *.yaml in it but *.test.yaml, by name) as one set;
 * refused whole.
 * Owner:  the caller, until rule_set_destroy().
 * Errors: -EINVAL or the errno of reading, with one or more lines "file:line:column: sentence" plus
 *         the source line and a caret in *err. */
int rule_set_load(const char *const *paths, size_t path_count, struct rule_set **out,
                  struct error *err);

/* The same of files that were in force once: what this version finds to make no sense
 * (diagnose_sense()) was taken by the one that read them, and is gone by as it was. */
int rule_set_load_past(const char *const *paths, size_t path_count, struct rule_set **out,
                       struct error *err);

/* The same from memory; `name` stands for the file in messages. */
int rule_set_parse(const char *name, const char *text, size_t bytes, struct rule_set **out,
                   struct error *err);

/* Whether it would be taken: the same sentences, and no set. What takes most of the time is left
 * out, without a listener all that is known of patterns together: they are read, but nothing is
 * built of them. A listener is told of every error, and the answer is then that of
 * rule_set_parse(). */
int rule_set_check(const char *name, const char *text, size_t bytes,
                   const struct diagnostics_listener *listener, struct error *err);
void rule_set_destroy(struct rule_set *set);

/* A *.yml of a folder that was read, which is no rule file but may be meant as one; NULL: there is
 * none. */
const char *rule_set_passed_over(const struct rule_set *set);

uint32_t rule_set_count(const struct rule_set *set);
const struct rule *rule_set_rule(const struct rule_set *set, uint32_t index);
/* Hash of the whole set, names and programs: the same text gives the same. */
struct id128 rule_set_hash(const struct rule_set *set);
/* True when any rule reads message, value or time in `where`, or an enrich step that drops nothing
 * (rules/enrich.h) anywhere. */
bool rule_set_reads_message(const struct rule_set *set);
/* True when any rule has the input. */
bool rule_set_takes(const struct rule_set *set, enum rule_input input);

/* Indexes of the rules whose `where` is true for the event, ascending, up to
 * `max` (a set never matches more than rule_set_count()). No allocation.
 * An evaluation error in `where` (say, a missing label compared) is "no match". */
size_t rule_set_match(const struct rule_set *set, const struct event_view *view, uint32_t *out,
                      size_t max);

/* What that takes at most of an event whose texts have so many bytes, in ns: an estimate, the same
 * on each machine, for who asks without need. */
uint64_t rule_set_match_ns(const struct rule_set *set, uint32_t text_bytes);

/* The severities that incidents of the rule can have, a bit each; more than those where its `where`
 * does not tell. */
uint8_t rule_set_severities(const struct rule_set *set, uint32_t index);

/* The value of by_name[by] in every incident of the rule; false: there may be several, or its
 * `where` does not tell. */
bool rule_set_fixes(const struct rule_set *set, uint32_t index, uint32_t by, struct text *value);

/* Is the rule's `where` evaluated for every event (that its severities let through), because
 * nothing in it can be looked up? */
bool rule_set_is_unguarded(const struct rule_set *set, uint32_t index);

/* The values of `by` for this event, in order; absent ones are empty text.
 * `tenant` is always by_name[0], whether written or not. */
void rule_by_values(const struct rule *rule, const struct event_view *view,
                    struct text value[RULE_BY_MAX]);

/* The label under which the i-th value of `by` stands in an event about an incident of the rule.
 * False for tenant, source, resource and check, which are fields there. */
bool rule_by_label(const struct rule *rule, uint32_t i, struct text *name);

/* The text over which aggregate `i` (a distinct) counts different values. */
struct text rule_aggregate_value(const struct rule *rule, uint32_t i, const struct event_view *view,
                                 char scratch[32]);

/* The steps whose condition holds for the event, a bit each. */
uint32_t rule_steps(const struct rule *rule, const struct event_view *view);

/* The number `i` of the rule's aggregates for this event; NaN when it has none. */
double rule_argument(const struct rule *rule, uint32_t i, const struct event_view *view);

/* Values of aggregates are whole numbers, or the bits of real ones (NaN: none). */
static inline int64_t aggregate_of_real(double real)
{
    union {
        double real;
        int64_t bits;
    } value = {real};
    return value.bits;
}

static inline double aggregate_to_real(int64_t value)
{
    union {
        int64_t bits;
        double real;
    } bits = {value};
    return bits.real;
}

/* Fetches what a touch looks at in the rule; the second, when that has come, what `when` is. */
void rule_prefetch(const struct rule *rule);
void rule_prefetch_when(const struct rule *rule);

/* `when` over the aggregates' present values. */
bool rule_when(const struct rule *rule, const int64_t value[RULE_AGGREGATES_MAX]);

/* An event that has the values of `by` and nothing else: what an incident that a timer opened has
 * for one. Its label `host` is empty where `by` does not name that. `label` is room for its labels;
 * the draft points into `value`. */
void rule_by_draft(const struct rule *rule, const struct text *value,
                   struct event_label label[RULE_BY_MAX], struct event_draft *out);

/* What `close` looks at. */
struct rule_closing {
    int64_t quiet_ms; /* since the last touch or the end of its last alert; 0: one is open */
    bool cleared;     /* no alert is open */
    bool fewer[RULE_FEWER_MAX];
    const double *last; /* RULE_LAST_MAX of them; NaN: none yet */
};

bool rule_close_holds(const struct rule *rule, const struct rule_closing *closing);

/* The number `i` of `last` in `close` for this event; NaN when it has none. */
double rule_last(const struct rule *rule, uint32_t i, const struct event_view *view);

/* The same without fewer() and last(). `close`: `quiet_ms` as in struct rule_closing, `cleared`
 * when no alert is open. */
bool rule_close(const struct rule *rule, int64_t quiet_ms, bool cleared);

/* Renders the title for an opening: {by-field}, {count()}, {distinct(x)}, and
 * fields of the opening event. Cut at `bytes` on a character border, always
 * terminated. `view` is the opening event; `value` the aggregates then. */
void rule_title(const struct rule *rule, const struct event_view *view,
                const int64_t value[RULE_AGGREGATES_MAX], char *to, size_t bytes);

/* The first field of the title that is always empty, as no event opens an incident of the rule and
 * `by` does not name it; NULL: there is none. The set's. */
const char *rule_title_empty(const struct rule *rule);

#endif
