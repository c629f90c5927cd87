/*
 * why_parts.h - what the files of the answer to "why" share; nobody else includes it.
 *
 *   why_question.c what is asked for, and whether a rule knows such a key
 *   why.c          passes, and what is found in the first
 *   why_watch.c    the second pass: events, and what deduplication and `where` made of them
 *   why_enrich.c   what enrich steps did to events
 *   why_keys.c     the keys of rules, and their incidents
 *   why_moment.c   how near a key came to firing
 *   why_forms.c    which form of a rule a key stands in
 *   why_listed.c   keys of which no event came, that rules list, or do not
 *   why_told.c     who is told of the incidents
 *   why_notes.c    notes, kept within a bound
 *   why_words.c    decisions in words
 *   why_verdict.c  the sentence at the end, why_verdict_event.c, why_verdict_key.c
 *   why_print.c    the answer as text and as JSON
 */
#ifndef DAEMON_WHY_PARTS_H
#define DAEMON_WHY_PARTS_H

#include "base/vector.h"
#include "correlate/trace.h"
#include "daemon/why.h"
#include "rules/explain.h"

/* The place of an event; `topic` NULL: no event. */
struct why_place {
    const char *topic; /* kept by the answer */
    int32_t partition;
    int64_t offset;
    uint32_t sub;
};

enum why_stage { STAGE_INGEST, STAGE_DEDUP, STAGE_RULES, STAGE_INCIDENT, STAGE_SINKS };

/* One line of the story. */
struct why_note {
    int64_t at_ms, until_ms; /* of the first and the last that it stands for */
    uint64_t count;
    uint64_t number; /* order of arrival */
    uint8_t class;   /* enum order_class */
    uint8_t stage;   /* enum why_stage */
    struct why_place place;
    const char *what;     /* a word of docs/explaining.md: "repeat" */
    const char *rule;     /* NULL: of no rule */
    struct id128 alert;   /* zero: of no alert */
    bool is_held;         /* "counted": it is a problem that the key holds, */
    int64_t own_ms[2];    /* of these own times, from and to */
    struct id128 subject; /* incident or key; zero: none */
    bool has_incident;    /* `subject` is one */
    bool is_by_hand;      /* nothing but a person did it */
    char *text;
    char *tests;       /* why a `where` holds or not; NULL: not told */
    bool is_repeat;    /* a repeat that a key counts */
    bool is_beat;      /* a sign of life */
    char *until_state; /* how far the key was at the last that it stands for; NULL: not told */
};

/* The first `first_max` stay, of the others the newest `last_max`. */
struct why_notes {
    size_t first_max, last_max;
    size_t first_count;
    VECTOR_OF(struct why_note) list;
    size_t next; /* of the ring behind the first ones */
    uint64_t dropped;
};

/* What one enrich step did to an event: a line to be. */
struct why_deed {
    const char *step; /* kept by the answer */
    char *text;       /* owned */
};

/* An alert that is spoken of. */
struct why_alert {
    struct id128 id;
    char *name;
    struct why_place place; /* of the event by which it became a member, or was counted last */
    int64_t at_ms;
    bool is_member; /* of the incident that is asked for */
    bool cleared;   /* and was cleared when that opened, */
    bool expired;   /* or was over by then, as nothing more had come for it */
    uint32_t order; /* of joining */
};

/* A key of a rule as it watched. */
struct why_moment {
    struct id128 key;
    int64_t at_ms, next_ms;
    double near;
    char state[300];
    char waits[160];  /* what the key's timer did at next_ms, when nothing had come before */
    int64_t ended_ms; /* when something came that ended it; INT64_MIN: nothing */
    char ended[400];
    /* Another form of the rule had the key since it ended, and opened this with the alert that is
     * asked for; INT64_MIN: it did not. */
    struct id128 heir_id;
    int64_t heir_ms;
    /* The first incident of the key since then, and the first time that it went at the bound;
     * INT64_MIN: none. */
    struct id128 opened_id;
    int64_t opened_ms, evicted_ms;
};

