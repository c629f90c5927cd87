/*
 * settings_text.h - the settings that show in results, as text: one a line, its key first.
 *
 * A data directory keeps it, so that a start goes by it for what was told before, and by the
 * configured one from then on (semantics X5). How what changed takes effect:
 *
 *   sinks                             from the end of what was told on
 *   topics, quotas, engine.past,      from the next record of each partition on, by marks
 *   .future and .behind               (MARK_INPUT)
 *   engine.expire, .flap, .alerts     with a switch, as another rule set does
 *   engine.round, a topic that was    never: the grid on which everything lies, and what a recovery
 *   read, the order of sinks          has to read and to tell again
 *   what decides how marks are made   is not listed: marks are kept, so it may change at any time
 *   alone (G)
 */
#ifndef DAEMON_SETTINGS_TEXT_H
#define DAEMON_SETTINGS_TEXT_H

#include "base/error.h"
#include "correlate/engine.h"

/* Owner: the caller, who frees it. */
char *settings_text(const struct engine_config *engine);

/* The same with other terms. Owner: the caller, who frees it. */
char *settings_text_with(const char *text, const struct engine_terms *terms);

struct settings_reader {
    void *self;
    bool (*has_read)(void *self, struct text topic); /* records of it, before */
};

enum settings_change { SETTINGS_EQUAL, SETTINGS_SWITCH, SETTINGS_FIXED };

/* FIXED: `what` says what may not change, then and now. */
enum settings_change settings_compare(const char *before, const char *now,
                                      const struct settings_reader *reader, struct error *what);

/* Each line that is not the same in both, as `then "...", now "..."`, one a line. Owner: the
 * caller, who frees it. */
char *settings_differences(const char *before, const char *now);

/* What the text says for stages D to I; `terms` keep what it does not say. */
void settings_terms(const char *text, struct engine_terms *terms);

/* How records are read by it; what it does not say is as in `now`. */
struct settings_inputs {
    struct engine_inputs inputs;
    struct topic_config *topics;
    struct quota_tenant *tenants;
    char *text; /* that they stand in */
};
void settings_inputs(const char *text, const struct engine_config *now,
                     struct settings_inputs *out);
void settings_inputs_release(struct settings_inputs *inputs);

/* Whether the topic has a line of its own, and whether both read it alike. */
bool settings_lists(const struct engine_inputs *inputs, const char *topic);
bool settings_read_alike(const struct engine_inputs *a, const struct engine_inputs *b,
                         const char *topic);

/* The least urgent priority that the sink takes, PRIORITY_NONE for all. */
enum { SETTINGS_NO_SINK = UINT8_MAX };
uint8_t settings_sink_priority(const char *text, const char *sink);

#endif
