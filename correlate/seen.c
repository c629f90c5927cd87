/* seen.c - see seen.h. */
#include "correlate/seen.h"

#include <stdlib.h>
#include <string.h>
#include "correlate/image.h"

struct seen *seen_make(struct correlation *c, const struct key_state *key,
                       const struct touch *touch, uint32_t number, bool is_counted)
{
    struct seen *seen = slab_alloc(&c->worker->slab, sizeof(*seen));
    struct event_text *words = slab_alloc(&c->worker->slab, touch->text->bytes);

    memcpy(words, touch->text, touch->text->bytes);
    *seen = (struct seen){.at_ms = touch->order.at_ms,
                          .alert = touch->alert,
                          .words = words,
                          .number = number,
                          .holders = 1,
                          .severity = touch->severity,
                          .is_counted = is_counted};
    if (!is_counted)
        correlation_hold(c, key, 1);
    return seen;
}

void seen_forget(struct seen *seen, struct slab *slab)
{
    if (--seen->holders > 0)
        return;
    slab_free(slab, seen->words, seen->words->bytes);
    slab_free(slab, seen, sizeof(*seen));
}

void seen_let_go(struct correlation *c, const struct key_state *key, struct seen *seen,
                 uint64_t *as)
{
    if (seen->holders == 1 && !seen->is_counted) {
        ++*as;
        correlation_hold(c, key, UINT64_MAX);
        if (as == &c->expired)
            tally_add(&correlation_tally(c, key)->expired, 1);
    }
    seen_forget(seen, &c->worker->slab);
}

static int by_number(const void *a, const void *b)
{
    const struct seen *const *x = a, *const *y = b;

    return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

void seen_correlate(struct correlation *c, const struct key_state *key, struct open_incident *open,
                    struct seen **seen, uint32_t count)
{
    qsort(seen, count, sizeof(*seen), by_number);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && seen[i] == seen[i - 1])
            continue; /* it stands in several chains */
        incident_add(c, open, seen[i]->alert, seen[i]->words, seen[i]->is_cleared,
                     seen[i]->words->ts_ms, seen[i]->severity);
        if (seen[i]->is_counted)
            continue; /* with the incident before this one */
        seen[i]->is_counted = true;
        c->correlated++;
        correlation_hold(c, key, UINT64_MAX);
    }
}

void seen_save(const struct seen *seen, struct image_out *out)
{
    image_put_i64(out, seen->at_ms);
    image_put_id(out, seen->alert);
    image_put_u32(out, seen->number);
    image_put_u32(out, seen->severity);
    image_put_u32(out, seen->is_cleared);
    image_put_u32(out, seen->is_counted);
    image_put_event(out, seen->words);
}

struct seen *seen_load(struct image_in *in, struct slab *slab)
{
    struct seen made = {.at_ms = image_take_time(in), .alert = image_take_id(in)};

    made.number = image_take_u32(in);
    made.severity = (uint8_t)image_take_below(in, SEVERITY_COUNT, "there is no such severity");
    made.is_cleared = image_take_flag(in);
    made.is_counted = image_take_flag(in);
    made.words = image_take_event(in, slab);
    if (made.words == NULL)
        return NULL;
    struct seen *seen = slab_alloc(slab, sizeof(*seen));
    *seen = made;
    return seen;
}

uint32_t seen_number(const struct seen *seen, const struct seen **known, uint32_t *count)
{
    uint32_t i = 0;

    while (i < *count && known[i] != seen)
        i++;
    if (i == *count)
        known[(*count)++] = seen;
    return i;
}

struct event_view seen_view(const struct seen *seen)
{
    return (struct event_view){.text = seen->words,
                               .severity = seen->severity,
                               .state = EVENT_PROBLEM,
                               .et_ms = seen->at_ms};
}

static void put_or_none(struct text_buffer *to, struct text text)
{
    if (text.len > 0)
        text_put(to, text.at, text.len);
    else
        text_put_string(to, "(none)");
}

void seen_put(struct text_buffer *to, const struct seen *seen)
{
    put_or_none(to, event_text_field(seen->words, FIELD_CHECK));
    text_put_string(to, " on ");
    put_or_none(to, event_text_field(seen->words, FIELD_RESOURCE));
}