/* How a rule got on with what is asked for. */
struct why_rule {
    const struct rule *rule;
    uint64_t failed; /* events for which `where` is false */
    struct explained_cause {
        bool is_set;
        int64_t at_ms;
        struct why_place place; /* of a key's event */
        char text[600];
    } cause; /* of the last of them */
    uint64_t repeats, flapping;
    uint64_t reached;  /* events that it was told of */
    uint64_t unheard;  /* events for which `where` is true, of a kind that it is not told of */
    uint64_t unlisted; /* signs of life of the key that is asked for, which it does not list */
    /* Of a rule that lists its keys: whether the one that is asked for was looked for, in vain. */
    bool has_looked, is_not_listed;
    bool has_ended; /* the event that is asked for ended its alert: `where` holds no more */
    double share;   /* of the tests of `where` that held, for the event that passed most */
    bool watched;
    struct why_moment now; /* the nearest that it came; with --at: how it stood */
    /* Of a rule that fires when its time is over (`for`, look: end, expect): the nearest before
     * `now`, which of them came nearer is known at its end. */
    struct why_moment best;
    double best_share;  /* below 0: there is none */
    int64_t emptied_ms; /* with --at: since when nothing stands; INT64_MIN: something does */
    char vain[1000];    /* why the event that is asked for is held by no key; "": it is held */
    bool opened;        /* what is asked for opened an incident, or joined one */
    bool by_joining;
    bool by_closing; /* it joined, and its number closed the incident */
    bool has_closed; /* the event that is asked for closed `left`, and is not in it */
    struct id128 left;
    struct id128 made;         /* that the event which is asked for opened itself; zero: none */
    int64_t since_ms;          /* when `incident` opened; INT64_MIN: not told */
    bool as_member;            /* it opened by another, with this one among its members */
    int64_t own_ms, newest_ms; /* own times of the alert's problem that counts, and of its change */
    struct id128 incident;
    struct id128 opened_id;        /* the newest incident of the key */
    int64_t opened_ms, closed_ms;  /* INT64_MIN: has not */
    struct id128 expired_incident; /* its newest that an alert's expiry closed; zero: none */
};

/* What muted an incident, from a change of it on. */
struct why_mute {
    struct id128 incident;
    char by[300];
    int64_t from_ms;
    bool was_told;    /* before that, */
    bool at_close;    /* which told its end all the same */
    int64_t until_ms; /* INT64_MIN: to its end, or that of the input */
};

/* A rule's key that is watched in the second pass. */
struct why_key {
    struct id128 key;
    bool of_event; /* a touch of the event that is asked for went there */
    /* After its newest touch, while it watches; state "": it held nothing then. */
    int64_t next_ms;
    double near;
    char state[300];
    /* The newest chain of steps that something ended, before its time; "": none. */
    char was[300], ended[400];
    int64_t ended_ms, was_next_ms;
};

/* A rule of flapping alerts was told of one. */
struct why_flapped {
    struct id128 alert;
    struct id128 key;
};

enum { WHY_PARTS_MAX = 4 };

struct why_part {
    const char *topic;
    int32_t partition;
};

struct why {
    struct why_question question;
    const struct rule *wider[3]; /* not asked, and said to have counted what is asked for */
    uint32_t wider_count;
    char *key; /* the one that is asked for, its names in a rule's order; NULL: as it was given */
    struct rule_set **sets; /* in force one after the other */
    size_t set_count;
    const struct engine_terms *terms; /* of each; NULL: those of the configuration */
    const struct rule_set *rules;     /* the newest of them */
    const struct engine_config *config;
    struct engine_listener listener;
    struct engine_trace trace;
    unsigned pass; /* 1, 2 */
    uint64_t number;
    bool is_done;
    int64_t passed_ms; /* everything before has come */

    VECTOR_OF(char *) words; /* topics and texts that live as long as the answer */
    VECTOR_OF(char *) remarks;

    /* found in the first pass */
    bool found;
    size_t incident_count;                  /* with the digits that were given */
    VECTOR_OF(struct incident *) incidents; /* the first few of them, as they opened */
    VECTOR_OF(struct why_key) keys;
    struct id128 alert; /* of the event */
    bool has_alert;
    struct why_place place;
    int64_t event_ms;                     /* its effective time */
    char *rejected;                       /* the reason, in a sentence */
    uint32_t events;                      /* of the record that is asked for */
    int64_t low, high;                    /* offsets that its partition showed; high < low: none */
    struct why_part parts[WHY_PARTS_MAX]; /* others that the input has, the first by name */
    size_t part_count;
    bool has_more_parts;
    uint64_t key_events;    /* that have the key */
    uint64_t key_dropped;   /* and that an enrich step dropped */
    const char *dropped_by; /* the last of them, or the event that is asked for */
    struct why_place key_dropped_at, key_next_at; /* the last of them; the first that is too late */
    int64_t key_dropped_ms, key_next_ms;
    int64_t first_ms; /* of a key: the earliest event of the input; INT64_MAX: it has none */

