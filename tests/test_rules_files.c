/*
 * Aim: every key of a rule file does what docs/rules.md says, and files are read as sets.
 * Method: small texts; files in a folder of their own; the packs that ship.
 */
#include "rules_support.h"
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "rules/parser.h"

/* The rule of the design, as users know it. */
static const char sample_rule[] =
    "rules:\n"
    "  - id: host-storage-degrading\n"
    "    where: check.startsWith(\"smart.\") && severity >= WARNING\n"
    "    by: [tenant, host]\n"
    "    window: 10m                        # sliding, event time\n"
    "    when: count() >= 5 && distinct(check) >= 2\n"
    "    incident:\n"
    "      title: \"{host}: {distinct(check)} storage checks failing\"\n"
    "      priority: P2\n"
    "      tier: T2\n"
    "      runbook: kb/storage-degrading\n"
    "    close: quiet(15m) || cleared()\n";

static void whole_rule_is_read(void **state)
{
    struct rule_set *set = parse_good(sample_rule);
    const struct rule *rule = rule_set_rule(set, 0);
    struct words words = {.tenant = "acme",
                          .resource = "db01/sda",
                          .check = "smart.wear",
                          .severity = SEVERITY_WARNING};
    struct sample sample;
    struct text value[RULE_BY_MAX];
    uint32_t out[1];
    char title[80], scratch[32];

    (void)state;
    assert_int_equal(rule_set_count(set), 1);
    assert_string_equal(rule->id, "host-storage-degrading");
    assert_int_equal(rule->index, 0);
    assert_int_equal(rule->input, RULE_INPUT_ALERTS);
    assert_int_equal(rule->window_ms, 600000);
    assert_int_equal(rule->by_count, 2);
    assert_string_equal(rule->by_name[0], "tenant");
    assert_string_equal(rule->by_name[1], "host");
    assert_int_equal(rule->aggregate_count, 2);
    assert_int_equal(rule->aggregate[0].kind, AGGREGATE_COUNT);
    assert_string_equal(rule->aggregate[0].text, "count()");
    assert_int_equal(rule->aggregate[0].limit, 5);
    assert_int_equal(rule->aggregate[1].kind, AGGREGATE_DISTINCT);
    assert_string_equal(rule->aggregate[1].text, "distinct(check)");
    assert_int_equal(rule->aggregate[1].limit, 2);
    assert_int_equal(rule->quiet_count, 1);
    assert_int_equal(rule->quiet_ms[0], 900000);
    assert_int_equal(rule->priority, PRIORITY_P2);
    assert_string_equal(rule->tier, "T2");
    assert_string_equal(rule->runbook, "kb/storage-degrading");
    assert_string_equal(rule->team, "");
    assert_int_equal(rule->max_keys, 100000);
    assert_int_equal(rule->max_members, 1000);
    assert_false(rule->reads_message);
    assert_false(rule_set_reads_message(set));

    sample_make(&sample, &words);
    assert_int_equal(rule_set_match(set, &sample.view, out, 1), 1);
    assert_int_equal(out[0], 0);
    rule_by_values(rule, &sample.view, value);
    assert_memory_equal(value[0].at, "acme", value[0].len);
    assert_int_equal(value[1].len, 4);
    assert_memory_equal(value[1].at, "db01", 4);
    struct text distinct = rule_aggregate_value(rule, 1, &sample.view, scratch);
    assert_int_equal(distinct.len, 10);
    assert_memory_equal(distinct.at, "smart.wear", 10);
    assert_true(rule_when(rule, (int64_t[RULE_AGGREGATES_MAX]){5, 2}));
    assert_false(rule_when(rule, (int64_t[RULE_AGGREGATES_MAX]){4, 2}));
    assert_false(rule_when(rule, (int64_t[RULE_AGGREGATES_MAX]){5, 1}));
    assert_true(rule_close(rule, 900000, false));
    assert_false(rule_close(rule, 899999, false));
    assert_true(rule_close(rule, 0, true));
    rule_title(rule, &sample.view, (int64_t[RULE_AGGREGATES_MAX]){6, 3}, title, sizeof(title));
    assert_string_equal(title, "db01: 3 storage checks failing");
    rule_set_destroy(set);
}

