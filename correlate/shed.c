/* shed.c - see shed.h. */
#include "correlate/shed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/mark.h"
#include "base/text.h"
#include "correlate/core.h"
#include "correlate/derived.h"
#include "correlate/in_place.h"

enum { RESOURCE_BYTES = 300 };

/* --- words ------------------------------------------------------------------------------------ */

/* "t/0 is 5m behind: events of severity below warning are left out, but for clears" */
static void put_what(struct text_buffer *to, const struct part *part, const char *is)
{
    char of[RESOURCE_BYTES];

    snprintf(of, sizeof(of), "%s/%" PRId32, part->name, part->number);
    text_put_string(to, of);
    text_put_string(to, is);
    text_put_duration(to, part->shed.behind_ms);
    text_put_string(to, " behind: events of severity below ");
    text_put_string(to, severity_name((enum severity)part->shed.below));
    text_put_string(to, " are left out, but for clears");
}

/* Said of each event that is left out, so it is made once. */
static void why_make(struct part *part)
{
    struct text_buffer why;

    if (part->shed.below == SEVERITY_OK)
        return;
    text_begin(&why);
    text_put_string(&why, "it was shed: ");
    put_what(&why, part, " was ");
    size_t bytes = text_cut(why.at, why.used, sizeof(part->shed_why) - 1);
    memcpy(part->shed_why, why.at, bytes);
    part->shed_why[bytes] = '\0';
    text_end(&why);
}

static void put_end(struct text_buffer *to, const char *of, uint64_t count)
{
    text_put_string(to, of);
    text_put_string(to, " is read in full again: ");
    text_put_number(to, (int64_t)count);
    text_put_string(to, count == 1 ? " event was left out" : " events were left out");
}

static void alert_put(struct worker *worker, struct part *part, const struct in_place *place,
                      bool is_over)
{
    char of[RESOURCE_BYTES];
    struct text_buffer message;
    struct event_draft draft = {.severity = SEVERITY_MAJOR,
                                .state = is_over ? EVENT_CLEAR : EVENT_PROBLEM,
                                .has_value = true,
                                .value = (double)part->shed.count};

    snprintf(of, sizeof(of), "%s/%" PRId32, part->name, part->number);
    text_begin(&message);
    if (is_over)
        put_end(&message, of, part->shed.count);
    else
        put_what(&message, part, " is ");
    derived_draft_fill(&draft, of, SHED_CHECK, message.at);
    in_place_put(worker, part, place, &draft);
    text_end(&message);
}

/* --- what holds ------------------------------------------------------------------------------- */

static void end_if_untold(struct shed *shed)
{
    if (!shed_is_on(shed))
        *shed = (struct shed){.below = SEVERITY_OK};
}

void shed_turn(struct part *part, int64_t value)
{
    if (part->shed.below == SEVERITY_OK && mark_shed_below(value) != SEVERITY_OK)
        tally_add(&part->shed_spells, 1);
    part->shed.below = (uint8_t)mark_shed_below(value);
    part->shed.behind_ms = mark_shed_behind(value);
    end_if_untold(&part->shed);
    why_make(part);
    in_place_note_limits(part);
    /* relaxed: a report. */
    atomic_store_explicit(&part->shed_below, part->shed.below, memory_order_relaxed);
}

/* --- an event --------------------------------------------------------------------------------- */

bool shed_admits(struct worker *worker, struct part *part, const struct in_place *place,
                 const struct event_draft *draft)
{
    struct shed *shed = &part->shed;

    if ((uint8_t)draft->severity >= shed->below || draft->state == EVENT_CLEAR)
        return true;
    shed->count++;
    in_place_reject(worker, part, place, part->shed_why);
    tally_add(&part->shed_events, 1);
    if (shed->is_told && place->et_ms - shed->told_ms < SHED_REMIND_MS)
        return false;
    shed->is_told = true;
    shed->told_ms = place->et_ms;
    alert_put(worker, part, place, false);
    return false;
}

void shed_tell_end(struct worker *worker, struct part *part, const struct in_place *place)
{
    struct in_place behind = *place;

    behind.sub = IN_PLACE_SHED;
    alert_put(worker, part, &behind, true);
    part->shed.is_told = false;
    end_if_untold(&part->shed);
    in_place_note_limits(part);
}

/* --- kept ------------------------------------------------------------------------------------- */

void shed_save(const struct shed *shed, struct image_out *out)
{
    image_put_u32(out, shed_is_on(shed));
    if (!shed_is_on(shed))
        return;
    image_put_u32(out, shed->below);
    image_put_i64(out, shed->behind_ms);
    image_put_u64(out, shed->count);
    image_put_u32(out, shed->is_told);
    image_put_i64(out, shed->told_ms);
}

void shed_load(struct part *part, struct image_in *in)
{
    struct shed *shed = &part->shed;

    if (!image_take_flag(in))
        return;
    shed->below = (uint8_t)image_take_below(in, SEVERITY_COUNT, "events of no severity are shed");
    shed->behind_ms = image_take_time(in);
    shed->count = image_take_u64(in);
    shed->is_told = image_take_flag(in);
    shed->told_ms = image_take_time(in);
    if (!shed_is_on(shed) || shed->behind_ms < 0)
        image_fail(in, "a partition sheds what cannot be");
    why_make(part);
    atomic_store_explicit(&part->shed_below, shed->below, memory_order_relaxed);
}