    /* Rules of flapping alerts are told of one before the event that is asked for comes: the newest
     * of what they were told, until that event tells which alert matters. */
    VECTOR_OF(struct why_flapped) flapped;
    size_t flapped_next; /* of the ring that it becomes */
    bool of_flapping;    /* the incident that is asked for is of such a rule */

    /* the story */
    struct why_notes before, after;
    bool is_after; /* notes go there */
    /* Deduplication is ahead of the rules: what it told of the time after an opening that is still
     * to come. */
    struct why_notes ahead;
    VECTOR_OF(struct id128)
    joined;            /* alerts of the incident that is asked for, the first of them */
    int64_t closed_ms; /* of the incident that is asked for; INT64_MAX: it stays open */
    VECTOR_OF(struct why_alert) alerts;
    uint32_t member_count;
    uint64_t members_untold;         /* beyond the bound */
    VECTOR_OF(struct id128) watched; /* incidents */
    VECTOR_OF(struct why_mute) mutes;
    VECTOR_OF(struct id128) told; /* watched incidents that somebody was told of */
    struct incident *latest;      /* the incident that is asked for, as it was last */
    VECTOR_OF(struct trace_member) opening;
    /* Alerts that expired, the newest of them: deduplication is ahead of the rules. */
    VECTOR_OF(struct why_expired {
        struct id128 alert;
        int64_t at_ms;
    })
    expired;
    size_t expired_next;              /* of the ring that it becomes */
    struct explanation explanation;   /* scratch */
    VECTOR_OF(struct why_deed) deeds; /* of the event `deeds_of` */
    struct why_place deeds_of;

    /* of the event: what stopped it */
    bool decided;
    struct trace_decision decision; /* without what was borrowed */
    bool asked_clear, asked_of_incident;
    bool touched;
    bool names_check; /* some rule does not fail at the event's check alone */
    char check[128];
    uint64_t repeat; /* of the alert, so far; its words are those of the opener */
    struct why_place opener;
    int64_t opener_ms;
    uint64_t asked_repeat; /* the same when the event came */
    struct why_place asked_opener;
    int64_t asked_opener_ms;

    VECTOR_OF(struct why_rule) per_rule;
    const struct why_rule
        *moment_of; /* of a key: the rule whose moment the verdict tells; NULL: none */
    char verdict[1600];
};

/* --- why_notes.c ------------------------------------------------------------------------- */

void why_notes_init(struct why_notes *notes, size_t first_max, size_t last_max);
void why_notes_release(struct why_notes *notes);

/* Takes the note's texts. */
void why_notes_add(struct why_notes *notes, const struct why_note *note);

/* The `what` of a line of what an enrich step did, and of one of a `where` that did not hold. */
extern const char why_word_enriched[];
extern const char why_word_failed[];

/* The newest note of this alert among the last few, but for those two and signs of life; NULL:
 * none. */
struct why_note *why_notes_last_of(struct why_notes *notes, struct id128 alert);
/* That of what kept this rule from matching, or of a sign of life that it was told of. */
struct why_note *why_notes_last_aside(struct why_notes *notes, struct id128 alert,
                                      const char *rule);
/* That of what an enrich step did, with this text. */
struct why_note *why_notes_last_deed(struct why_notes *notes, struct id128 alert, const char *text);

/* Drops what lies before `from_ms`, uncounted. */
void why_notes_cut(struct why_notes *notes, int64_t from_ms);

/* In the order in which things happened. */
void why_notes_sort(struct why_notes *notes);

/* Moves what is in `from` to the end of `to`. */
void why_notes_move(struct why_notes *from, struct why_notes *to);

/* Both are sorted; what is in `before` and comes after the first of `after` moves there. */
void why_notes_settle(struct why_notes *before, struct why_notes *after);

