/* why_print.c - the answer as text for a person and as JSON. See why_parts.h. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/json_print.h"
#include "daemon/plain.h"
#include "daemon/why_parts.h"

enum { MEMBERS_SHOWN = 50 };

/* Widths of the first two columns: dates and places of a topic, or shorter names. */
static int time_column(const struct why *why)
{
    return why->question.names != NULL ? 8 : 24;
}

static int place_column(const struct why *why)
{
    return why->question.names != NULL ? 9 : 20;
}

/* --- text -------------------------------------------------------------------------------- */

static void print_line(FILE *to, const char *begin, const char *text)
{
    fputs(begin, to);
    plain_print(text, to);
    fputc('\n', to);
}

static void print_note(const struct why *why, const struct why_note *note, FILE *to)
{
    char time[WHY_TIME_BYTES], until[WHY_TIME_BYTES], place[WHY_PLACE_BYTES];

    if (note->place.topic != NULL)
        why_place_print(why, &note->place, place);
    else
        strcpy(place, note->is_by_hand                 ? "(by hand)"
                      : note->class == ORDER_ROUND_END ? "(round end)"
                                                       : "(timer)");
    plain_printf(to, "%-*s  %-*s  %s", time_column(why), why_time(why, note->at_ms, time),
                 place_column(why), place, note->text);
    if (note->count > 1)
        plain_printf(to, " (%" PRIu64 " of them, until %s%s%s)", note->count,
                     why_time(why, note->until_ms, until), note->until_state != NULL ? ": " : "",
                     note->until_state != NULL ? note->until_state : "");
    fputc('\n', to);
    if (note->tests != NULL && note->tests[0] != '\0') {
        plain_printf(to, "%*s%s", time_column(why) + 2 + place_column(why) + 4, "", note->tests);
        fputc('\n', to);
    }
}

static void print_notes(const struct why *why, const struct why_notes *notes, FILE *to)
{
    if (notes->dropped > 0 && notes->first_max == 0)
        fprintf(to, "... %" PRIu64 " earlier line%s left out\n", notes->dropped,
                notes->dropped == 1 ? " is" : "s are");
    for (size_t i = 0; i < notes->list.count; i++) {
        if (notes->dropped > 0 && notes->first_max > 0 && i == notes->first_max)
            fprintf(to, "... %" PRIu64 " line%s left out\n", notes->dropped,
                    notes->dropped == 1 ? " is" : "s are");
        print_note(why, &notes->list.at[i], to);
    }
}

static void print_members(const struct why *why, FILE *to)
{
    char place[WHY_PLACE_BYTES], time[WHY_TIME_BYTES];

    fprintf(to, "\nmembers: %" PRIu64 "%s\n", why->member_count + why->members_untold,
            why->member_count == 0 && why->latest->alert_count > 0
                ? ": it counts as one alert that what was due did not come"
                : "");
    for (uint32_t m = 0; m < why->member_count && m < MEMBERS_SHOWN; m++)
        for (size_t i = 0; i < why->alerts.count; i++) {
            const struct why_alert *alert = &why->alerts.at[i];
            if (!alert->is_member || alert->order != m)
                continue;
            plain_printf(to, "  %s", why_alert_name(alert));
            if (alert->place.topic != NULL)
                plain_printf(to, ", by %s at %s", why_place_print(why, &alert->place, place),
                             why_time(why, alert->at_ms, time));
            fprintf(to, "%s\n",
                    !alert->cleared  ? ""
                    : alert->expired ? ", expired before it opened"
                                     : ", cleared before it opened");
        }
    if (why->member_count + why->members_untold > MEMBERS_SHOWN)
        fprintf(to, "  ... %" PRIu64 " more\n",
                why->member_count + why->members_untold - MEMBERS_SHOWN);
}

void why_print_text(struct why *why, FILE *to)
{
    const struct incident *of = why->latest;
    char id[ID128_TEXT_BYTES];

    for (size_t i = 0; i < why->remarks.count; i++)
        print_line(to, "note: ", why->remarks.at[i]);
    if (of != NULL) {
        id128_format(of->id, id);
        plain_printf(to, "incident %s: %s", id, of->title);
        fputc('\n', to);
        plain_printf(to, "rule %s, key %s", of->rule_id, of->key);
        fputs("\n\n", to);
    }
    print_notes(why, &why->before, to);
    print_notes(why, &why->after, to);
    if (of != NULL)
        print_members(why, to);
    if (why->before.list.count + why->after.list.count > 0)
        fputc('\n', to);
    print_line(to, "", why->verdict);
}

void why_print_story(struct why *why, FILE *to)
{
    print_notes(why, &why->before, to);
    print_notes(why, &why->after, to);
    print_line(to, "", why->verdict);
}

/* --- JSON ---------------------------------------------------------------------------------------
 */

/* Takes `value`; text from outside may be cut in a character: it becomes what JSON can hold. */
static void put(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value != NULL ? value : json_string("?"));
}

