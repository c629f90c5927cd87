/*
 * rule_form.h - the forms of rules: what a key does while it watches.
 *
 * A form is a row of functions, chosen by `rule->form`. To add one: a kind in
 * rules/rule_set.h (enum rule_form_kind), its reader in rules/rule_form_<name>.c, a file
 * correlate/watch_<name>.c with its row, and a line in correlate/rule_form.c. What a key of it
 * remembers lies in `key->body`, a block of the worker's slab that the form alone reads, for
 * as long as the key watches; the form frees it in release(). correlation_rule() is its rule.
 *
 * The caller has made up for all timers and round ends before the touch, and looks at due()
 * afterwards: forms keep no timers of their own.
 *
 * Ledger (L3): every touch handed over counts once, as correlated, expired, evicted or retired,
 * or is pending: what the key holds. A form says `pending` in the rule's tally when it keeps a
 * touch, and takes it back when it counts it as something else.
 *
 * Thread: a worker, for keys of its own lanes.
 */
#ifndef CORRELATE_RULE_FORM_H
#define CORRELATE_RULE_FORM_H

#include <stdbool.h>
#include <stdint.h>
#include "correlate/key.h"
#include "correlate/touch.h"

struct correlation;
struct image_in; /* correlate/image.h */
struct image_out;
struct opening;
struct text_buffer;

struct rule_form {
    /* RAISE, CHANGE or REPEAT of a key that watches. May open an incident. */
    void (*raise)(struct correlation *c, struct key_state *key, const struct touch *touch);
    /* CLEAR or EVICT of a key that watches. */
    void (*clear)(struct correlation *c, struct key_state *key, const struct touch *touch);
    /* When timer() is wanted while the key watches; INT64_MAX: never. */
    int64_t (*due)(const struct correlation *c, const struct key_state *key);
    /* The time has come; due() must be later afterwards. May open an incident, and may hand the key
     * over to the form in force. */
    void (*timer)(struct correlation *c, struct key_state *key, int64_t due_ms);
    /* True when a key that watches holds nothing: it leaves the table. */
    bool (*is_empty)(const struct correlation *c, const struct key_state *key);
    /* Touches that the key holds, for X4: they count evicted. */
    uint32_t (*pending)(const struct correlation *c, const struct key_state *key);
    /* Frees the body, which is not NULL. */
    void (*release)(const struct rule *rule, struct key_state *key, struct slab *slab);
    /* Puts key->body, which is not NULL, into an image; load() makes it from there. Where the image
     * is not one, what load() has made is NULL or good for release(). */
    void (*save)(const struct rule *rule, const struct key_state *key, struct image_out *out);
    void (*load)(struct correlation *c, const struct rule *rule, struct key_state *key,
                 struct image_in *in);
    /* NULL, or what a touch does to an open incident of this form instead of joining or leaving
     * it. False when the key left. */
    bool (*touch_open)(struct correlation *c, struct key_lane *lane, uint32_t number,
                       const struct touch *touch);
    /* NULL, or the form goes on after a close: its body is kept in open->body meanwhile, and this
     * is asked when it is the body again. False when the key leaves. */
    bool (*closed)(struct correlation *c, struct key_state *key, int64_t at_ms);
    /* How far a key that watches is, for who asks why (correlate/trace.h): "count() 4 of 5". NULL:
     * nothing is said. */
    void (*explain)(const struct correlation *c, const struct key_state *key,
                    struct text_buffer *to);
    /* The same as a number from 0, nothing, to 1, enough. NULL: 0. */
    double (*near)(const struct correlation *c, const struct key_state *key);
    /* What happens at due() when nothing comes before, and no incident opens then, told afterwards:
     * "the oldest left". NULL: it is only said that the key waited. */
    void (*waits)(const struct correlation *c, const struct key_state *key, struct text_buffer *to);
};

/* By enum rule_form_kind. */
extern const struct rule_form *const rule_forms[];

/* correlate/watch_<name>.c */
extern const struct rule_form watch_window, watch_sequence, watch_all, watch_expect, watch_baseline;

#endif