static void bounds_are_stated_or_inherited(void **state)
{
#define RULE(ID, BOUND)                                                                            \
    "  - id: " ID "\n    where: check == \"a\"\n    window: 1m\n    when: count() >= 2\n" BOUND    \
    "    incident: {title: t}\n    close: quiet(1m)\n"
    struct rule_set *set = parse_good(
        "rules:\n" RULE("a", "") RULE("b", "    max_members: 70\n") RULE("c", "    max_keys: 9\n")
            RULE("d", "    max_window: 5m\n") "bounds: {max_keys: 20, max_members: 30, max_window: "
                                              "60s}\n");
    static const uint32_t keys[] = {20, 20, 9, 20}, members[] = {30, 70, 30, 30};

    (void)state;
    for (uint32_t i = 0; i < rule_set_count(set); i++) {
        assert_int_equal(rule_set_rule(set, i)->max_keys, keys[i]);
        assert_int_equal(rule_set_rule(set, i)->max_members, members[i]);
    }
    assert_int_equal(rule_set_count(set), 4);
    rule_set_destroy(set);
#undef RULE
}

static void empty_set_matches_nothing(void **state)
{
    struct rule_set *set = parse_good("rules: []\n");
    struct words words = {.tenant = "t"};
    struct sample sample;
    uint32_t out[1];

    (void)state;
    sample_make(&sample, &words);
    assert_int_equal(rule_set_count(set), 0);
    assert_int_equal(rule_set_match(set, &sample.view, out, 1), 0);
    rule_set_destroy(set);
}

/* ---- what the engine reads ---- */

static void limits_follow_the_constants(void **state)
{
    static const struct {
        const char *when;
        int64_t limit[2];
    } cases[] = {
        {"count() >= 5", {5, 0}},
        {"count() > 5", {6, 0}},
        {"5 <= count()", {5, 0}},
        {"5 < count()", {6, 0}},
        {"count() == 5", {6, 0}},
        {"count() != 5", {6, 0}},
        {"count() < 5", {5, 0}},
        {"count() <= 5", {6, 0}},
        {"count() >= 5 || count() >= 3", {5, 0}},
        {"distinct(check) >= 2 && count() >= 9", {2, 9}},
        {"count() == distinct(check)", {1000, 1000}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text), HEAD GOOD_WHERE GOOD_WINDOW "    when: %s\n" TAIL,
                 cases[i].when);
        struct rule_set *set = parse_good(text);
        const struct rule *rule = rule_set_rule(set, 0);
        for (uint32_t a = 0; a < 2; a++)
            if ((a < rule->aggregate_count ? rule->aggregate[a].limit : 0) != cases[i].limit[a])
                fail_msg("%s: limit %u is %lld", cases[i].when, a,
                         (long long)rule->aggregate[a].limit);
        rule_set_destroy(set);
    }
}

static void by_begins_with_the_tenant_and_keeps_its_order(void **state)
{
    struct rule_set *set = parse_good(
        HEAD "    by: [labels.rack, 'labels[\"a b\"]', tenant, severity]\n" GOOD_WHERE GOOD_WINDOW
            GOOD_WHEN TAIL);
    const struct rule *rule = rule_set_rule(set, 0);
    struct words words = {.tenant = "t", .severity = SEVERITY_CRITICAL, .label = {"rack", "r7"}};
    struct sample sample;
    struct text value[RULE_BY_MAX];
    static const char *const names[] = {"tenant", "labels.rack", "labels[\"a b\"]", "severity"};
    static const char *const values[] = {"t", "r7", "", "critical"};

    (void)state;
    sample_make(&sample, &words);
    rule_by_values(rule, &sample.view, value);
    assert_int_equal(rule->by_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(rule->by_name[i], names[i]);
        assert_int_equal(value[i].len, strlen(values[i]));
        assert_memory_equal(value[i].at, values[i], value[i].len);
    }
    rule_set_destroy(set);
}

