/*
 * Aim: what identifies an alert and what counts as a change of it: borders between
 * fields count, the order of labels does not, the message is no attribute.
 * Method: pairs of drafts that must, or must not, give the same hashes; packing is
 * compared with a plain sort, for every count of labels, in exact allocations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/event.h"
#include "base/hash.h"
#include "base/text.h"

enum { SEED = 42 };

static struct event_draft draft_of(const char *tenant, const char *source, const char *resource,
                                   const char *check, const char *dedup_key, const char *message)
{
    struct event_draft draft = {.severity = SEVERITY_MAJOR};
    draft.field[FIELD_TENANT] = text_of(tenant);
    draft.field[FIELD_SOURCE] = text_of(source);
    draft.field[FIELD_RESOURCE] = text_of(resource);
    draft.field[FIELD_CHECK] = text_of(check);
    draft.field[FIELD_DEDUP_KEY] = text_of(dedup_key);
    draft.field[FIELD_MESSAGE] = text_of(message);
    return draft;
}

/* Packed in an allocation without one byte to spare. The caller owns it. */
static struct event_text *pack(const struct event_draft *draft)
{
    size_t bytes = event_text_bytes(draft);
    struct event_text *text = event_text_pack(malloc(bytes), bytes, draft, 5);
    assert_int_equal(text->bytes, bytes);
    return text;
}

static bool same_id(struct event_draft a, struct event_draft b)
{
    struct event_text *x = pack(&a), *y = pack(&b);
    bool same = id128_equal(event_fingerprint(x, SEED), event_fingerprint(y, SEED));
    free(x);
    free(y);
    return same;
}

static bool same_attributes(struct event_draft a, struct event_draft b)
{
    struct event_text *x = pack(&a), *y = pack(&b);
    bool same = event_attr_hash(x, a.severity, a.state, SEED) ==
                event_attr_hash(y, b.severity, b.state, SEED);
    free(x);
    free(y);
    return same;
}

static void borders_between_fields_count(void **state)
{
    (void)state;
    assert_true(
        same_id(draft_of("t", "s", "r", "c", "", "m"), draft_of("t", "s", "r", "c", "", "n")));
    assert_false(
        same_id(draft_of("t", "s", "a", "bc", "", ""), draft_of("t", "s", "ab", "c", "", "")));
    assert_false(
        same_id(draft_of("t", "a", "bc", "d", "", ""), draft_of("t", "ab", "c", "d", "", "")));
    assert_false(
        same_id(draft_of("a", "bc", "r", "d", "", ""), draft_of("ab", "c", "r", "d", "", "")));
    assert_false(
        same_id(draft_of("t", "", "ab", "c", "", ""), draft_of("t", "ab", "", "c", "", "")));
    /* A dedup key replaces source, resource and check, but not the tenant. */
    assert_true(
        same_id(draft_of("t", "s", "r", "c", "k", ""), draft_of("t", "x", "y", "z", "k", "")));
    assert_false(
        same_id(draft_of("t", "s", "r", "c", "k", ""), draft_of("u", "s", "r", "c", "k", "")));
    assert_false(same_id(draft_of("t", "", "", "", "ab", ""), draft_of("ta", "", "", "", "b", "")));
    assert_false(
        same_id(draft_of("t", "s", "r", "c", "", ""), draft_of("t", "s", "r", "c", "k", "")));
}

static void message_value_and_time_are_no_attributes(void **state)
{
    (void)state;
    struct event_label labels[2] = {{text_of("site"), text_of("a")},
                                    {text_of("rack"), text_of("r1")}};
    struct event_draft a = draft_of("t", "s", "r", "c", "", "short");
    struct event_draft b = draft_of("t", "s", "r", "c", "", "a much longer message than before");
    a.labels = b.labels = labels;
    a.label_count = b.label_count = 2;
    b.has_value = true;
    b.value = 3;
    b.time_ms = 77;
    assert_true(same_attributes(a, b));
    b.severity = SEVERITY_CRITICAL;
    assert_false(same_attributes(a, b));
    b = a;
    b.state = EVENT_CLEAR;
    assert_false(same_attributes(a, b));
    b = a;
    b.label_count = 1;
    assert_false(same_attributes(a, b));
    b.label_count = 0;
    assert_false(same_attributes(a, b));
    b = a;
    b.field[FIELD_DEDUP_KEY] = text_of("k");
    assert_false(same_attributes(a, b));
    /* With a dedup key the fields beside it are attributes. */
    a = b;
    b.field[FIELD_RESOURCE] = text_of("other");
    assert_false(same_attributes(a, b));
}

