/*
 * dedup_enrich.c - events as rules see them: the steps of the set in force are run
 * (rules/enrich.h).
 *
 * An event that rules have to see is run through all steps once, and what comes of it is an event
 * like any other, with other words and severity; fingerprint and attributes stay those of the event
 * as it was sent. A repeat that nobody is told of is not run at all, save up to the last step that
 * drops: that has to be known of every event.
 *
 * Changed words leave the room for a block of the slab, where touches can point at them: it is
 * buried with the step, or given back at once where no touch was made.
 */
#include "correlate/dedup_parts.h"

#include <string.h>

static void tell_deed(void *self, const struct enrich_deed *deed)
{
    const struct dedup *d = self;
    const struct part *part = d->worker->engine->parts[d->enriching.sent->part];
    const struct trace_deed told = {
        .event = d->enriching.sent, .topic = part->name, .partition = part->number, .deed = deed};

    d->trace->enriched(d->trace->self, &told);
}

/* Runs the steps before number `until` that the event has not been run through; the event before is
 * done with. */
static const struct enrich_step *run(struct dedup *d, const struct event *ev, uint32_t until)
{
    struct dedup_enriching *it = &d->enriching;

    if (it->sent != ev) {
        dedup_enriched(d);
        const struct event_view view = {
            .text = ev->text, .severity = ev->severity, .state = ev->state, .et_ms = ev->et_ms};
        it->sent = ev;
        it->made = NULL;
        it->touches = d->touches;
        enrich_start(&it->run, d->rules->enrich, d->worker->enrich, &view);
        if (d->trace != NULL && d->trace->enriched != NULL) {
            it->listener = (struct enrich_listener){d, tell_deed};
            it->run.listener = &it->listener;
        }
    }
    return enrich_run(&it->run, until, rules_version_tally(d->rules, d->worker->index));
}

const struct enrich_step *dedup_drops(struct dedup *d, const struct event *ev)
{
    if ((ev->flags & EVENT_DERIVED) != 0)
        return NULL;
    return run(d, ev, d->rules->drop_reach);
}

const struct event *dedup_enrich(struct dedup *d, const struct event *ev)
{
    struct dedup_enriching *it = &d->enriching;

    if ((ev->flags & EVENT_DERIVED) != 0 || ev == &it->seen)
        return ev;
    run(d, ev, enrich_count(d->rules->enrich));
    it->seen = *ev;
    it->seen.severity = it->run.view.severity;
    if (it->run.is_changed) {
        it->made = slab_alloc(&d->worker->slab, it->run.view.text->bytes);
        memcpy(it->made, it->run.view.text, it->run.view.text->bytes);
        it->seen.text = it->made;
    }
    return &it->seen;
}

void dedup_enriched(struct dedup *d)
{
    struct dedup_enriching *it = &d->enriching;

    if (it->sent == NULL)
        return;
    d->enrich_errors += it->run.errors;
    if (it->made != NULL && d->touches > it->touches)
        worker_bury(d->worker, d->seq, it->made, it->made->bytes);
    else if (it->made != NULL)
        slab_free(&d->worker->slab, it->made, it->made->bytes);
    it->sent = NULL;
}
