/*
 * history_json.h - what the history says as JSON: for `tocsin history` and for the admin server.
 *
 * Bounds:  rows and texts, as below.
 * Thread:  that of the reader.
 */
#ifndef DAEMON_HISTORY_JSON_H
#define DAEMON_HISTORY_JSON_H

#include <jansson.h>
#include "store/history_query.h"

enum { HISTORY_LIST_MAX = 100000, HISTORY_STORY_MAX = 10000, HISTORY_TEXT_MAX = 16384 };

/* {"incidents":[...],"more":false,"as_of":"..."}, the newest first. `as_of_ms`: how far the daemon
 * that writes it is, if it is further than the file says; INT64_MIN: nobody knows.
 * Owner: *out is a new reference. Errors: as history_list(); -ENOMEM. */
int history_list_json(struct history_reader *reader, const struct history_filter *filter,
                      int64_t as_of_ms, json_t **out, struct error *err);

/* One incident with "timeline": its changes, each with what was "told" of it to whom, and with
 * "members": those of its alerts whose words are known. The same. */
int history_story_json(struct history_reader *reader, const char *digits, uint32_t rows_max,
                       int64_t as_of_ms, json_t **out, struct error *err);

#endif
