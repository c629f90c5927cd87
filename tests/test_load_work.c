/*
 * Aim: what a set holds and names is refused by how much it is, with what takes the most, where all
 * of it together is too much and each kind alone would not be; an ordinary large set is taken.
 * Method: files made as large as a case says and read from memory; nothing is timed.
 */
#include "rules_support.h"
#include <errno.h>
#include "base/host.h"
#include "rules/load_work.h"

/* ---- text that grows ---- */

enum { ROOM = 8 << 20 };

struct page {
    char *text;
    size_t used;
};

static struct page rules, sheet;
static size_t sheet_at;

static void page_begin(struct page *page)
{
    if (page->text == NULL)
        page->text = malloc(ROOM);
    assert_non_null(page->text);
    page->used = 0;
}

__attribute__((format(printf, 2, 3))) static void page_add(struct page *page, const char *format,
                                                           ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(page->text + page->used, ROOM - page->used, format, arguments);
    va_end(arguments);
    assert_in_range(length, 1, ROOM - page->used - 1);
    page->used += (size_t)length;
}

/* ---- the one file there is beside the rules ---- */

static int sheet_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self, (void)flags, (void)mode;
    sheet_at = 0;
    return strcmp(path, "./t.csv") == 0 ? 1000 : -ENOENT;
}

static ssize_t sheet_read(void *self, int fd, void *to, size_t bytes)
{
    (void)self, (void)fd;
    bytes = bytes < sheet.used - sheet_at ? bytes : sheet.used - sheet_at;
    memcpy(to, sheet.text + sheet_at, bytes);
    sheet_at += bytes;
    return (ssize_t)bytes;
}

static int sheet_close(void *self, int fd)
{
    (void)self, (void)fd;
    return 0;
}

static bool sheet_is_regular(void *self, int fd)
{
    (void)self, (void)fd;
    return true;
}

static int begin(void **state)
{
    static struct host fake;

    (void)state;
    host_set(NULL);
    fake = *host();
    fake.open = sheet_open;
    fake.read = sheet_read;
    fake.close = sheet_close;
    fake.is_regular = sheet_is_regular;
    host_set(&fake);
    page_begin(&rules);
    page_begin(&sheet);
    return 0;
}

static int end(void **state)
{
    (void)state;
    host_set(NULL);
    free(rules.text);
    free(sheet.text);
    rules.text = sheet.text = NULL;
    return 0;
}

/* ---- parts of a set ---- */

static void add_rows(unsigned count)
{
    page_add(&sheet, "host\n");
    for (unsigned i = 0; i < count; i++)
        page_add(&sheet, "%x\n", (i * 2654435761u) & 0xffffff);
}

static void add_sets(unsigned count)
{
    page_add(&rules, "sets:\n");
    for (unsigned i = 0; i < count; i++)
        page_add(&rules, "  s%u: {file: t.csv}\n", i);
}

static void add_rule(const char *id, unsigned i, const char *where)
{
    page_add(&rules,
             "- {id: %s%u, where: '%s', window: 1m, when: count() >= 1, incident: {title: t}, "
             "close: cleared()}\n",
             id, i, where);
}

/* Of some 700 bytes each. */
static void add_conditions(unsigned count)
{
    char where[1200];

    for (unsigned i = 0; i < count; i++) {
        size_t used = 0;
        for (unsigned k = 0; k < 30; k++)
            used += (size_t)snprintf(where + used, sizeof(where) - used, "%slabels.a%u == \"%u\"",
                                     k == 0 ? "" : " && ", k, i);
        add_rule("c", i, where);
    }
}

static void add_patterns(unsigned count)
{
    char where[100];

    for (unsigned i = 0; i < count; i++) {
        snprintf(where, sizeof(where), "message.matches(\"user%u .{1,100}failed\")", i);
        add_rule("p", i, where);
    }
}

static void add_calendars(unsigned count, const char *rrule)
{
    page_add(&rules, "maintenance:\n");
    for (unsigned i = 0; i < count; i++)
        page_add(&rules,
                 "- {id: m%u, where: tenant != \"\", start: 2026-01-04T02:00, duration: 1h, "
                 "rrule: \"%s\"}\n",
                 i, rrule);
}

static const char seldom[] = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO";

/* ---- what is said ---- */

static void assert_taken(void)
{
    rule_set_destroy(parse_good(rules.text));
}

static void assert_too_much(const char *place, const char *parts)
{
    struct error err = parse_bad(rules.text);

    if (strncmp(err.text, place, strlen(place)) != 0 || strstr(err.text, parts) == NULL ||
        strstr(err.text, "takes too long to read up to here, more than 0.6 s by an estimate: ") ==
            NULL)
        fail_msg("not %s with %s:\n%.600s", place, parts, err.text);
}

/* ---- cases ---- */