static void rules_are_ordered_by_id_bytewise(void **state)
{
    static const char *const ids[] = {"a", "a-b", "a.b", "a1", "ab", "b"};
    struct rule_set *set = parse_good("rules:\n"
                                      "- {id: b,   where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n"
                                      "- {id: ab,  where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n"
                                      "- {id: a1,  where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n"
                                      "- {id: a.b, where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n"
                                      "- {id: a-b, where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n"
                                      "- {id: a,   where: 'true', window: 1m, when: count()>0, "
                                      "incident: {title: t}, close: cleared()}\n");
    struct words words = {.tenant = "t"};
    struct sample sample;
    uint32_t out[6];

    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        assert_string_equal(rule_set_rule(set, i)->id, ids[i]);
        assert_int_equal(rule_set_rule(set, i)->index, i);
    }
    sample_make(&sample, &words);
    assert_int_equal(rule_set_match(set, &sample.view, out, 6), 6);
    assert_int_equal(rule_set_match(set, &sample.view, out, 4), 4);
    assert_int_equal(out[3], 3);
    rule_set_destroy(set);
}

static struct id128 form_of(const char *text)
{
    struct rule_set *set = parse_good(text);
    struct id128 form = rule_set_rule(set, 0)->form;

    rule_set_destroy(set);
    return form;
}

static struct id128 hash_of(const char *text)
{
    struct rule_set *set = parse_good(text);
    struct id128 hash = rule_set_hash(set);

    rule_set_destroy(set);
    return hash;
}