static void labels_count_by_border_and_not_by_order(void **state)
{
    (void)state;
    struct event_label ab[2] = {{text_of("b"), text_of("2")}, {text_of("a"), text_of("1")}};
    struct event_label ba[2] = {ab[1], ab[0]};
    struct event_label moved[2] = {{text_of("a"), text_of("1b")}, {text_of("2"), text_of("")}};
    struct event_label shifted[2] = {{text_of("a1"), text_of("")}, {text_of("b"), text_of("2")}};
    struct event_draft one = draft_of("t", "s", "r", "c", "", "m"), two = one;
    one.labels = ab;
    two.labels = ba;
    one.label_count = two.label_count = 2;
    assert_true(same_attributes(one, two));
    two.labels = moved;
    assert_false(same_attributes(one, two));
    two.labels = shifted;
    assert_false(same_attributes(one, two));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of many lengths and shared beginnings, in a mixed-up order. */
static void packing_sorts_any_number_of_labels(void **state)
{
    (void)state;
    enum { MOST = 200 };
    static const char *const stems[] = {"",
                                        "a",
                                        "label_ap",
                                        "label_app_kubernetes_io_",
                                        "team",
                                        "label_app_kubernetes_io_name_of_",
                                        "\xc3\xa9t\xc3\xa9"};
    for (uint32_t count = 0; count <= MOST; count++) {
        struct event_label labels[MOST];
        char *names[MOST], *sorted[MOST];
        struct event_draft draft = draft_of("t", "s", "r", "c", "", "m");
        for (uint32_t i = 0; i < count; i++) {
            /* 7919 is prime to 1009: all different, in no order. */
            char name[64];
            int len = snprintf(name, sizeof(name), "%s%x", stems[i % 7], i * 7919 % 1009);
            names[i] = sorted[i] = malloc((size_t)len + 1);
            strcpy(names[i], name);
            labels[i] = (struct event_label){{names[i], (uint32_t)len}, text_of(i % 3 ? "v" : "")};
        }
        qsort(sorted, count, sizeof(sorted[0]), compare_names);
        draft.labels = labels;
        draft.label_count = count;
        struct event_text *text = pack(&draft);
        for (uint32_t i = 0; i < count; i++) {
            struct event_label label = event_text_label(text, i);
            if (label.name.len != strlen(sorted[i]) ||
                memcmp(label.name.at, sorted[i], label.name.len) != 0)
                fail_msg("%u labels: place %u is %.*s, not %s", count, i, (int)label.name.len,
                         label.name.at, sorted[i]);
        }
        for (uint32_t i = 0; i < count; i++) {
            struct text value = event_text_find_label(text, labels[i].name);
            assert_non_null(value.at);
            assert_int_equal(value.len, labels[i].value.len);
        }
        assert_null(event_text_find_label(text, text_of("absent")).at);
        free(text);
        for (uint32_t i = 0; i < count; i++)
            free(names[i]);
    }
}

/* One of every length up to 600 and, before it in the order, what it begins with. */
static void names_of_any_length_are_sorted(void **state)
{
    (void)state;
    for (uint32_t len = 4; len <= 600; len++) {
        char *name = malloc(len);
        memset(name, 'a', len);
        struct event_label labels[] = {{{name, len}, text_of("1")}, {text_of("aaa"), text_of("2")}};
        struct event_draft draft = draft_of("t", "s", "r", "c", "", "");
        for (int given = 0; given < 2; given++) {
            draft.labels = labels;
            draft.label_count = 2;
            struct event_text *text = pack(&draft);
            if (event_text_label(text, 1).name.len != len)
                fail_msg("a name of %u bytes is not behind what it begins with", len);
            free(text);
            struct event_label other = labels[0];
            labels[0] = labels[1];
            labels[1] = other;
        }
        free(name);
    }
}

/* Words of every length up to 200, each in an allocation of its own size. */
static void packing_copies_every_length_exactly(void **state)
{
    (void)state;
    for (uint32_t len = 0; len <= 200; len++) {
        struct event_draft draft = draft_of("t", "source", "r", "c", "", "");
        char *word = malloc(len > 0 ? len : 1);
        for (uint32_t i = 0; i < len; i++)
            word[i] = (char)('a' + i % 26);
        struct event_label label = {text_of("name"), {word, len}};
        draft.field[FIELD_MESSAGE] = draft.field[FIELD_RESOURCE] = (struct text){word, len};
        draft.labels = &label;
        draft.label_count = 1;
        struct event_text *text = pack(&draft);
        struct text got[] = {event_text_field(text, FIELD_MESSAGE),
                             event_text_field(text, FIELD_RESOURCE),
                             event_text_label(text, 0).value};
        for (int i = 0; i < 3; i++) {
            assert_int_equal(got[i].len, len);
            if (len > 0)
                assert_memory_equal(got[i].at, word, len);
        }
        assert_int_equal(event_text_field(text, FIELD_SOURCE).len, 6);
        assert_memory_equal(event_text_field(text, FIELD_SOURCE).at, "source", 6);
        assert_true(text->ts_ms == 5);
        free(text);
        free(word);
    }
}

static void host_is_the_label_or_the_start_of_the_resource(void **state)
{
    (void)state;
    struct event_label label = {text_of("host"), text_of("db-02")};
    struct event_draft draft = draft_of("t", "s", "db-01/sda", "c", "", "");
    struct event_text *text = pack(&draft);
    assert_int_equal(event_text_host(text).len, 5);
    assert_memory_equal(event_text_host(text).at, "db-01", 5);
    free(text);
    draft.labels = &label;
    draft.label_count = 1;
    text = pack(&draft);
    assert_memory_equal(event_text_host(text).at, "db-02", 5);
    free(text);
}

/* Images of earlier versions hold these hashes: a faster way must find the same. Here the borders
 * are taken in one after the other. */
static void attributes_hash_as_they_always_did(void **state)
{
    static const char words[] = "abcdefghijklmnopqrstuvwxyz";
    struct event_draft draft = draft_of("t", "s", "r", "c", "", "a message");
    struct event_label label[20];

    (void)state;
    draft.labels = label;
    for (uint32_t count = 0; count < 20; count++) {
        label[count] = (struct event_label){{words + count, count % 3 + 1}, {words, count}};
        draft.label_count = count + 1;
        struct event_text *text = pack(&draft);
        uint32_t from = text->field_end[FIELD_MESSAGE], last = 2 * count + 1;
        uint64_t hash = SEED ^ hash_mix((uint64_t)SEVERITY_MAJOR << 8 | EVENT_CLEAR | 0x10000u);
        uint64_t borders = 0;
        for (uint32_t i = 0; i <= last; i++)
            borders = borders * 0x9e3779b97f4a7c15ULL + (text->label_end[i] - from);
        hash = hash64(event_text_data(text) + from, text->label_end[last] - from,
                      hash ^ hash_mix(borders + count + 1));
        assert_int_equal(event_attr_hash(text, SEVERITY_MAJOR, EVENT_CLEAR, SEED), hash);
        free(text);
    }
}

/* An order that comes with the labels is taken as it is, here one that no sort would give. */
static void packing_follows_the_order_that_comes(void **state)
{
    static const uint16_t order[] = {1, 0, 2};
    const struct event_label label[] = {{text_of("job"), text_of("a")},
                                        {text_of("rack"), text_of("b")},
                                        {text_of("app"), text_of("c")}};
    struct event_draft draft = draft_of("t", "s", "r", "c", "", "");

    (void)state;
    draft.labels = label;
    draft.label_order = order;
    draft.label_count = 3;
    struct event_text *text = pack(&draft);
    assert_memory_equal(event_text_data(text) + 4, "rackbjobaappc", 13);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borders_between_fields_count),
        cmocka_unit_test(message_value_and_time_are_no_attributes),
        cmocka_unit_test(labels_count_by_border_and_not_by_order),
        cmocka_unit_test(packing_sorts_any_number_of_labels),
        cmocka_unit_test(names_of_any_length_are_sorted),
        cmocka_unit_test(packing_copies_every_length_exactly),
        cmocka_unit_test(attributes_hash_as_they_always_did),
        cmocka_unit_test(packing_follows_the_order_that_comes),
        cmocka_unit_test(host_is_the_label_or_the_start_of_the_resource),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
