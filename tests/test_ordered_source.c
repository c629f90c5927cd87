/*
 * Aim: partitions are told in the order that is given, once all of it is there, and what comes
 * besides follows. Method: an inner source that tells what the test puts into it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "ingest/ordered_source.h"

static struct feed feeds[4] = {{.topic = "t", .partition = 0},
                               {.topic = "t", .partition = 1},
                               {.topic = "u", .partition = 0},
                               {.topic = "t", .partition = 2}};
static const struct source_part parts[] = {{"t", 0}, {"t", 1}};

static struct {
    struct source source;
    struct source_change change[16];
    size_t count, at, drops;
    bool is_closed;
} inner;

static size_t inner_changes(struct source *source, struct source_change *out, size_t max)
{
    size_t count = 0;

    (void)source;
    while (count < max && inner.at < inner.count)
        out[count++] = inner.change[inner.at++];
    return count;
}

static void inner_drop(struct source *source, struct feed *feed)
{
    (void)source, (void)feed;
    inner.drops++;
}

static bool inner_ready(struct source *source, struct error *why)
{
    (void)source, (void)why;
    return true;
}

static void inner_close(struct source *source)
{
    (void)source;
    inner.is_closed = true;
}

static struct source *begin(void)
{
    static const struct source_ops ops = {
        .changes = inner_changes, .drop = inner_drop, .ready = inner_ready, .close = inner_close};
    struct source *source;

    memset(&inner, 0, sizeof(inner));
    inner.source.ops = &ops;
    source = ordered_source_create(&inner.source, parts, 2);
    assert_non_null(source);
    return source;
}

static void put(enum source_change_kind kind, int feed)
{
    inner.change[inner.count++] = (struct source_change){kind, &feeds[feed]};
}

static void partitions_are_told_in_the_order_that_is_given(void **state)
{
    struct source *source = begin();
    struct source_change out[8];
    struct error why = {""};

    (void)state;
    put(SOURCE_JOIN, 1);
    put(SOURCE_JOIN, 2);
    assert_int_equal(source->ops->changes(source, out, 8), 0);
    assert_int_equal(ordered_source_waits(source)->partition, 0);
    assert_false(source->ops->ready(source, &why));
    assert_non_null(strstr(why.text, "t/0"));
    put(SOURCE_JOIN, 3);
    put(SOURCE_JOIN, 0);
    assert_int_equal(source->ops->changes(source, out, 3), 3);
    assert_ptr_equal(out[0].feed, &feeds[0]);
    assert_ptr_equal(out[1].feed, &feeds[1]);
    assert_ptr_equal(out[2].feed, &feeds[2]);
    assert_null(ordered_source_waits(source));
    assert_true(source->ops->ready(source, &why));
    put(SOURCE_LEAVE, 1);
    assert_int_equal(source->ops->changes(source, out, 3), 2);
    assert_ptr_equal(out[0].feed, &feeds[3]);
    assert_int_equal(out[1].kind, SOURCE_LEAVE);
    assert_ptr_equal(out[1].feed, &feeds[1]);
    source->ops->close(source);
    assert_true(inner.is_closed);
}

/* One that leaves before it was told is given back, and waited for again. */
static void one_that_leaves_meanwhile_is_waited_for_again(void **state)
{
    struct source *source = begin();
    struct source_change out[8];

    (void)state;
    put(SOURCE_JOIN, 0);
    assert_int_equal(source->ops->changes(source, out, 8), 0);
    put(SOURCE_LEAVE, 0);
    put(SOURCE_JOIN, 1);
    assert_int_equal(source->ops->changes(source, out, 8), 0);
    assert_int_equal(inner.drops, 1);
    put(SOURCE_JOIN, 0);
    assert_int_equal(source->ops->changes(source, out, 8), 2);
    assert_ptr_equal(out[0].feed, &feeds[0]);
    source->ops->close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_are_told_in_the_order_that_is_given),
        cmocka_unit_test(one_that_leaves_meanwhile_is_waited_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
