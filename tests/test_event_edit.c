/*
 * Aim: changed words are those of an event that had been sent so, byte for byte, and what would be
 * too large is refused as a whole. Method: random events and random changes (seed printed), each
 * held against the event packed anew from a list of labels that a slow, plain loop changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/event_edit.h"
#include "base/host.h"
#include "base/text.h"
#include "tests/random_seed.h"

enum { LABELS = 8, NAMES = 12 };

static const char *const names[NAMES] = {"a",     "aa",   "ab", "b",        "ba",       "host",
                                         "hosts", "rack", "z",  "\xc3\xa9", "k8s/name", "a.b"};
static const char *const words[] = {"", "x", "yy", "a longer text", "\xc3\xa9"};

static uint64_t random_state;

static uint32_t below(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % bound;
}

static struct text any_word(void)
{
    return text_of(words[below(sizeof(words) / sizeof(words[0]))]);
}

static struct event_text *packed(const struct event_draft *draft)
{
    size_t bytes = event_text_bytes(draft);
    void *at = aligned_alloc(8, bytes);

    assert_non_null(at);
    return event_text_pack(at, bytes, draft, 77);
}

static size_t used_bytes(const struct event_text *text)
{
    uint32_t end = text->label_count > 0 ? text->label_end[2 * text->label_count - 1]
                                         : text->field_end[EVENT_FIELD_COUNT - 1];

    return (size_t)(event_text_data(text) - (const char *)text) + end;
}

/* Every name at most once. */
static uint32_t labels_make(struct event_label *label, bool may_lack)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < NAMES && count < LABELS; i++) {
        if (below(2) == 0)
            continue;
        label[count++] = (struct event_label){
            text_of(names[i]), may_lack && below(3) == 0 ? (struct text){NULL, 0} : any_word()};
    }
    return count;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct event_label *)a)->name.at,
                  ((const struct event_label *)b)->name.at);
}

/* What `draft` is after the edit, the plain way. */
static void change(struct event_draft *draft, struct event_label *label,
                   const struct event_edit *edit)
{
    if (edit->sets_message)
        draft->field[FIELD_MESSAGE] = edit->message;
    for (uint32_t e = 0; e < edit->label_count; e++) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < draft->label_count; i++)
            if (strcmp(label[i].name.at, edit->labels[e].name.at) != 0)
                label[kept++] = label[i];
        if (edit->labels[e].value.at != NULL)
            label[kept++] = edit->labels[e];
        draft->label_count = kept;
    }
}

static void changed_words_are_those_of_an_event_sent_so(void **state)
{
    char *room = aligned_alloc(8, EVENT_EDIT_BYTES / 8 * 8 + 8);

    (void)state;
    assert_non_null(room);
    random_state = random_seed("EDIT_SEED");
    for (int run = 0; run < 20000; run++) {
        struct event_label label[LABELS + NAMES], fresh[LABELS];
        struct event_draft draft = {.labels = label, .has_value = true, .value = 2.5};
        struct event_edit edit = {.sets_message = below(2) == 0, .labels = fresh};
        for (int f = 0; f < EVENT_FIELD_COUNT; f++)
            draft.field[f] = any_word();
        draft.label_count = labels_make(label, false);
        edit.message = any_word();
        edit.label_count = labels_make(fresh, true);
        qsort(fresh, edit.label_count, sizeof(fresh[0]), by_name);
        struct event_text *before = packed(&draft);
        const struct event_text *got = event_text_edit(before, &edit, room);
        change(&draft, label, &edit);
        struct event_text *expected = packed(&draft);
        assert_non_null(got);
        assert_true(event_text_fits(before, &edit));
        assert_int_equal(got->bytes, expected->bytes);
        /* What rounds the size up holds nothing. */
        assert_memory_equal(got, expected, used_bytes(expected));
        free(before);
        free(expected);
    }
    free(room);
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    static char big[RECORD_STRING_BYTES_MAX + 1];
    static struct event_label many[EVENT_LABELS_MAX];
    static char many_names[EVENT_LABELS_MAX][8];
    char *room = aligned_alloc(8, EVENT_EDIT_BYTES / 8 * 8 + 8);
    struct event_draft draft = {.labels = many};
    struct event_label label = {{"zz", 2}, {big, RECORD_STRING_BYTES_MAX}};
    struct event_edit edit = {.labels = &label, .label_count = 1};

    memset(big, 'x', sizeof(big));
    for (int f = 0; f < EVENT_FIELD_COUNT; f++)
        draft.field[f] = text_of("");
    struct event_text *text = packed(&draft);
    assert_non_null(event_text_edit(text, &edit, room)); /* the longest text there may be */
    label.value.len++;
    assert_null(event_text_edit(text, &edit, room));
    edit = (struct event_edit){.sets_message = true, .message = {big, RECORD_STRING_BYTES_MAX}};
    assert_non_null(event_text_edit(text, &edit, room));
    edit.message.len++;
    assert_null(event_text_edit(text, &edit, room));
    free(text);

    /* 511 labels and one more, and no more; one that takes another's place is no more. */
    for (uint32_t i = 0; i < EVENT_LABELS_MAX; i++) {
        snprintf(many_names[i], sizeof(many_names[i]), "n%03u", (unsigned)i);
        many[i] = (struct event_label){{many_names[i], 4}, {"", 0}};
    }
    label.value.len = 1;
    edit = (struct event_edit){.labels = &label, .label_count = 1};
    draft.label_count = EVENT_LABELS_MAX - 1;
    text = packed(&draft);
    assert_non_null(event_text_edit(text, &edit, room));
    free(text);
    draft.label_count = EVENT_LABELS_MAX;
    text = packed(&draft);
    assert_null(event_text_edit(text, &edit, room));
    assert_false(event_text_fits(text, &edit));
    label.name = (struct text){"n511", 4};
    assert_non_null(event_text_edit(text, &edit, room));
    free(text);

    /* 16 labels of 64 KiB without their names are 1 MiB: with them one has no place. */
    for (uint32_t i = 0; i < 16; i++)
        many[i].value = (struct text){big, RECORD_STRING_BYTES_MAX};
    draft.label_count = 15;
    text = packed(&draft);
    label = (struct event_label){{"zz", 2}, {big, RECORD_STRING_BYTES_MAX}};
    assert_null(event_text_edit(text, &edit, room));
    label.value.len = RECORD_STRING_BYTES_MAX - 15 * 4 - 2;
    assert_non_null(event_text_edit(text, &edit, room)); /* to the last byte */
    label.value.len++;
    assert_null(event_text_edit(text, &edit, room));
    free(text);
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changed_words_are_those_of_an_event_sent_so),
        cmocka_unit_test(what_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