/* --- why.c ------------------------------------------------------------------------------- */

/* Does the rule count by the names of such a key? The tenant may be left out. */
bool why_names_fit(const struct rule *rule, const char *asked);

/* A key of names in another order than a rule's becomes that rule's, which has the most names.
 * *owned, NULL or of a former call, is the text that question->key then is: the caller frees it. */
void why_order_key(struct why_question *question, const struct rule *const *rules, size_t count,
                   char **owned);

/* Is there the rule that is asked for, and one that has such a key? `newest` is the set that
 * mistakes are told of. Errors: false, with a sentence in *err. */
bool why_check_rules(const struct why_question *question, const struct rule *const *rules,
                     size_t count, const struct rule_set *newest, struct error *err);

/* Remarks which rules have a name of the key among others, and so were not asked. */
void why_remark_wider(struct why *why);

/* Whether a key of a rule that is not asked has the values that are asked for, beside others. */
bool why_key_is_wider(const struct rule *rule, const struct text *values, const char *asked);

/* A copy that lives as long as the answer; the same text gives the same copy for topics. */
const char *why_topic(struct why *why, const char *topic);
char *why_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* That were in force then. */
struct engine_terms why_terms_at(const struct why *why, int64_t at_ms);
/* When a reload made another form of the rule, or took it out; the same. */
int64_t why_former_since(const struct why *why, const struct rule *rule, int64_t at_ms);
/* When a reload took the rule out; INT64_MIN: the set in force then has it, or none before had. */
int64_t why_gone_since(const struct why *why, const char *rule_id, int64_t at_ms);
bool why_asks_rule(const struct why *why, const struct rule *rule);
struct why_rule *why_rule_of(struct why *why, const struct rule *rule);

/* Made if it is new; `text` NULL: its name is not known yet. NULL: there are too many. */
struct why_alert *why_alert_of(struct why *why, struct id128 id, const struct event_text *text);

static inline const char *why_alert_name(const struct why_alert *alert)
{
    return alert != NULL && alert->name != NULL ? alert->name : "an alert";
}

/* True when the key of a rule, by its values, is the one that is asked for. */
bool why_key_is(const struct rule *rule, const struct text *values, const char *asked);

/* --- why_watch.c --------------------------------------------------------------------------------
 */

extern const struct engine_trace why_watch_trace;

/* Where a line of that time goes. */
struct why_notes *why_list_for(struct why *why, int64_t at_ms);
/* Takes the note's texts; numbers it. */
void why_note(struct why *why, struct why_note note);
/* The same of what keeps a rule from matching, and of a sign of life: if the one before it says the
 * same of the alert, that stands for it too. */
void why_note_once(struct why *why, struct why_note note);
/* What is folded without a word: the note before it, if it says the same of the alert, stands for
 * it too. */
bool why_fold(struct why *why, const char *what, struct id128 alert, int64_t at_ms);

/* Behind the time that is asked about. */
bool why_is_too_late(const struct why *why, int64_t at_ms);
struct why_place why_place_of(struct why *why, const char *topic, int32_t partition,
                              const struct order *order);
bool why_is_asked_event(const struct why *why, const struct why_place *place);
bool why_watches_incident(const struct why *why, struct id128 id);
/* The incident that is asked for. */
bool why_is_it(const struct why *why, struct id128 id);

/* why->explanation says why `where` did not hold. */
void why_note_failure(struct why *why, const struct rule *rule, int64_t at_ms);

/* --- why_enrich.c ------------------------------------------------------------------------ */

void why_watch_enriched(void *self, const struct trace_deed *deed);

/* Makes lines of what steps did to the event, if that is the last they did. */
void why_note_deeds(struct why *why, const struct event *ev, const struct why_place *place);
void why_deeds_clear(struct why *why);

/* --- why_keys.c -------------------------------------------------------------------------- */

/* NULL: it is not watched. */
struct why_key *why_watched_key(const struct why *why, struct id128 key);

/* Is the touch before what the key's timer does at `due_ms`? Of that very time are the ends of
 * alerts by a timer or at a round's end, and no events (docs/correlation.md, section 3). */
bool why_comes_before(const struct touch *touch, int64_t due_ms);