static void what_takes_most_is_told_first(void **state)
{
    static const struct script script = {"r.yaml", "rules", 5};
    struct load_work work = {{0}};
    struct diagnostics diag;
    struct error err = {""};

    (void)state;
    diagnostics_init(&diag, &err);
    load_work_add(&work, LOAD_RULES, 100000000);
    load_work_add(&work, LOAD_EXTRACTS, 1000000);
    load_work_add(&work, LOAD_SHEETS, 499000000 - 1);
    assert_int_equal(load_work_left(&work), 1);
    load_work_add(&work, LOAD_SHEETS, 1);
    assert_int_equal(load_work_left(&work), 0);
    load_work_add(&work, LOAD_CALENDARS, 300000000);
    assert_int_equal(load_work_left(&work), 0);
    assert_false(load_work_refuse(&work, &diag, (struct span){&script, 0, 5}));
    assert_string_equal(
        err.text,
        "r.yaml:1:1: what the set holds and names takes too long to read up to here, more than "
        "0.6 s by an estimate: files of sets, tables and keys 0.50 s, calendars 0.30 s, the rules "
        "themselves 0.10 s; make less of the first\n    rules\n    ^~~~~\n");
}

/* 2 x 1,000,000 rows and 420 calendars that hardly ever open are within their own bounds. */
static void each_kind_alone_is_taken(void **state)
{
    (void)state;
    add_rows(1000000);
    add_sets(2);
    page_add(&rules, "rules: []\n");
    assert_taken();
    page_begin(&rules);
    page_add(&rules, "rules: []\n");
    add_calendars(420, seldom);
    assert_taken();
    page_begin(&rules);
    page_add(&rules, "rules:\n");
    add_conditions(4000);
    assert_taken();
    page_begin(&rules);
    page_add(&rules, "rules:\n");
    add_patterns(8000);
    assert_taken();
}

static void files_and_conditions_and_calendars_are_too_much(void **state)
{
    (void)state;
    add_rows(1000000);
    add_sets(2);
    page_add(&rules, "rules:\n");
    add_conditions(4000);
    add_calendars(420, seldom);
    assert_too_much("r.yaml:4", "calendars 0.");
}

/* The second of two rules that list their keys, after the text of all rules is counted. */
static void files_are_refused_where_they_are_named(void **state)
{
    (void)state;
    add_rows(1190000);
    page_add(&rules, "rules:\n");
    for (unsigned i = 0; i < 2; i++)
        page_add(&rules,
                 "- {id: e%u, where: 'true', by: [host], max_keys: 2000000, expect: {every: 1h, "
                 "keys: {file: t.csv}}, incident: {title: t}, close: cleared()}\n",
                 i);
    add_conditions(5000);
    assert_too_much("r.yaml:3:91: ", "files of sets, tables and keys 0.");
}

static void patterns_have_what_the_rest_leaves(void **state)
{
    (void)state;
    add_rows(1000000);
    add_sets(2);
    page_add(&rules, "rules:\n");
    add_patterns(2000);
    assert_taken();
    page_begin(&rules);
    add_sets(2);
    page_add(&rules, "rules:\n");
    add_patterns(10000);
    assert_too_much("r.yaml:", "patterns of conditions 0.");
}

static void a_large_set_of_all_kinds_is_taken(void **state)
{
    char where[200];

    (void)state;
    page_add(&sheet, "host,team,site,tier,mail\n");
    for (unsigned i = 0; i < 100000; i++)
        page_add(&sheet, "host%06u,team%u,site%u,gold,team%u@example.org\n", i, i % 50, i % 20,
                 i % 50);
    page_add(&rules, "tables: {owners: {file: t.csv, key: host}}\nrules:\n");
    for (unsigned i = 0; i < 9800; i++) {
        snprintf(where, sizeof(where),
                 "owners[host].team == \"team%u\" && check == \"disk%u\" && severity >= MAJOR",
                 i % 50, i);
        add_rule("r", i, where);
    }
    for (unsigned i = 0; i < 200; i++) {
        snprintf(where, sizeof(where),
                 "message.matches(\"(?i)(disk|volume) [a-z]+%u (failed|degraded)\")", i);
        add_rule("p", i, where);
    }
    add_calendars(1000, "FREQ=WEEKLY;BYDAY=SU");
    assert_taken();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_takes_most_is_told_first),
        cmocka_unit_test_setup_teardown(each_kind_alone_is_taken, begin, end),
        cmocka_unit_test_setup_teardown(files_and_conditions_and_calendars_are_too_much, begin,
                                        end),
        cmocka_unit_test_setup_teardown(files_are_refused_where_they_are_named, begin, end),
        cmocka_unit_test_setup_teardown(patterns_have_what_the_rest_leaves, begin, end),
        cmocka_unit_test_setup_teardown(a_large_set_of_all_kinds_is_taken, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
