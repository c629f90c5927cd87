/*
 * Aim: /metrics is what Prometheus reads, its names keep to the conventions, and every
 * figure is that of its field. Method: a small reader of the text format 0.0.4, written
 * from its description, reads back what was rendered from known counters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "daemon/metrics.h"
#include "tests/docs_page.h"

enum { SAMPLES_MAX = 512, TEXT_MAX = 256 };

struct sample {
    char series[TEXT_MAX]; /* name and labels, unescaped: a{b=c,d=e} */
    char family[TEXT_MAX];
    char kind[16];
    double value;
};

struct page {
    struct sample sample[SAMPLES_MAX];
    size_t count;
    char families[SAMPLES_MAX][TEXT_MAX];
    size_t family_count;
};

static bool is_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalpha((unsigned char)text[i]) && text[i] != '_' && text[i] != ':' &&
            (i == 0 || !isdigit((unsigned char)text[i])))
            return false;
    return length > 0;
}

static void read_labels(const char **at, char *to, size_t room)
{
    size_t used = strlen(to);
    assert_int_equal(*(*at)++, '{');
    to[used++] = '{';
    while (**at != '}') {
        size_t name = strcspn(*at, "=");
        assert_true(is_name(*at, name));
        memcpy(to + used, *at, name);
        used += name;
        *at += name + 1;
        to[used++] = '=';
        assert_int_equal(*(*at)++, '"');
        while (**at != '"') {
            assert_true(**at != '\n' && **at != '\0' && used + 4 < room);
            if (**at == '\\') {
                (*at)++;
                assert_true(**at == '\\' || **at == '"' || **at == 'n');
                to[used++] = **at == 'n' ? '\n' : **at;
            } else {
                to[used++] = **at;
            }
            (*at)++;
        }
        (*at)++;
        if (**at == ',') {
            to[used++] = ',';
            (*at)++;
        }
    }
    (*at)++;
    to[used++] = '}';
    to[used] = '\0';
}

/* Fails the test at the first byte that does not belong there. */
static void read_page(const char *text, struct page *page)
{
    char family[TEXT_MAX] = "", kind[16] = "", helped[TEXT_MAX] = "";
    memset(page, 0, sizeof(*page));
    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        assert_non_null(end);
        if (strncmp(text, "# HELP ", 7) == 0) {
            size_t name = strcspn(text + 7, " ");
            assert_true(is_name(text + 7, name) && text[7 + name] == ' ');
            snprintf(helped, sizeof(helped), "%.*s", (int)name, text + 7);
            /* A family's lines stand together: its name comes once. */
            for (size_t i = 0; i < page->family_count; i++)
                assert_string_not_equal(page->families[i], helped);
            memcpy(page->families[page->family_count++], helped, sizeof(helped));
        } else if (strncmp(text, "# TYPE ", 7) == 0) {
            assert_int_equal(sscanf(text, "# TYPE %255s %15s", family, kind), 2);
            assert_string_equal(family, helped);
            assert_true(strcmp(kind, "counter") == 0 || strcmp(kind, "gauge") == 0);
        } else {
            struct sample *sample = &page->sample[page->count++];
            const char *at = text + strcspn(text, "{ ");
            char *number_end;
            assert_true(page->count < SAMPLES_MAX && is_name(text, (size_t)(at - text)));
            snprintf(sample->series, TEXT_MAX, "%.*s", (int)(at - text), text);
            assert_string_equal(sample->series, family);
            memcpy(sample->family, family, sizeof(family));
            memcpy(sample->kind, kind, sizeof(kind));
            if (*at == '{')
                read_labels(&at, sample->series, TEXT_MAX);
            assert_int_equal(*at, ' ');
            sample->value = strtod(at + 1, &number_end);
            assert_true(number_end > at + 1 && number_end == end);
            for (size_t i = 0; i + 1 < page->count; i++)
                assert_string_not_equal(page->sample[i].series, sample->series);
        }
        text = end + 1;
    }
}

