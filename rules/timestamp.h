/*
 * timestamp.h - RFC 3339 text into milliseconds, for timestamp("...") in rules.
 */
#ifndef RULES_TIMESTAMP_H
#define RULES_TIMESTAMP_H

#include <stdint.h>
#include "base/event.h"

/* Returns NULL, or the reason why the text is no time. Fractions beyond
 * milliseconds are cut off.
 * Source: RFC 3339, section 5.6; days from the civil calendar after H. Hinnant. */
const char *timestamp_parse(struct text text, int64_t *ms);

#endif
