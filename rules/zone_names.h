/*
 * zone_names.h - which time zone was meant by a name that is none.
 *
 *   zurich, europe/zurich, Europe/Zuerich --> Europe/Zurich
 *
 * Thread: any. It looks through the folders of the system's tz database, some 600 names.
 */
#ifndef RULES_ZONE_NAMES_H
#define RULES_ZONE_NAMES_H

#include "base/error.h"
#include "base/event.h"

/* Adds `; did you mean "Europe/Zurich"?` to a sentence of zone_load(), if a zone is near. */
void zone_hint(struct text name, struct error *err);

#endif