static double value_of(const struct page *page, const char *series)
{
    for (size_t i = 0; i < page->count; i++)
        if (strcmp(page->sample[i].series, series) == 0)
            return page->sample[i].value;
    fail_msg("no series %s", series);
    return NAN;
}

static void render(const struct metrics *metrics, struct page *page)
{
    char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    assert_non_null(to);
    metrics_render(metrics, to);
    fclose(to);
    read_page(text, page);
    free(text);
}

static void fill(struct metrics *metrics)
{
    assert_true(metrics_init(metrics));
    metrics->engine.records = 10;
    metrics->engine.rejected[REJECT_UTF8] = 3;
    metrics->engine.pending = UINT64_MAX;
    metrics->rules[0] = (struct engine_rule_counters){.rule_id = "a\"b\\c\nd", .opened = 4};
    metrics->rule_count = 1;
    metrics->parts[0] = (struct engine_part_counters){
        .topic = "events", .partition = 0, .lag = -1, .passed_ms = 1500, .records = 7};
    metrics->parts[1] = (struct engine_part_counters){.topic = "events",
                                                      .partition = 12,
                                                      .passed_ms = INT64_MIN,
                                                      .blind = true,
                                                      .state = FEED_STOPPED};
    metrics->part_count = 2;
    metrics->sinks[0] =
        (struct sink_counters){.name = "pager", .type = "pagerduty", .done = 5, .held = true};
    metrics->sink_count = 1;
    metrics->log.lines[LOG_ERROR] = 2;
    metrics->quarantine.dropped = 6;
    metrics->marks.dropped = 11;
    metrics->daemon.watermark_delay_seconds = NAN;
    metrics->daemon.outbox_fill = 0.25;
}

static void every_figure_is_that_of_its_field(void **state)
{
    (void)state;
    static struct page page;
    struct metrics metrics;
    fill(&metrics);
    render(&metrics, &page);
    assert_true(value_of(&page, "tocsin_input_records_total") == 10);
    assert_true(value_of(&page, "tocsin_events_rejected_total{reason=utf8}") == 3);
    assert_true(value_of(&page, "tocsin_events_rejected_total{reason=parse}") == 0);
    assert_true(value_of(&page, "tocsin_touches_pending") == 18446744073709551615.0);
    assert_true(value_of(&page, "tocsin_rule_incidents_opened_total{rule=a\"b\\c\nd}") == 4);
    assert_true(value_of(&page, "tocsin_partition_records_total{topic=events,partition=0}") == 7);
    assert_true(value_of(&page, "tocsin_partition_lag_records{topic=events,partition=0}") == -1);
    assert_true(value_of(&page, "tocsin_partition_passed_seconds{topic=events,partition=0}") ==
                1.5);
    assert_true(
        isnan(value_of(&page, "tocsin_partition_passed_seconds{topic=events,partition=12}")));
    assert_true(value_of(&page, "tocsin_partition_blind{topic=events,partition=12}") == 1);
    assert_true(value_of(&page, "tocsin_partition_state{topic=events,partition=12}") == 3);
    assert_true(value_of(&page, "tocsin_sink_done_total{sink=pager,type=pagerduty}") == 5);
    assert_true(value_of(&page, "tocsin_sink_held{sink=pager,type=pagerduty}") == 1);
    assert_true(value_of(&page, "tocsin_log_lines_total{level=error}") == 2);
    assert_true(value_of(&page, "tocsin_quarantine_dropped_total") == 6);
    assert_true(value_of(&page, "tocsin_marks_dropped_total") == 11);
    assert_true(value_of(&page, "tocsin_outbox_fill_ratio") == 0.25);
    assert_true(isnan(value_of(&page, "tocsin_watermark_delay_seconds")));
    assert_true(value_of(&page, "tocsin_build_info{version=" TOCSIN_VERSION "}") == 1);
    metrics_release(&metrics);
}

