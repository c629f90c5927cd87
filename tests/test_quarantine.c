/*
 * Aim: what was refused can be looked up, whatever its bytes, and the file keeps its
 * bound. Method: hostile records, lines read back with jansson, a small bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "daemon/quarantine.h"

static char folder[] = "/tmp/tocsin_test_quarantine_XXXXXX";
static char path[64], path_old[64];

static int setup(void **state)
{
    (void)state;
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/q", folder);
    snprintf(path_old, sizeof(path_old), "%s/q.1", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    unlink(path_old);
    return rmdir(folder);
}

static void a_refused_record_is_kept_with_reason_and_place(void **state)
{
    (void)state;
    char payload[300], *text;
    size_t bytes;
    struct error err;
    struct quarantine *quarantine = quarantine_open(path, 1 << 20, &err);
    struct record record = {.offset = 17, .payload = payload, .bytes = sizeof(payload)};
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (char)i;
    assert_non_null(quarantine);
    quarantine_add(quarantine, "events", 3, &record, REJECT_PARSE, 12, "expected \"}\"");
    quarantine_close(quarantine);
    assert_int_equal(host_read_file(path, 1 << 20, &text, &bytes), 0);
    json_t *line = json_loads(text, JSON_ALLOW_NUL, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "topic")), "events");
    assert_int_equal(json_integer_value(json_object_get(line, "partition")), 3);
    assert_int_equal(json_integer_value(json_object_get(line, "offset")), 17);
    assert_string_equal(json_string_value(json_object_get(line, "reason")), "parse");
    assert_int_equal(json_integer_value(json_object_get(line, "byte")), 12);
    assert_string_equal(json_string_value(json_object_get(line, "why")), "expected \"}\"");
    assert_int_equal(json_integer_value(json_object_get(line, "bytes")), 300);
    /* 256 bytes 0..255: those from 0x80 on are two bytes each in UTF-8. */
    json_t *head = json_object_get(line, "head");
    assert_int_equal(json_string_length(head), 128 + 2 * 128);
    for (size_t i = 0; i < 128; i++)
        assert_int_equal(json_string_value(head)[i], (char)i);
    json_decref(line);
    free(text);
}

static void a_record_without_payload_is_kept_too(void **state)
{
    (void)state;
    struct error err;
    struct quarantine *quarantine = quarantine_open(path, 1 << 20, &err);
    struct quarantine_counters counters;
    struct record record = {.offset = 1, .payload = NULL, .bytes = 0};
    quarantine_add(quarantine, "events", 0, &record, REJECT_PARSE, 0, NULL);
    quarantine_counters(quarantine, &counters);
    assert_int_equal(counters.written, 1);
    quarantine_close(quarantine);
}

static void the_bound_holds_and_what_it_pushes_out_is_counted(void **state)
{
    (void)state;
    enum { BOUND = 8192, RECORDS = 200 };
    struct error err;
    struct quarantine *quarantine = quarantine_open(path, BOUND, &err);
    struct quarantine_counters counters;
    size_t kept = 0;
    for (int i = 0; i < RECORDS; i++) {
        struct record record = {.offset = i, .payload = "{", .bytes = 1};
        quarantine_add(quarantine, "events", 0, &record, REJECT_PARSE, 1, "cut off");
    }
    quarantine_counters(quarantine, &counters);
    quarantine_close(quarantine);
    for (int f = 0; f < 2; f++) {
        char *text;
        size_t bytes;
        assert_int_equal(host_read_file(f == 0 ? path : path_old, BOUND, &text, &bytes), 0);
        assert_true(bytes <= BOUND / 2);
        for (size_t i = 0; i < bytes; i++)
            kept += text[i] == '\n';
        free(text);
    }
    assert_int_equal(counters.written, RECORDS);
    assert_int_equal(counters.failed, 0);
    assert_true(counters.dropped > 0);
    assert_int_equal(counters.written, kept + counters.dropped);
}

static void a_file_that_cannot_be_written_is_one_sentence(void **state)
{
    (void)state;
    struct error err;
    assert_null(quarantine_open("/nonexistent/q", 8192, &err));
    assert_string_equal(err.text, "the quarantine log /nonexistent/q cannot be written: No such "
                                  "file or directory");
}

static ssize_t no_space(void *self, int fd, const void *from, size_t bytes)
{
    (void)self;
    (void)from;
    return fd > 2 ? -28 : (ssize_t)bytes; /* ENOSPC */
}

static void a_full_disk_stops_the_file_and_not_the_count(void **state)
{
    (void)state;
    struct error err;
    struct host full = *host();
    struct quarantine *quarantine = quarantine_open(path, 8192, &err);
    struct quarantine_counters counters;
    struct record record = {.payload = "{", .bytes = 1};
    full.write = no_space;
    host_set(&full);
    quarantine_add(quarantine, "events", 0, &record, REJECT_PARSE, 1, "cut off");
    quarantine_add(quarantine, "events", 0, &record, REJECT_PARSE, 1, "cut off");
    host_set(NULL);
    quarantine_counters(quarantine, &counters);
    assert_int_equal(counters.written, 0);
    assert_int_equal(counters.failed, 2);
    quarantine_close(quarantine);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_refused_record_is_kept_with_reason_and_place),
        TEST(a_record_without_payload_is_kept_too),
        TEST(the_bound_holds_and_what_it_pushes_out_is_counted),
        TEST(a_file_that_cannot_be_written_is_one_sentence),
        TEST(a_full_disk_stops_the_file_and_not_the_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
