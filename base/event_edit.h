/*
 * event_edit.h - the words of an event with some of them changed.
 *
 * Words are packed (base/event.h), so a change is a copy: the words before it, the new one, those
 * behind it, in one pass. What identifies an event cannot be changed: its message, value and labels
 * can.
 *
 * Thread: plain functions over their arguments.
 */
#ifndef BASE_EVENT_EDIT_H
#define BASE_EVENT_EDIT_H

#include "base/event.h"

enum {
    EVENT_WORDS_BYTES_MAX = RECORD_BYTES_MAX, /* fields, names and values of labels together */
    EVENT_LABELS_MAX = RECORD_FIELDS_MAX,
    /* Room for any edited words: head, marks, bytes, and the rounding up. */
    EVENT_EDIT_BYTES = (int)sizeof(struct event_text) +
                       2 * EVENT_LABELS_MAX * (int)sizeof(uint32_t) + EVENT_WORDS_BYTES_MAX + 8,
};

/* What becomes of the message and the labels. */
struct event_edit {
    bool sets_message;
    struct text message;
    /* Sorted by name, bytewise, none twice; a value whose `at` is NULL takes the label away. */
    const struct event_label *labels;
    uint32_t label_count;
};

/* Writes the changed words at `at`, which has EVENT_EDIT_BYTES and is 8-byte aligned; nothing that
 * is passed may lie in it. Returns them, or NULL, with nothing of use written, when they would be
 * larger than an event may be: a text over RECORD_STRING_BYTES_MAX, or one of the bounds above. */
struct event_text *event_text_edit(const struct event_text *text, const struct event_edit *edit,
                                   void *at);

/* Would it? The same answer without the writing. */
bool event_text_fits(const struct event_text *text, const struct event_edit *edit);

#endif