static void L6_what_walks_of_the_engine_and_of_sinks_find_is_one_figure(void **state)
{
    static struct page page;
    struct metrics metrics;

    (void)state;
    fill(&metrics);
    metrics.engine.walk_mismatches = 2;
    metrics.sinks[0].walk_mismatches = 3;
    metrics.sinks[1] = (struct sink_counters){.name = "b", .type = "webhook", .walk_mismatches = 4};
    metrics.sink_count = 2;
    metrics_sum_walks(&metrics);
    render(&metrics, &page);
    assert_true(value_of(&page, "tocsin_ledger_mismatch_total") == 9);
    metrics_release(&metrics);
}

static void names_keep_to_the_conventions(void **state)
{
    (void)state;
    static struct page page;
    struct metrics metrics;
    fill(&metrics);
    render(&metrics, &page);
    assert_true(page.family_count > 60);
    for (size_t i = 0; i < page.count; i++) {
        const char *name = page.sample[i].family;
        size_t length = strlen(name);
        bool is_total = length > 6 && strcmp(name + length - 6, "_total") == 0;
        assert_true(strncmp(name, "tocsin_", 7) == 0 || strncmp(name, "process_", 8) == 0);
        assert_int_equal(is_total, strcmp(page.sample[i].kind, "counter") == 0);
        assert_null(strstr(name, "_ms"));
    }
    metrics_release(&metrics);
}

static void every_counter_of_the_engine_is_shown(void **state)
{
    (void)state;
    static struct page page;
    struct metrics metrics;
    fill(&metrics);
    /* A different number in each 64-bit word; each must come out once. Those of
     * `rejected` start at reason 1. */
    size_t words = sizeof(metrics.engine) / sizeof(uint64_t);
    uint64_t *word = (uint64_t *)&metrics.engine;
    for (size_t i = 0; i < words; i++)
        word[i] = 1000000 + i;
    render(&metrics, &page);
    for (size_t i = 0; i < words; i++) {
        size_t found = 0;
        if (&word[i] == &metrics.engine.rejected[REJECT_NONE])
            continue;
        for (size_t s = 0; s < page.count; s++)
            found += page.sample[s].value == (double)(1000000 + i);
        if (found != 1)
            print_error("word %zu of struct engine_counters is shown %zu times\n", i, found);
        assert_int_equal(found, 1);
    }
    metrics_release(&metrics);
}

static void the_process_is_measured(void **state)
{
    (void)state;
    struct process_counters process = {0}, more = {0};
    double now = (double)host_wall_ms() / 1000;
    int fd[2];
    metrics_read_process(&process);
    assert_true(process.resident_bytes > 100000 && process.virtual_bytes > process.resident_bytes);
    assert_int_equal(process.threads, 1);
    assert_true(process.start_seconds > now - 600 && process.start_seconds < now + 2);
    assert_int_equal(pipe(fd), 0);
    metrics_read_process(&more);
    assert_int_equal(more.open_fds, process.open_fds + 2);
    /* Whoever sees it change takes that for a restart. */
    for (int i = 0; i < 200; i++) {
        struct process_counters again = {0};
        metrics_read_process(&again);
        assert_true(again.start_seconds == process.start_seconds);
    }
    assert_true(more.cpu_seconds >= process.cpu_seconds);
    close(fd[0]);
    close(fd[1]);
}

static void the_reference_in_docs_is_made_from_the_rows(void **state)
{
    (void)state;
    assert_page_holds("operating.md", metrics_print_reference, "tocsin check --metrics");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_is_that_of_its_field),
        cmocka_unit_test(L6_what_walks_of_the_engine_and_of_sinks_find_is_one_figure),
        cmocka_unit_test(names_keep_to_the_conventions),
        cmocka_unit_test(every_counter_of_the_engine_is_shown),
        cmocka_unit_test(the_process_is_measured),
        cmocka_unit_test(the_reference_in_docs_is_made_from_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
