/*
 * where_check.h - a condition on events by itself, for whoever makes conditions: can it be true?
 */
#ifndef RULES_WHERE_CHECK_H
#define RULES_WHERE_CHECK_H

#include <stdbool.h>
#include "base/event.h"

/* False when no event can make it true, as far as rules/impossible.h knows. Parts of it may be
 * impossible for all that. What is no condition is not found here: true.
 * Thread: any. */
bool where_can_be_true(struct text where);

#endif
