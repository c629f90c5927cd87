/*
 * drain_words.h - what becomes of that which a form of a rule holds that is not in force (any
 * more), in a sentence (semantics X5): of its open incidents, and of the keys that only watch.
 *
 * Thread: any.
 */
#ifndef DAEMON_DRAIN_WORDS_H
#define DAEMON_DRAIN_WORDS_H

#include <stdbool.h>
#include "daemon/rules_preview.h"

/* May what watches open an incident with nothing new, when its time comes? By `for`, the end of a
 * window that is looked at then, a step that must not come. True where it is not known what the
 * form says. */
bool drain_fires(const struct shape *shape);

/* `row` drains or is gone. False: there is nothing to say about what it holds. */
bool drain_words(const struct rules_preview *preview, const struct preview_row *row,
                 char sentence[PREVIEW_SENTENCE_BYTES]);

#endif