static void form_is_what_carries_state(void **state)
{
    static const char base[] =
        HEAD "    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN TAIL;
    static const struct {
        const char *text;
        bool is_same_form, is_same_hash;
    } cases[] = {
        /* only written differently */
        {HEAD "    where: |\n      (check=='a')  &&\n      age < 1m30s\n    by: [tenant, host]\n"
              "    window: 60s\n    when: (count() >= 1)\n" TAIL,
         true, true},
        {HEAD
         "    description: d\n    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW
             GOOD_WHEN TAIL,
         true, true},
        /* another title, priority, close: the windows stay good */
        {HEAD "    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN
              "    incident: {title: u}\n    close: cleared()\n",
         true, false},
        {HEAD "    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN
              "    incident: {title: t}\n    close: quiet(1m)\n",
         true, false},
        {HEAD "    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN
              "    max_keys: 5\n" TAIL,
         true, false},
        /* another where, by, window, when, input */
        {HEAD "    where: check == \"b\" && age < 90s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN TAIL,
         false, false},
        {HEAD "    where: check == \"a\" && age < 91s\n    by: [host]\n" GOOD_WINDOW GOOD_WHEN TAIL,
         false, false},
        {HEAD "    where: check == \"a\" && age < 90s\n" GOOD_WINDOW GOOD_WHEN TAIL, false, false},
        {HEAD
         "    where: check == \"a\" && age < 90s\n    by: [host]\n    window: 2m\n" GOOD_WHEN TAIL,
         false, false},
        {HEAD "    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW
              "    when: count() >= 2\n" TAIL,
         false, false},
        {HEAD "    on: events\n    where: check == \"a\" && age < 90s\n    by: [host]\n" GOOD_WINDOW
             GOOD_WHEN TAIL,
         false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (id128_equal(form_of(cases[i].text), form_of(base)) != cases[i].is_same_form)
            fail_msg("form of case %zu", i);
        if (id128_equal(hash_of(cases[i].text), hash_of(base)) != cases[i].is_same_hash)
            fail_msg("hash of case %zu", i);
    }
}

static void rules_that_read_what_changes_in_repeats_say_so(void **state)
{
    static const struct {
        const char *where;
        bool reads;
    } cases[] = {
        {"message.contains(\"x\")", true},
        {"value > 5", true},
        {"has(value)", true},
        {"age < 5m", true},
        {"check == \"a\"", false},
        {"has(labels.x)", false},
        {"ts > timestamp(\"2024-05-01T00:00:00Z\")", true},
        {"check == \"a\" || (host == \"b\" && !has(message))", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        struct rule_set *set = parse_good(rule_with_where(cases[i].where, text, sizeof(text)));
        if (rule_set_rule(set, 0)->reads_message != cases[i].reads ||
            rule_set_reads_message(set) != cases[i].reads)
            fail_msg("%s", cases[i].where);
        rule_set_destroy(set);
    }
}

static void quiet_times_are_sorted_and_single(void **state)
{
    struct rule_set *set = parse_good(HEAD GOOD_WHERE GOOD_WINDOW GOOD_WHEN
                                      "    incident: {title: t}\n"
                                      "    close: quiet(1h) || (cleared() && (quiet(1m) || "
                                      "quiet(1h) || quiet(30s)))\n");
    const struct rule *rule = rule_set_rule(set, 0);

    (void)state;
    assert_int_equal(rule->quiet_count, 3);
    assert_int_equal(rule->quiet_ms[0], 30000);
    assert_int_equal(rule->quiet_ms[1], 60000);
    assert_int_equal(rule->quiet_ms[2], 3600000);
    assert_false(rule_close(rule, 59999, false));
    assert_true(rule_close(rule, 30000, true));
    assert_false(rule_close(rule, 29999, true));
    assert_true(rule_close(rule, 3600000, false));
    rule_set_destroy(set);
}

/* ---- files ---- */

static void file_write(const char *folder, const char *name, const char *text)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void folder_remove(const char *folder)
{
    static const char *const names[] = {"a.yaml", "b.yaml",      "a.yml",     ".c.yaml",
                                        "d.txt",  "a.test.yaml", "pipe.yaml", "pipe.csv"};
    char path[300];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

#define ONE_RULE(id)                                                                               \
    "rules:\n- {id: " id ", where: 'true', window: 1m, when: count()>0, incident: {title: t}, "    \
    "close: cleared()}\n"

static void folder_is_read_by_name_and_ids_are_unique_over_files(void **state)
{
    char folder[] = "/tmp/tocsin-rules-XXXXXX", expected[700];
    const char *paths[] = {folder};
    struct rule_set *set = NULL;
    struct error err = {""};

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(expected, sizeof(expected), "%s: there is no *.yaml file in this folder", folder);
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -ENOENT);
    assert_string_equal(err.text, expected);

    file_write(folder, "a.yml", ONE_RULE("x"));
    snprintf(expected, sizeof(expected),
             "%s: there is no *.yaml file in this folder; a.yml would be read as a.yaml", folder);
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -ENOENT);
    assert_string_equal(err.text, expected);

    file_write(folder, "b.yaml", ONE_RULE("x"));
    file_write(folder, "a.yaml", ONE_RULE("y"));
    file_write(folder, ".c.yaml", "not read");
    file_write(folder, "d.txt", "not read");
    file_write(folder, "a.test.yaml", "tests of a.yaml: not read");
    if (rule_set_load(paths, 1, &set, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(rule_set_count(set), 2);
    rule_set_destroy(set);
    set = NULL;

    file_write(folder, "a.yaml", ONE_RULE("x"));
    snprintf(expected, sizeof(expected),
             "%s/b.yaml:2:8: the id \"x\" is taken already: %s/a.yaml:2:8", folder, folder);
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -EINVAL);
    err.text[strcspn(err.text, "\n")] = '\0';
    assert_string_equal(err.text, expected);
    assert_null(set);

    /* Errors of several files are told at once. */
    file_write(folder, "a.yaml", "rules: 5\n");
    file_write(folder, "b.yaml", "rules: 6\n");
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -EINVAL);
    assert_non_null(strstr(err.text, "a.yaml:1:8: rules takes a list"));
    assert_non_null(strstr(err.text, "b.yaml:1:8: rules takes a list"));
    folder_remove(folder);

    snprintf(expected, sizeof(expected), "%s: No such file or directory", folder);
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -ENOENT);
    assert_string_equal(err.text, expected);
}

