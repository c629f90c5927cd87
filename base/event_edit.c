/* event_edit.c - see event_edit.h. */
#include "base/event_edit.h"

#include <string.h>

_Static_assert(FIELD_MESSAGE == EVENT_FIELD_COUNT - 1, "the message is the last field");

/* Below, at or above zero. */
static int name_order(struct text a, struct text b)
{
    uint32_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The labels of the event and those of the edit, side by side in the order of names. */
struct merge {
    const struct event_text *text;
    const struct event_edit *edit;
    uint32_t old, fresh;
};

static void merge_start(struct merge *merge, const struct event_text *text,
                        const struct event_edit *edit)
{
    *merge = (struct merge){.text = text, .edit = edit};
}

/* The next label that the changed event has; false behind the last. */
static bool merge_next(struct merge *merge, struct event_label *out)
{
    const struct event_edit *edit = merge->edit;

    for (;;) {
        bool has_old = merge->old < merge->text->label_count;
        bool has_fresh = merge->fresh < edit->label_count;
        int order;
        if (!has_old && !has_fresh)
            return false;
        if (has_old)
            *out = event_text_label(merge->text, merge->old);
        order = !has_fresh ? -1
                : !has_old ? 1
                           : name_order(out->name, edit->labels[merge->fresh].name);
        merge->old += order <= 0;
        if (order < 0)
            return true;
        *out = edit->labels[merge->fresh++];
        if (out->value.at != NULL)
            return true;
    }
}

/* Counts what the changed words will hold; false when that is more than an event may. */
static bool measure(const struct event_text *text, const struct event_edit *edit,
                    uint32_t *label_count, uint64_t *bytes)
{
    struct merge merge;
    struct event_label label;

    *label_count = 0;
    *bytes = text->field_end[EVENT_FIELD_COUNT - 1];
    if (edit->sets_message) {
        *bytes -= event_text_field(text, FIELD_MESSAGE).len;
        *bytes += edit->message.len;
        if (edit->message.len > RECORD_STRING_BYTES_MAX)
            return false;
    }
    for (uint32_t i = 0; i < edit->label_count; i++)
        if (edit->labels[i].name.len > RECORD_STRING_BYTES_MAX ||
            (edit->labels[i].value.at != NULL &&
             edit->labels[i].value.len > RECORD_STRING_BYTES_MAX))
            return false;
    merge_start(&merge, text, edit);
    while (merge_next(&merge, &label)) {
        *bytes += (uint64_t)label.name.len + label.value.len;
        ++*label_count;
    }
    return *label_count <= EVENT_LABELS_MAX && *bytes <= EVENT_WORDS_BYTES_MAX;
}

bool event_text_fits(const struct event_text *text, const struct event_edit *edit)
{
    uint32_t count;
    uint64_t bytes;

    return measure(text, edit, &count, &bytes);
}

static uint32_t put(char *data, uint32_t at, struct text text)
{
    if (text.len > 0)
        memcpy(data + at, text.at, text.len);
    return at + text.len;
}

struct event_text *event_text_edit(const struct event_text *text, const struct event_edit *edit,
                                   void *at)
{
    struct event_text *out = at;
    struct merge merge;
    struct event_label label;
    uint32_t count, end, i = 0;
    uint64_t words, bytes;
    char *data;

    if (!measure(text, edit, &count, &words))
        return NULL;
    *out = *text;
    out->label_count = (uint16_t)count;
    data = (char *)(out->label_end + 2 * (size_t)count);
    /* All fields but the message stand before it as they are: it is the last one. */
    end = put(data, 0, (struct text){event_text_data(text), text->field_end[FIELD_MESSAGE - 1]});
    end =
        put(data, end, edit->sets_message ? edit->message : event_text_field(text, FIELD_MESSAGE));
    out->field_end[FIELD_MESSAGE] = end;
    merge_start(&merge, text, edit);
    while (merge_next(&merge, &label)) {
        end = out->label_end[2 * i] = put(data, end, label.name);
        end = out->label_end[2 * i + 1] = put(data, end, label.value);
        i++;
    }
    bytes = ((uint64_t)(data - (char *)at) + end + 7) & ~(uint64_t)7;
    memset(data + end, 0, bytes - (uint64_t)(data - (char *)at) - end);
    out->bytes = (uint32_t)bytes;
    return out;
}