void why_watch_touched(void *self, const struct trace_touch *touch);
void why_watch_member(void *self, const struct trace_member *member);
void why_watch_changed(void *self, const struct trace_change *change);
void why_watch_lost(void *self, const struct trace_key *key);

/* --- why_moment.c ------------------------------------------------------------------------ */

void why_watch_turned(void *self, const struct trace_turn *turn);

/* The question is of a key at one time. */
bool why_asks_how_it_stood(const struct why *why);

/* What the touch says of its key. */
void why_take_state(struct why_rule *of, const struct trace_touch *touch);

/* A problem that the key holds: the nearest of them stays. */
void why_note_moment(struct why *why, struct why_rule *of, const struct trace_touch *touch);

/* A sign of life has closed the key's incident, and it is waited for the next. */
void why_note_after(struct why *why, const struct trace_touch *touch);

/* What may end the moment: an incident of the key opened, the key went at the bound. */
void why_moment_opened(struct why_rule *of, struct id128 key, const struct incident *incident);
void why_moment_evicted(struct why_rule *of, const struct trace_key *key);

/* How the key stands after the touch, whatever that was. */
void why_note_standing(struct why_rule *of, const struct trace_touch *touch);

/* Of what each rule came to the nearest, once all has come. */
void why_settle_moments(struct why *why);

/* The part of the threshold that `now` has reached, with what it waits for: from 0 to 1. */
double why_share(const struct why *why, const struct why_rule *of);

/* --- why_forms.c ------------------------------------------------------------------------- */

/* The touch's form holds the key: what another form of the rule had counted there is let go. */
void why_forms_touched(struct why *why, const struct trace_touch *touch);
/* An incident opens by a form to which another has let go of the alert that is asked for. */
void why_forms_opened(struct why *why, const struct trace_change *change);
/* Other forms of the rule have no part in how the key stands. */
void why_forms_leave(struct why *why, const struct rule *rule, struct id128 key);
/* A key that stands in another form goes over to the turn's. */
void why_forms_turned(struct why *why, const struct trace_turn *turn);
/* With --at: absences that a former form waited for are told by the form in force then. */
void why_settle_forms(struct why *why);

/* --- why_listed.c ------------------------------------------------------------------------ */

/* The rule in force at the time that is asked about whose expect.keys lists the key that is asked
 * for; NULL: none does. *other, the first that lists others of its kind; NULL: none does. */
const struct rule *why_listed_by(const struct why *why, const struct rule **other);

/* The rule of that id at the end of what counts; NULL: there is none. */
const struct rule *why_rule_at_end(const struct why *why, const char *rule_id);
/* That, where it lists the key that is asked for; NULL: it does not. */
const struct rule *why_lists_still(const struct why *why, const struct rule *rule);
/* A rule that lists its keys lists these values. */
bool why_lists(const struct rule *rule, const struct text *values);
/* Whether a rule had an incident of the key that is asked for. */
bool why_key_opened(const struct why *why);

/* --- why_told.c -------------------------------------------------------------------------- */

void why_watch_incident(void *self, struct incident *incident);
bool why_watch_op(void *self, const struct op *op);

/* --- why_words.c ------------------------------------------------------------------------- */

/* 2026-02-01T10:00:00.250Z, or as the question's names have it. */
const char *why_time(const struct why *why, int64_t ms, char to[WHY_TIME_BYTES]);
const char *why_place_print(const struct why *why, const struct why_place *place,
                            char to[WHY_PLACE_BYTES]);

/* Takes a character that was cut in its middle off the end. */
void why_words_mend(char *text);

/* All owned by the caller. */
char *why_words_alert(const struct event_text *text);
char *why_words_received(const struct why *why, const struct trace_receipt *receipt);
char *why_words_decided(const struct why *why, const struct trace_decision *decision,
                        const char *alert);
/* `expire_ms`: the alert's, which was over then; 0: it was not that which made the touch. */
char *why_words_touched(const struct trace_touch *touch, const char *alert, int64_t expire_ms);
/* What an event of @derived was made of. */
char *why_words_made(const struct event *ev);
char *why_words_tests(const struct explanation *explanation);
char *why_words_change(const struct incident *incident);

/* --- why_verdict.c (why_say.h) ----------------------------------------------------------- */

void why_judge(struct why *why);

#endif