/* A test that hangs is ended by its alarm. */
static void what_is_no_file_is_refused_at_once(void **state)
{
    char folder[] = "/tmp/tocsin-rules-XXXXXX", path[100], table[200], expected[700];
    const char *paths[] = {path};
    struct rule_set *set = NULL;
    struct error err = {""};

    (void)state;
    alarm(20);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/pipe.yaml", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(expected, sizeof(expected), "%s: this is no regular file; a pipe is read as -", path);
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -ESPIPE);
    assert_string_equal(err.text, expected);

    /* A table that a rule file names. */
    snprintf(table, sizeof(table), "tables: {t: {file: %s/pipe.csv, key: k}}\n" ONE_RULE("x"),
             folder);
    snprintf(path, sizeof(path), "%s/pipe.csv", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(rule_set_parse("r.yaml", table, strlen(table), &set, &err), -EINVAL);
    assert_non_null(strstr(err.text, "r.yaml:1:20: "));
    assert_non_null(strstr(err.text, "pipe.csv: this is no regular file"));
    folder_remove(folder);

    paths[0] = "/dev/zero";
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -ESPIPE);
    assert_string_equal(err.text, "/dev/zero: this is no regular file; a pipe is read as -");
    paths[0] = folder; /* gone */
    assert_int_equal(rule_set_load(paths, 1, &set, &err), -ENOENT);
    alarm(0);
}

/* 800 texts of 16 KiB: each of them once, and not each with room for all that comes after it. */
static void long_expressions_take_memory_in_proportion(void **state)
{
    static char text[16000];
    struct yaml_node node = {.kind = YAML_SCALAR};
    struct script script = {"r.yaml", text, 0};
    struct arena *arena = arena_create(256 << 20);
    struct diagnostics diag;
    struct error err = {""};
    size_t used = 0;

    (void)state;
    for (int i = 0; i < 800; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%scheck == \"a%d\"",
                                 i > 0 ? " || " : "", i % 10);
    assert_true(used < sizeof(text));
    script.bytes = used;
    node.text = (struct text){text, (uint32_t)used};
    node.span = (struct span){&script, 0, (uint32_t)used};
    diagnostics_init(&diag, &err);
    assert_non_null(parse_node(&node, arena, &diag));
    /* 800 terms of 3 nodes and a text; 8 KiB for each term it was. */
    assert_true(arena_bytes(arena) < 800 * (3 * sizeof(struct ast) + 64) + (1 << 20));
    arena_destroy(arena);
}

/* As many mistakes as there are, however few have room in the message. */
static void mistakes_that_are_not_shown_are_counted(void **state)
{
    char text[8000] = "rules:\n";
    struct rule_set *set = NULL;
    struct error err = {""};
    unsigned shown = 0, more = 0;
    size_t used = strlen(text);
    const char *at;

    (void)state;
    for (int i = 0; i < 25; i++)
        used += (size_t)snprintf(
            text + used, sizeof(text) - used,
            "  - id: r%d\n    where: chek == \"a\"\n" GOOD_WINDOW GOOD_WHEN TAIL, i);
    assert_int_equal(rule_set_parse("r.yaml", text, used, &set, &err), -EINVAL);
    for (at = err.text; (at = strstr(at, "there is no field")) != NULL; at++)
        shown++;
    at = strstr(err.text, "... and ");
    assert_non_null(at);
    more = (unsigned)strtoul(at + strlen("... and "), NULL, 10);
    assert_int_equal(shown + more, 25);
}

