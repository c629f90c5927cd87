/* drain_words.c - see drain_words.h. */
#include "daemon/drain_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "rules/rule_shape.h"

/* Steps that must not come, or may be among what was cut. */
static bool has_absent_steps(const char *steps)
{
    return strstr(steps, "not:") != NULL || strlen(steps) + 4 > RULE_SHAPE_TEXT_BYTES;
}

bool drain_fires(const struct shape *shape)
{
    for (uint32_t i = 0; shape->at != NULL && i < shape->count; i++) {
        const char *key = shape->at[i].key, *text = shape->at[i].text;
        if (strcmp(key, "for") == 0 || strcmp(key, "baseline") == 0 ||
            (strcmp(key, "look") == 0 && strcmp(text, "end") == 0) ||
            (strcmp(key, "sequence") == 0 && has_absent_steps(text)))
            return true;
    }
    return shape->at == NULL || shape->count == 0;
}

#define APART "with another `by`, or `expect` against none, keys cannot be compared"
#define LET_GO "a window is let go when something comes for its key, and the new form begins anew"

/* Of what has no open incident. */
static const char *watching_words(const struct preview_row *row, bool is_counted)
{
    static const char *const of_windows[] = {[DRAIN_KEEPS] = LET_GO,
                                             [DRAIN_BESIDE] =
                                                 "windows end beside those of the new form: " APART,
                                             [DRAIN_ALONE] = "windows get nothing new, and end"};
    static const char *const of_timed[] = {
        [DRAIN_KEEPS] = LET_GO "; until then it may still open an incident when its time comes",
        [DRAIN_BESIDE] = "windows end beside those of the new form, and may still open an incident "
                         "when their time comes: " APART,
        [DRAIN_ALONE] = "windows get nothing new, and may still open an incident, and page, when "
                        "their time comes"};
    static const char *const of_absences[] = {
        [DRAIN_KEEPS] = "who stays silent is missed by the new form, no sooner than by this one",
        [DRAIN_BESIDE] = "nobody is expected by this form any more",
        [DRAIN_ALONE] = "nobody is expected any more"};

    if (row->lists)
        return "the new form expects those in its list: whom this one waits for, by the new "
               "`every`, but no sooner than this one would; others a whole `every` after it takes "
               "effect; and nobody else";
    if (!row->expects && is_counted && row->keys == 0)
        return "it holds nothing";
    return row->expects ? of_absences[row->drain]
           : row->fires ? of_timed[row->drain]
                        : of_windows[row->drain];
}

/* Of what has one. */
static const char *incident_words(const struct preview_row *row)
{
    static const char *const of_windows[] = {
        [DRAIN_KEEPS] = "; the new form opens none for the same key before",
        [DRAIN_BESIDE] = "; the new form may open others beside: " APART,
        [DRAIN_ALONE] =
            "; no rule opens another for the same key after that, and the next event of an alert, "
            "a repeat too, takes it out there"};
#define UNHEARD                                                                                    \
    "; no sign of life ends one any more: it ends by `quiet` of its `close`, where that has it, "  \
    "or "                                                                                          \
    "by hand"
    static const char *const of_absences[] = {
        [DRAIN_KEEPS] = "; the new form opens none for the same key before",
        [DRAIN_BESIDE] = UNHEARD "; the new form may open others beside: " APART,
        [DRAIN_ALONE] = UNHEARD};

    if (row->relists)
        return "; the new form opens none for the same key before; one of a key that the new list "
               "does not name closes at once, cause unlisted";
    return row->expects ? of_absences[row->drain] : of_windows[row->drain];
}

bool drain_words(const struct rules_preview *preview, const struct preview_row *row,
                 char sentence[PREVIEW_SENTENCE_BYTES])
{
    char incidents[80] = "open incidents keep their keys until they close";
    const bool also_watches = !preview->is_counted || row->keys > row->open; /* or may */

    if (row->drain == DRAIN_UNKNOWN)
        return false;
    if (preview->is_counted && row->open == 1)
        snprintf(incidents, sizeof(incidents), "1 open incident keeps its key until it closes");
    else if (preview->is_counted)
        snprintf(incidents, sizeof(incidents),
                 "%" PRIu64 " open incidents keep their keys until they close", row->open);
    if (preview->is_counted && row->open == 0)
        snprintf(sentence, PREVIEW_SENTENCE_BYTES, "no incident is open: %s",
                 watching_words(row, preview->is_counted));
    else
        snprintf(sentence, PREVIEW_SENTENCE_BYTES, "%s%s%s%s", incidents, incident_words(row),
                 also_watches ? "; of the other keys " : "",
                 also_watches ? watching_words(row, preview->is_counted) : "");
    return true;
}