static void put_time(json_t *object, const char *name, int64_t at_ms)
{
    put(object, name, json_integer(at_ms));
}

static json_t *place_json(const struct why *why, const struct why_place *place)
{
    char text[WHY_PLACE_BYTES];

    return json_string(why_place_print(why, place, text));
}

static json_t *id_json(struct id128 id)
{
    char text[ID128_TEXT_BYTES];

    id128_format(id, text);
    return json_string(text);
}

static json_t *note_json(const struct why *why, const struct why_note *note)
{
    json_t *object = json_object();

    put_time(object, "at", note->at_ms);
    put(object, "what", json_string(note->what));
    if (note->place.topic != NULL)
        put(object, "event", place_json(why, &note->place));
    if (note->count > 1) {
        put(object, "count", json_integer((json_int_t)note->count));
        put_time(object, "until", note->until_ms);
        if (note->until_state != NULL)
            put(object, "until_state", json_string(note->until_state));
    }
    if (note->rule != NULL)
        put(object, "rule", json_string(note->rule));
    if (note->has_incident)
        put(object, "incident", id_json(note->subject));
    for (size_t i = 0; i < why->alerts.count; i++)
        if (id128_equal(why->alerts.at[i].id, note->alert))
            put(object, "alert", json_string(why_alert_name(&why->alerts.at[i])));
    put(object, "text", json_string(note->text));
    if (note->tests != NULL)
        put(object, "tests", json_string(note->tests));
    return object;
}

static void put_notes(const struct why *why, const struct why_notes *notes, json_t *list)
{
    for (size_t i = 0; i < notes->list.count; i++)
        json_array_append_new(list, note_json(why, &notes->list.at[i]));
}

static json_t *member_json(const struct why *why, const struct why_alert *alert)
{
    json_t *object = json_object();

    put(object, "alert", json_string(why_alert_name(alert)));
    if (alert->place.topic != NULL) {
        put(object, "event", place_json(why, &alert->place));
        put_time(object, "at", alert->at_ms);
    }
    put(object, "cleared", json_boolean(alert->cleared));
    if (alert->cleared && alert->expired)
        put(object, "expired", json_true());
    return object;
}

static json_t *incident_json(const struct why *why)
{
    const struct incident *of = why->latest;
    json_t *object = json_object(), *members = json_array();

    put(object, "id", id_json(of->id));
    put(object, "rule", json_string(of->rule_id));
    put(object, "key", json_string(of->key));
    put(object, "title", json_string(of->title));
    put(object, "why", json_string(of->why));
    put_time(object, "opened", of->opened_ms);
    put(object, "closed", of->change == INCIDENT_CLOSED ? json_integer(of->at_ms) : json_null());
    for (uint32_t m = 0; m < why->member_count; m++)
        for (size_t i = 0; i < why->alerts.count; i++)
            if (why->alerts.at[i].is_member && why->alerts.at[i].order == m)
                json_array_append_new(members, member_json(why, &why->alerts.at[i]));
    put(object, "members", members);
    put(object, "members_untold", json_integer((json_int_t)why->members_untold));
    return object;
}

/* Of a key: when it came nearest, or how it stood. */
static json_t *moment_json(const struct why *why, const struct why_rule *of)
{
    bool is_empty = of->emptied_ms != INT64_MIN;
    json_t *object = json_object();

    put(object, "rule", json_string(of->rule->id));
    put_time(object, "at", is_empty ? of->emptied_ms : of->now.at_ms);
    put(object, "near", json_real(why_share(why, of)));
    put(object, "state", json_string(is_empty ? "" : of->now.state));
    if (!is_empty && of->now.ended_ms != INT64_MIN)
        put_time(object, "until", of->now.ended_ms);
    else if (!is_empty && of->now.next_ms != INT64_MAX)
        put_time(object, "until", of->now.next_ms);
    return object;
}

void why_print_json(struct why *why, FILE *to)
{
    static const char *const subjects[] = {
        [WHY_INCIDENT] = "incident", [WHY_EVENT] = "event", [WHY_KEY] = "key"};
    json_t *root = json_object(), *story = json_array(), *remarks = json_array();

    put(root, "asked", json_string(subjects[why->question.subject]));
    put(root, "found", json_boolean(why->found));
    put(root, "verdict", json_string(why->verdict));
    if (why->latest != NULL)
        put(root, "incident", incident_json(why));
    if (why->moment_of != NULL)
        put(root, "moment", moment_json(why, why->moment_of));
    put_notes(why, &why->before, story);
    put_notes(why, &why->after, story);
    put(root, "story", story);
    put(root, "left_out", json_integer((json_int_t)(why->before.dropped + why->after.dropped)));
    for (size_t i = 0; i < why->remarks.count; i++)
        json_array_append_new(remarks, json_string(why->remarks.at[i]));
    put(root, "notes", remarks);
    if (!json_print(root, JSON_COMPACT, to))
        fprintf(to, "{}\n");
}