/* Judgements alone are left out of what was in force once. */
static void what_was_in_force_is_not_judged_again(void **state)
{
    static const struct {
        const char *rule, *refused; /* NULL: never */
    } rows[] = {
        {"by: [host], where: \"value > 5 && value < 3\", window: 1m, when: count() >= 1", NULL},
        {"by: [host], where: \"value > 5 || true\", window: 1m, when: count() >= 1", NULL},
        {"by: [host], where: value > 5, window: 1m, when: count() >= 1 && distinct(host) >= 2",
         NULL},
        {"by: [host], where: value > 5, window: 1m, when: count() >= -1", NULL},
        {"by: [host], vars: {a: value > 5}, where: value > 6, window: 1m, when: count() >= 1",
         NULL},
        {"by: [host], within: 1m, sequence: [{where: host == \"a\"}, {where: host == \"b\"}]",
         NULL},
        {"by: [host], within: 1m, sequence: [{where: host == \"a\"}, {where: hots == \"b\"}]",
         "there is no field \"hots\"; did you mean \"host\"?"},
        {"by: [host], where: value > 5, window: 1m, when: count() >= 1, wen: x",
         "a rule has no key \"wen\""},
    };
    char folder[] = "/tmp/tocsin-rules-XXXXXX", text[1024];
    const char *paths[] = {folder};

    (void)state;
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rule_set *set = NULL, *again = NULL;
        struct error err = {""};
        snprintf(text, sizeof(text),
                 "rules:\n  - {id: x, %s, incident: {title: t}, close: cleared()}\n", rows[i].rule);
        file_write(folder, "a.yaml", text);
        assert_int_equal(rule_set_load(paths, 1, &set, &err), -EINVAL);
        err.text[0] = '\0';
        int rc = rule_set_load_past(paths, 1, &set, &err);
        if (rc != (rows[i].refused == NULL ? 0 : -EINVAL) ||
            (rows[i].refused != NULL && strstr(err.text, rows[i].refused) == NULL))
            fail_msg("%s: %d, %s", rows[i].rule, rc, err.text);
        if (rc == 0) {
            assert_int_equal(rule_set_load_past(paths, 1, &again, &err), 0);
            assert_true(id128_equal(rule_set_hash(set), rule_set_hash(again)));
            rule_set_destroy(again);
            rule_set_destroy(set);
        }
    }
}

static void shipped_packs_load_together(void **state)
{
    const char *paths[] = {TESTS_DIR "/../rules/packs"};
    struct rule_set *set = NULL;
    struct error err = {""};

    (void)state;
    if (rule_set_load(paths, 1, &set, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(rule_set_count(set) >= 7);
    for (uint32_t i = 0; i < rule_set_count(set); i++) {
        /* A rule that ships says whom to call and where to read on, and ends by itself. */
        const struct rule *rule = rule_set_rule(set, i);
        if (rule->team[0] == '\0' || rule->runbook[0] == '\0' ||
            rule->quiet_count + rule->fewer_count == 0)
            fail_msg("%s lacks team, runbook or a time to close", rule->id);
    }
    rule_set_destroy(set);
}

/* What the manual shows must load: every fenced block of it that is a rule file (the story
 * rule_test runs the one that is a file of tests). */
static void rules_of_the_manual_load(void **state)
{
    FILE *file = fopen(TESTS_DIR "/../docs/rules.md", "r");
    static char line[4096], text[16384];
    bool is_inside = false;
    unsigned blocks = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "```yaml", 7) == 0) {
            is_inside = true;
            text[0] = '\0';
        } else if (is_inside && strncmp(line, "```", 3) == 0) {
            is_inside = false;
            if (strncmp(text, "tests:", 6) == 0)
                continue;
            rule_set_destroy(parse_good(text));
            blocks++;
        } else if (is_inside) {
            assert_true(strlen(text) + strlen(line) < sizeof(text));
            strcat(text, line);
        }
    }
    fclose(file);
    assert_int_equal(blocks, 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_rule_is_read),
        cmocka_unit_test(bounds_are_stated_or_inherited),
        cmocka_unit_test(empty_set_matches_nothing),
        cmocka_unit_test(limits_follow_the_constants),
        cmocka_unit_test(by_begins_with_the_tenant_and_keeps_its_order),
        cmocka_unit_test(rules_are_ordered_by_id_bytewise),
        cmocka_unit_test(form_is_what_carries_state),
        cmocka_unit_test(rules_that_read_what_changes_in_repeats_say_so),
        cmocka_unit_test(quiet_times_are_sorted_and_single),
        cmocka_unit_test(folder_is_read_by_name_and_ids_are_unique_over_files),
        cmocka_unit_test(what_is_no_file_is_refused_at_once),
        cmocka_unit_test(long_expressions_take_memory_in_proportion),
        cmocka_unit_test(mistakes_that_are_not_shown_are_counted),
        cmocka_unit_test(what_was_in_force_is_not_judged_again),
        cmocka_unit_test(shipped_packs_load_together),
        cmocka_unit_test(rules_of_the_manual_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
