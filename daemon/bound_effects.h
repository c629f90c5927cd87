/*
 * bound_effects.h - what a bound or a time that a reload makes smaller takes from rules that carry
 * on: keys beyond `max_keys`, entries beyond `max_members`, alerts beyond `engine.alerts.max`,
 * alerts that `engine.expire` has over at once, and those that do not flap any more by
 * `engine.flap.*`.
 *
 * Thread: any; everything belongs to the caller.
 */
#ifndef DAEMON_BOUND_EFFECTS_H
#define DAEMON_BOUND_EFFECTS_H

#include <stdbool.h>
#include <stdint.h>

struct preview_row;
struct rules_preview;
struct rules_running;
struct rule_set;
struct running_rule;
struct terms_change;

/* The longest sentence, its end included. */
enum { BOUND_SENTENCE_BYTES = 700 };

/* Of a rule that carries on. */
void bound_effects_find(const struct running_rule *now, const struct running_rule *next,
                        struct preview_row *row);

/* The incidents of alerts that are open, and the alerts; rules are those that `set` has. */
void bound_effects_count(const struct rules_running *running, const struct rule_set *set,
                         struct rules_preview *preview);

/* False: nothing is taken. */
bool bound_sentence_of_row(const struct rules_preview *preview, const struct preview_row *row,
                           char sentence[BOUND_SENTENCE_BYTES]);
bool bound_sentence_of_terms(const struct rules_preview *preview, const struct terms_change *change,
                             char sentence[BOUND_SENTENCE_BYTES]);

/* May incidents of the rule close and open anew, because alerts that hold them are over, or because
 * it is told of one that flapped? */
bool bound_effects_reopen(const struct rules_preview *preview, const struct preview_row *row);

/* Is an incident of the rule that is open watched no more? */
bool bound_effects_give_up(const struct rules_preview *preview, const struct preview_row *row);

#endif
