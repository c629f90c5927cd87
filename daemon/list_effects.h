/*
 * list_effects.h - what another list of keys (`keys` of `expect`) does to a rule that carries on:
 * who is listed no more is not waited for, and an open incident of such a key closes; who is new is
 * waited for from then on (correlate/listed_keys.h).
 *
 * Of a set its lists are kept up to LISTS_BYTES_MAX. A rule whose list has no room, or whose daemon
 * is of before and tells none, is compared without numbers.
 *
 * Thread: any; everything belongs to the caller.
 */
#ifndef DAEMON_LIST_EFFECTS_H
#define DAEMON_LIST_EFFECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "base/arena.h"
#include "base/event.h"

struct preview_row;
struct rule;
struct rules_preview;
struct running_rule;

enum { LISTS_BYTES_MAX = 4 << 20, LIST_NAME_BYTES = 112, LIST_SENTENCE_BYTES = 700 };

/* Rows of `width` values, the tenant first; NULL: the rule lists none, or which is not known. */
struct key_list {
    const struct text *values;
    uint32_t count, width;
};

/* What a new list does; of a rule whose list stays it is all zero. */
struct list_effect {
    bool is_other; /* it is another one */
    bool is_known; /* what follows is */
    uint32_t before, dropped, added;
    char first_dropped[LIST_NAME_BYTES], first_added[LIST_NAME_BYTES]; /* "": none */
};

/* Copies the list of a rule; *room is what may still be kept, in bytes. False: memory is short. */
bool list_keep(const struct rule *rule, struct arena *arena, size_t *room, struct key_list *out);

/* [["default","nas"],...], NULL where none is known. New reference. */
json_t *list_json(const struct key_list *list);

/* What list_json() made, and NULL. What is no list of keys is not known. False: memory is short. */
bool list_read(const json_t *from, struct arena *arena, struct key_list *out);

/* Does the rule list keys, as far as is known? NULL: there is none. */
bool list_is_of(const struct running_rule *rule);

/* Of a rule that carries on. False: memory is short. */
bool list_effect_find(const struct running_rule *now, const struct running_rule *next,
                      struct list_effect *out);

/* False: nothing is to be said. */
bool list_sentence(const struct rules_preview *preview, const struct preview_row *row,
                   char sentence[LIST_SENTENCE_BYTES]);

/* May an open incident close because its key is listed no more? Also one of a form that drains. */
bool list_effect_closes(const struct rules_preview *preview, const struct preview_row *row);

#endif
