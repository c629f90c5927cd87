/*
 * Aim: a configuration file means what docs/configuration.md says, and every mistake in
 * one is told with its place; nothing is half taken over. Method: files in memory and
 * in a folder of their own, compared with the whole sentence; all rows are walked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "daemon/brokers.h"
#include "daemon/config.h"
#include "daemon/input.h"
#include "tests/docs_page.h"

static struct config *parse(const char *text)
{
    struct config *config = NULL;
    struct error err = {{0}};
    int rc = config_parse("t.yaml", text, strlen(text), CONFIG_SECRETS_NEEDED, &config, &err);
    if (rc != 0)
        print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
    return config;
}

static void assert_refused(const char *text, const char *sentence)
{
    struct config *config = NULL;
    struct error err = {{0}};
    assert_int_equal(
        config_parse("t.yaml", text, strlen(text), CONFIG_SECRETS_NEEDED, &config, &err), -EINVAL);
    assert_null(config);
    assert_string_equal(err.text, sentence);
}

static void write_file(const char *path, const char *text)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(host_write_all(fd, text, strlen(text)), 0);
    h->close(h->self, fd);
}

static void without_a_file_the_defaults_run(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error err;
    assert_int_equal(config_load(NULL, CONFIG_SECRETS_NEEDED, &config, &err), 0);
    assert_string_equal(config->input.brokers, "127.0.0.1:9092");
    assert_string_equal(config->input.start, "latest");
    assert_int_equal(config->input.topics.count, 1);
    assert_string_equal(config->input.topics.item[0].topic, "events");
    assert_string_equal(config->input.topics.item[0].tenant, "default");
    assert_int_equal(config->input.topics.item[0].disorder_ms, 500);
    assert_int_equal(config->engine.epoch_ms, 20);
    assert_int_equal(config->engine.past_ms, 24 * 3600 * 1000);
    assert_int_equal(config->quarantine.bytes_max, 1 << 30);
    assert_int_equal(config->sinks.count, 0);
    assert_int_equal(config->rules.count, 1);
    assert_string_equal(config->rules.item[0], "demo");
    config_destroy(config);
    config = parse("# only a comment\n\n");
    config_destroy(config);
}

static void every_default_is_valid_and_every_row_has_help(void **state)
{
    (void)state;
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(keys[i].help);
        assert_true(length > 10 && keys[i].help[length - 1] == '.');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i].path, keys[j].path);
        /* A default that its own row refuses would leave the value zero: say it in a file. */
        if (keys[i].fallback == NULL || keys[i].fallback[0] == '\0' ||
            keys[i].kind == CONFIG_TOPICS || keys[i].kind == CONFIG_TEXTS ||
            strstr(keys[i].path, "[]") != NULL)
            continue;
        char text[256], section[64];
        size_t dot = strcspn(keys[i].path, ".");
        snprintf(section, sizeof(section), "%.*s", (int)dot, keys[i].path);
        snprintf(text, sizeof(text), "%s:\n  %s: \"%s\"\n", section, keys[i].path + dot + 1,
                 keys[i].fallback);
        config_destroy(parse(text));
    }
}

static void a_full_file_reaches_the_engine_and_the_outbox(void **state)
{
    (void)state;
    struct config *config =
        parse("input:\n"
              "  brokers: k1:9092,k2:9092\n"
              "  mode: group\n"
              "  start: 2026-02-01T00:00:00Z\n"
              "  topics:\n"
              "    - topic: alerts\n"
              "      format: alertmanager\n"
              "      disorder: 0\n"
              "      tenant: acme\n"
              "      tenant_fixed: true\n"
              "    - {topic: logs, log_append_time: true, gaps_expected: true}\n"
              "  properties:\n"
              "    security.protocol: SSL\n"
              "engine:\n"
              "  workers: 3\n"
              "  flap: {window: 5m}\n"
              "  flap.start: 8\n"
              "quotas:\n"
              "  events: 100\n"
              "  tracked: {max: 500}\n"
              "  tenants:\n"
              "    - {tenant: acme, events: 2000, burst: 3000}\n"
              "    - {tenant: own, events: 0}\n"
              "shedding: {behind: 5m, below: minor, for: 45s}\n"
              "rules: [mine.yaml, /etc/more/]\n"
              "sinks:\n"
              "  - {name: hook, type: webhook, priority: P2,\n"
              "     options: {url: \"http://127.0.0.1:1/\"}}\n");
    struct engine_config engine = {.seal_ms = 10, .seed = 7};
    struct outbox_config outbox = {0};
    assert_int_equal(config_fill_engine(config, &engine), 0);
    assert_int_equal(config_fill_outbox(config, &outbox), 0);
    assert_int_equal(config->input.mode, INPUT_GROUP);
    assert_string_equal(config->input.properties.item[0].name, "security.protocol");
    assert_int_equal(engine.workers, 3);
    assert_int_equal(engine.flap_window_ms, 300000);
    assert_int_equal(engine.flap_start, 8);
    assert_int_equal(engine.flap_stop, 2);
    assert_int_equal(engine.seed, 7); /* what is no key is left alone */
    assert_int_equal(engine.topic_count, 3);
    assert_null(engine.topics[2].topic); /* the row of all others */
    assert_int_equal(engine.topics[2].disorder_ms, 500);
    assert_int_equal(engine.topics[0].format, FORMAT_ALERTMANAGER);
    assert_int_equal(engine.topics[0].disorder_ms, 0);
    assert_true(engine.topics[0].tenant_fixed);
    assert_string_equal(engine.topics[1].topic, "logs");
    assert_true(engine.topics[1].log_append_time && engine.topics[1].gaps_expected);
    assert_int_equal(engine.topics[1].disorder_ms, 500);
    assert_int_equal(engine.quotas.events, 100);
    assert_int_equal(engine.quotas.burst, 1000); /* ten seconds' worth */
    assert_int_equal(engine.quotas.tenants_max, 500);
    assert_int_equal(engine.quotas.tenant_count, 2);
    assert_string_equal(engine.quotas.tenants[0].tenant, "acme");
    assert_int_equal(engine.quotas.tenants[0].events, 2000);
    assert_int_equal(engine.quotas.tenants[0].burst, 3000);
    assert_int_equal(engine.quotas.tenants[1].events, 0);
    assert_int_equal(engine.shedding.behind_ms, 300000);
    assert_int_equal(engine.shedding.for_ms, 45000);
    assert_int_equal(engine.shedding.until_ms, 150000); /* half of it */
    assert_int_equal(engine.shedding.below, SEVERITY_MINOR);
    assert_int_equal(engine.sink_count, 1);
    assert_string_equal(engine.sink_names[0], "hook");
    assert_int_equal(engine.sink_priority_max[0], PRIORITY_P2);
    assert_int_equal(outbox.sink_count, 1);
    assert_string_equal(outbox.sinks[0].option[0].key, "url");
    assert_string_equal(outbox.sinks[0].option[0].value, "http://127.0.0.1:1/");
    assert_int_equal(outbox.bytes_max, 1 << 30);
    assert_string_equal(config->rules.item[0], "mine.yaml");
    assert_string_equal(config->rules.item[1], "/etc/more/");
    config_destroy(config);
}

static void every_mistake_is_told_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"engin:\n  workers: 2\n", "t.yaml:1:1: there is no key 'engin' here; did you mean "
                                   "'engine'?\n    engin:\n    ^~~~~"},
        {"engine:\n  wrokers: 2\n", "t.yaml:2:3: there is no key 'wrokers' here; did you mean "
                                    "'workers'?\n      wrokers: 2\n      ^~~~~~~"},
        {"input:\n  topics:\n    - topic: a\n      tenent: x\n",
         "t.yaml:4:7: there is no key 'tenent' here; did you mean 'tenant'?\n"
         "          tenent: x\n          ^~~~~~"},
        {"engine:\n  workers: many\n", "t.yaml:2:12: engine.workers: 'many' is not a whole number\n"
                                       "      workers: many\n               ^~~~"},
        /* Alerts beyond would have no numbers. */
        {"engine: {alerts.max: 200000001}\n", "t.yaml:1:22: engine.alerts.max: 200000001 is out of "
                                              "range, it must be from 1 to 200000000\n"
                                              "    engine: {alerts.max: 200000001}\n"
                                              "                         ^~~~~~~~~"},
        {"engine:\n  workers: 65\n",
         "t.yaml:2:12: engine.workers: 65 is out of range, it must be from 0 to 64\n"
         "      workers: 65\n               ^~"},
        {"engine:\n  slack: 10ms\n",
         "t.yaml:2:10: engine.slack: 10ms is too small, it must be at least 50ms\n"
         "      slack: 10ms\n             ^~~~"},
        {"engine:\n  expire: 5\n",
         "t.yaml:2:11: engine.expire: '5' is not a duration: write it like 500ms, 30s, 10m, 2h, 1d "
         "or 1h30m\n      expire: 5\n              ^"},
        {"engine:\n  epoch: 30ms\n",
         "t.yaml:2:10: engine.epoch: 30ms does not divide engine.round, 200ms\n"
         "      epoch: 30ms\n             ^~~~"},
        {"engine:\n  flap: {start: 3, stop: 3}\n",
         "t.yaml:2:26: engine.flap.stop: 3 must be less than engine.flap.start, 3\n"
         "      flap: {start: 3, stop: 3}\n                             ^"},
        {"engine: [1]\n", "t.yaml:1:9: engine: expected a map, not a list\n"
                          "    engine: [1]\n            ^"},
        {"input:\n  accept_gap: yes\n", "t.yaml:2:15: input.accept_gap: 'yes' is neither true nor "
                                        "false\n      accept_gap: yes\n                  ^~~"},
        {"input:\n  start: now\n", "t.yaml:2:10: input.start: 'now' is neither earliest, latest "
                                   "nor a time like 2026-02-01T10:00:00Z\n"
                                   "      start: now\n             ^~~"},
        {"log:\n  level: warn\n",
         "t.yaml:2:10: log.level: 'warn' is not one of: debug info warning error; did you mean "
         "\"warning\"?\n      level: warn\n             ^~~~"},
        {"admin:\n  listen: a b:9099\n", "t.yaml:2:11: admin.listen: 'a b:9099' is not an address: "
                                         "write it like 127.0.0.1:9099, or "
                                         "off\n      listen: a b:9099\n              ^~~~~~~~"},
        {"input:\n  mode: shared\n",
         "t.yaml:2:9: input.mode: 'shared' is not one of: assign group\n"
         "      mode: shared\n            ^~~~~~"},
        {"input:\n  topics: []\n", "t.yaml:2:11: input.topics: at least one topic is needed\n"
                                   "      topics: []\n              ^"},
        {"input:\n  topics:\n    - format: auto\n",
         "t.yaml:3:7: 'topic' is missing here\n        - format: auto\n          ^"},
        {"input:\n  topics:\n    - topic: a\n    - topic: a\n",
         "t.yaml:4:7: the topic 'a' is listed twice\n        - topic: a\n          ^"},
        {"quotas:\n  tenants:\n    - {tenant: a, events: 1}\n    - {tenant: a, events: 2}\n",
         "t.yaml:4:7: the tenant 'a' is listed twice\n"
         "        - {tenant: a, events: 2}\n          ^"},
        {"quotas:\n  tenants:\n    - {tenant: a}\n", "t.yaml:3:7: 'events' is missing here\n"
                                                     "        - {tenant: a}\n          ^"},
        {"quotas:\n  tenants:\n    - {tenant: \"@tocsin\", events: 1}\n",
         "t.yaml:3:17: what tocsin says of itself is not limited\n"
         "        - {tenant: \"@tocsin\", events: 1}\n                    ^~~~~~~"},
        {"quotas:\n  tenants:\n    - {tenant: \"a\\tb\", events: 1}\n",
         "t.yaml:3:17: the name of a tenant has no control characters\n"
         "        - {tenant: \"a\\tb\", events: 1}\n                    ^~~~"},
        {"quotas:\n  event: 10\n", "t.yaml:2:3: there is no key 'event' here; did you mean "
                                   "'events'?\n      event: 10\n      ^~~~~"},
        {"shedding:\n  behind: 10ms\n",
         "t.yaml:2:11: shedding.behind: 10ms is too small: at least 1s, or 0s to leave nothing "
         "out\n      behind: 10ms\n              ^~~~"},
        {"shedding:\n  behind: 10s\n  until: 10s\n",
         "t.yaml:3:10: shedding.until: 10s must be less than shedding.behind, 10s\n"
         "      until: 10s\n             ^~~"},
        {"shedding:\n  until: 10s\n",
         "t.yaml:2:10: shedding.until: without shedding.behind nothing is left out that could "
         "end\n      until: 10s\n             ^~~"},
        {"shedding:\n  below: fatal\n",
         "t.yaml:2:10: shedding.below: 'fatal' is not one of: debug info warning minor major "
         "critical\n      below: fatal\n             ^~~~~"},
        {"shedding:\n  for: 1ms\n", "t.yaml:2:8: shedding.for: 1ms is out of range, it must be "
                                    "from 1s to 1d\n      for: 1ms\n           ^~~"},
        {"admin:\n  listen: somewhere\n", "t.yaml:2:11: admin.listen: 'somewhere' is not an "
                                          "address: write it like 127.0.0.1:9099, or "
                                          "off\n      listen: somewhere\n              ^~~~~~~~~"},
        {"sinks:\n  - name: a\n", "t.yaml:2:5: 'type' is missing here\n      - name: a\n        ^"},
        {"engine:\n  flap: {stop: 1}\n  flap.stop: 2\n",
         "t.yaml:3:3: engine.flap.stop is given twice\n      flap.stop: 2\n      ^~~~~~~~~"},
        {"input:\n  properties: {sasl.password: \"env:TOCSIN_TEST_UNSET\"}\n",
         "t.yaml:2:32: sasl.password: the environment variable TOCSIN_TEST_UNSET is not set\n"
         "      properties: {sasl.password: \"env:TOCSIN_TEST_UNSET\"}\n"
         "                                   ^~~~~~~~~~~~~~~~~~~~~"},
        {"input:\n  properties: {ssl.key.password: \"file:/nonexistent/s\"}\n",
         "t.yaml:2:35: ssl.key.password: /nonexistent/s cannot be read: No such file or directory\n"
         "      properties: {ssl.key.password: \"file:/nonexistent/s\"}\n"
         "                                      ^~~~~~~~~~~~~~~~~~~"},
        {"rules: \"\"\n", "t.yaml:1:8: rules: expected a list, not text\n"
                          "    rules: \"\"\n           ^~"},
        {"sinks: [{name: '', type: webhook}]\n",
         "t.yaml:1:16: sinks[].name: must not be empty\n"
         "    sinks: [{name: '', type: webhook}]\n                   ^~"},
        {"sinks:\n  - name: a\n    type: slack\n",
         "t.yaml:3:11: sink a: unknown type \"slack\"; there are: pagerduty, servicenow, webhook, "
         "zendesk\n"
         "        type: slack\n              ^~~~~"},
        {"sinks:\n  - name: a\n    type: pagerduty\n    options: {routing_key: abc}\n",
         "t.yaml:4:28: sink a: option \"routing_key\": has 3 characters and must have 32\n"
         "        options: {routing_key: abc}\n                               ^~~"},
        {"history:\n  timezone: Europe/Zuerich\n",
         "t.yaml:2:13: history.timezone: there is no time zone \"Europe/Zuerich\" in "
         "/usr/share/zoneinfo; did you mean \"Europe/Zurich\"?\n"
         "      timezone: Europe/Zuerich\n                ^~~~~~~~~~~~~~"},
        {"history: {timezone: \"\"}\n",
         "t.yaml:1:22: history.timezone: a time zone is written as in \"Europe/Zurich\" or "
         "\"UTC\"\n    history: {timezone: \"\"}\n                         ^"},
        {"- a\n", "t.yaml:1:1: a configuration is a map of sections, not a list\n    - a\n    ^"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i].text, cases[i].sentence);
}

/* Brokers that nobody could reach: where the carets stand, and what is wrong. */
static void wrong_brokers_are_pointed_at(void **state)
{
    static const struct {
        const char *brokers;
        int column, carets; /* in the list, from 1 */
        const char *sentence;
    } cases[] = {
        {"a:0", 3, 1, "the port '0' is no number from 1 to 65535"},
        {"a:9092,b:65536", 10, 5, "the port '65536' is no number from 1 to 65535"},
        {"a:9092, b:70000, c", 11, 5, "the port '70000' is no number from 1 to 65535"},
        {"a:99999999999999999999", 3, 20,
         "the port '99999999999999999999' is no number from 1 to 65535"},
        {"a:-1", 3, 2, "the port '-1' is no number from 1 to 65535"},
        {"a:9092x", 3, 5, "the port '9092x' is no number from 1 to 65535"},
        {"a:http", 3, 4, "the port 'http' is no number from 1 to 65535"},
        {"a:", 1, 2, "'a:' has no port behind its colon"},
        {":9092", 1, 5, "':9092' has no host before its port"},
        {"a:9092,:9092", 8, 5, "':9092' has no host before its port"},
        {"a:9092,", 8, 1, "a broker is missing here, beside a comma"},
        {",a:9092", 1, 1, "a broker is missing here, beside a comma"},
        {"a:9092, ,b", 9, 1, "a broker is missing here, beside a comma"},
        {"a b:9092", 1, 3, "'a b' is no name of a host"},
        {"a/b:9092", 1, 3, "'a/b' is no name of a host"},
        {"http://a:9092", 1, 4,
         "'http' is no protocol of Kafka: it is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, or "
         "left "
         "out"},
        {"SS://a:1", 1, 2,
         "'SS' is no protocol of Kafka: it is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, or left "
         "out"},
        {"SSL://:1", 1, 8, "'SSL://:1' has no host before its port"},
        {"::1", 1, 3, "an IPv6 address stands in brackets: [::1]:9092"},
        {"2001:db8::7:9092", 1, 16, "an IPv6 address stands in brackets: [::1]:9092"},
        {"[::1", 1, 4, "'[::1' has no ] behind its address"},
        {"[]:9092", 1, 2, "'[]' is no IPv6 address, and nothing else stands in brackets"},
        {"[host]:9092", 1, 6, "'[host]' is no IPv6 address, and nothing else stands in brackets"},
        {"[fe80::xyz]:1", 1, 11,
         "'[fe80::xyz]' is no IPv6 address, and nothing else stands in brackets"},
        {"[1:2:3:4:5:6:7:8:9:a]", 1, 21,
         "'[1:2:3:4:5:6:7:8:9:a]' is no IPv6 address, and nothing else stands in brackets"},
        {"[::1]9092", 6, 4, "behind ] comes a colon and the port: [::1]:9092"},
        {"[::1]:0", 7, 1, "the port '0' is no number from 1 to 65535"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128], expected[512], carets[32] = "^~~~~~~~~~~~~~~~~~~~~~~~~";
        carets[cases[i].carets] = '\0';
        snprintf(text, sizeof(text), "input:\n  brokers: \"%s\"\n", cases[i].brokers);
        snprintf(expected, sizeof(expected),
                 "t.yaml:2:%d: input.brokers: %s\n      brokers: \"%s\"\n%*s%s",
                 cases[i].column + 12, cases[i].sentence, cases[i].brokers, cases[i].column + 15,
                 "", carets);
        assert_refused(text, expected);
    }
}

static void good_brokers_are_taken(void **state)
{
    static const char *const lists[] = {
        "a:1",
        "kafka-1.example_net:65535, 10.0.0.7:9092",
        " a:9092 , b ",
        "a",
        "[::1]:9092",
        "[2001:db8::7]",
        "[fe80::1%eth0]:9092,[::ffff:10.0.0.1]:9092",
        "SASL_SSL://a:9093,plaintext://[::1]:9092",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "input:\n  brokers: \"%s\"\n", lists[i]);
        struct config *config = parse(text);
        struct error err = {""};
        assert_string_equal(config->input.brokers, lists[i]);
        assert_int_equal(input_check(config, &err), 0);
        config_destroy(config);
    }
}

static void the_name_of_a_broker_has_an_end(void **state)
{
    struct brokers_fault fault;
    char list[260];

    (void)state;
    memset(list, 'a', sizeof(list));
    list[253] = '\0';
    assert_true(brokers_check(list, &fault));
    list[253] = 'a';
    list[254] = '\0';
    assert_false(brokers_check(list, &fault));
    assert_string_equal(fault.why.text, "a host's name has at most 253 characters");
    assert_int_equal(fault.to, 254);
}

static void two_mistakes_are_told_at_once(void **state)
{
    (void)state;
    assert_refused("log:\n  level: loud\n  fromat: json\n",
                   "t.yaml:2:10: log.level: 'loud' is not one of: debug info warning error\n"
                   "      level: loud\n             ^~~~\n"
                   "t.yaml:3:3: there is no key 'fromat' here; did you mean 'format'?\n"
                   "      fromat: json\n      ^~~~~~");
}

static void a_wrong_sink_option_is_pointed_at(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error err = {{0}};
    const char *text = "sinks:\n  - name: hook\n    type: webhook\n    options:\n"
                       "      urll: x\n      url: http://127.0.0.1:1/\n";
    assert_int_equal(
        config_parse("t.yaml", text, strlen(text), CONFIG_SECRETS_NEEDED, &config, &err), -EINVAL);
    assert_ptr_equal(strstr(err.text, "t.yaml:5:7: "), err.text);
    assert_non_null(strstr(err.text, "urll"));
}

/* Each in the place of a configuration: one sentence, and not one for each of its keys. */
static void other_files_are_told_for_what_they_are(void **state)
{
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"rules:\n  - id: r\n    where: x\n",
         "t.yaml:1:1: this is a rule file, and no configuration: --rules takes it, and the "
         "configuration names it under rules\n    rules:\n    ^~~~~"},
        {"inhibit: []\nbounds: {}\n", "t.yaml:1:1: this is a rule file, and no configuration: "},
        {"tests: []\n", "t.yaml:1:1: this is a file of tests: tocsin test runs it\n"},
        {"{\"check\": \"b\", \"resource\": \"a\"}\n",
         "t.yaml:1:17: this is an event, and no configuration\n"},
        {"rules: {}\n", "t.yaml:1:8: rules: expected a list"},
    };
    struct config *config = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {{0}};
        assert_int_equal(config_parse("t.yaml", cases[i].text, strlen(cases[i].text),
                                      CONFIG_SECRETS_NEEDED, &config, &err),
                         -EINVAL);
        assert_ptr_equal(strstr(err.text, cases[i].line), err.text);
        assert_null(strstr(err.text + 1, "t.yaml:"));
    }
}

static void secrets_may_be_absent_where_nobody_needs_them(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error err = {{0}};
    const char *text = "input:\n  properties:\n    sasl.password: env:TOCSIN_TEST_UNSET\n"
                       "    sasl.username: me\n"
                       "sinks:\n  - {name: a, type: pagerduty, options: "
                       "{routing_key: \"file:/nonexistent/s\"}}\n";
    assert_int_equal(
        config_parse("t.yaml", text, strlen(text), CONFIG_SECRETS_NEEDED, &config, &err), -EINVAL);
    assert_int_equal(
        config_parse("t.yaml", text, strlen(text), CONFIG_SECRETS_MAY_BE_ABSENT, &config, &err), 0);
    assert_int_equal(config->absent_count, 2);
    assert_string_equal(config->absent,
                        "sasl.password: the environment variable TOCSIN_TEST_UNSET is not set");
    assert_true(config->input.properties.item[0].is_absent);
    assert_false(config->input.properties.item[1].is_absent);
    assert_int_equal(input_check(config, &err), 0);
    config_destroy(config);
    /* The name is looked at though the value is not known. */
    text = "input:\n  properties: {no.such.property: \"env:TOCSIN_TEST_UNSET\"}\n";
    assert_int_equal(
        config_parse("t.yaml", text, strlen(text), CONFIG_SECRETS_MAY_BE_ABSENT, &config, &err), 0);
    assert_int_equal(input_check(config, &err), -EINVAL);
    assert_non_null(strstr(err.text, "no.such.property"));
    config_destroy(config);
}

static void a_token_that_a_run_would_refuse_is_told_at_its_place(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error err = {{0}};
    const char *text = "admin:\n  tokens: {ada: \"env:TOCSIN_TEST_TOKEN\"}\n";

    setenv("TOCSIN_TEST_TOKEN", "fifteen-of-them", 1);
    assert_int_equal(
        config_parse("t.yaml", text, strlen(text), CONFIG_SECRETS_MAY_BE_ABSENT, &config, &err),
        -EINVAL);
    assert_string_equal(err.text,
                        "t.yaml:2:18: admin.tokens: ada: a token has at least 16 characters\n"
                        "      tokens: {ada: \"env:TOCSIN_TEST_TOKEN\"}\n"
                        "                     ^~~~~~~~~~~~~~~~~~~~~");
    setenv("TOCSIN_TEST_TOKEN", "sixteen-of-them.", 1);
    assert_int_equal(
        config_parse("t.yaml", text, strlen(text), CONFIG_SECRETS_MAY_BE_ABSENT, &config, &err), 0);
    config_destroy(config);
    unsetenv("TOCSIN_TEST_TOKEN");
    text = "admin:\n  tokens: {ada: some-text-of-it-own}\n";
    assert_int_equal(
        config_parse("t.yaml", text, strlen(text), CONFIG_SECRETS_MAY_BE_ABSENT, &config, &err),
        -EINVAL);
    assert_non_null(strstr(err.text, "t.yaml:2:17: admin.tokens: ada: a secret is written env:"));
}

static void print(void *self, const struct config_key *key, const char *name, const char *value)
{
    (void)key;
    fprintf(self, "%s=%s\n", name, value);
}

static void secrets_stay_where_they_are_and_are_never_shown(void **state)
{
    (void)state;
    char folder[] = "/tmp/tocsin_test_config_XXXXXX", path[128], text[512];
    struct config *config = NULL;
    struct error err = {{0}};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/secret", folder);
    write_file(path, "from-the-file\n");
    setenv("TOCSIN_TEST_SECRET", "from-the-environment", 1);
    snprintf(text, sizeof(text),
             "input:\n  properties:\n    sasl.password: env:TOCSIN_TEST_SECRET\n"
             "    ssl.key.password: file:secret\n    sasl.oauthbearer.token: plain-secret\n");
    snprintf(path, sizeof(path), "%s/t.yaml", folder);
    assert_int_equal(config_parse(path, text, strlen(text), CONFIG_SECRETS_NEEDED, &config, &err),
                     0);
    assert_string_equal(config->input.properties.item[0].value, "env:TOCSIN_TEST_SECRET");
    snprintf(path, sizeof(path), "file:%s/secret", folder);
    assert_string_equal(config->input.properties.item[1].value, path);
    assert_string_equal(config->input.properties.item[2].value, "plain-secret");
    char *shown = NULL;
    size_t bytes;
    FILE *to = open_memstream(&shown, &bytes);
    assert_non_null(to);
    config_walk(config, print, to);
    fclose(to);
    assert_null(strstr(shown, "from-the"));
    assert_null(strstr(shown, "plain-secret"));
    assert_non_null(strstr(shown, "sasl.password=env:TOCSIN_TEST_SECRET\n"));
    assert_non_null(strstr(shown, "sasl.oauthbearer.token=***\n"));
    free(shown);
    config_destroy(config);
    snprintf(path, sizeof(path), "%s/secret", folder);
    unlink(path);
    rmdir(folder);
}

static void one_file_of_rules_needs_no_list(void **state)
{
    static const char *const rows[][2] = {{"mine.yaml", "/etc/tocsin/mine.yaml"},
                                          {"/abs/rules/", "/abs/rules/"},
                                          {"storage", "storage"}}; /* a shipped pack */

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *config = NULL;
        struct error err = {{0}};
        char text[100];
        snprintf(text, sizeof(text), "rules: %s\n", rows[i][0]);
        if (config_parse("/etc/tocsin/t.yaml", text, strlen(text), CONFIG_SECRETS_NEEDED, &config,
                         &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(config->rules.count, 1);
        assert_string_equal(config->rules.item[0], rows[i][1]);
        config_destroy(config);
    }
}

static void paths_start_at_the_folder_of_the_file(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error err = {{0}};
    const char *text = "rules: [rules/a.yaml, storage, /abs/b.yaml]\nquarantine: {path: q.log}\n"
                       "incident_log: {path: i.log}\nmarks: {path: m.log}\ndata: {dir: data}\n";
    assert_int_equal(config_parse("/etc/tocsin/t.yaml", text, strlen(text), CONFIG_SECRETS_NEEDED,
                                  &config, &err),
                     0);
    assert_string_equal(config->rules.item[0], "/etc/tocsin/rules/a.yaml");
    assert_string_equal(config->rules.item[1], "storage"); /* a shipped pack */
    assert_string_equal(config->rules.item[2], "/abs/b.yaml");
    assert_string_equal(config->quarantine.path, "/etc/tocsin/q.log");
    assert_string_equal(config->incident_log.path, "/etc/tocsin/i.log");
    assert_string_equal(config->marks.path, "/etc/tocsin/m.log");
    assert_string_equal(config->data.dir, "/etc/tocsin/data");
    config_destroy(config);
}

static void a_reload_names_the_keys_that_need_a_restart(void **state)
{
    (void)state;
    struct config *old = parse("engine: {workers: 2}\nlog: {level: info}\nrules: [a.yaml]\n");
    struct config *live = parse("engine: {workers: 2}\nlog: {level: debug}\nrules: [b.yaml]\n");
    struct config *other = parse("engine: {workers: 3}\nlog: {level: info}\n"
                                 "input: {topics: [{topic: events, disorder: 1s}]}\n");
    char names[256];
    assert_int_equal(config_restart_keys(old, live, names, sizeof(names)), 0);
    assert_string_equal(names, "");
    assert_int_equal(config_restart_keys(old, other, names, sizeof(names)), 2);
    assert_string_equal(names, "input.topics,engine.workers");
    config_destroy(old);
    config_destroy(live);
    config_destroy(other);
}

static void the_sample_that_ships_is_accepted(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct error err = {{0}};
    assert_int_equal(
        config_load(TESTS_DIR "/../packaging/tocsin.yaml", CONFIG_SECRETS_NEEDED, &config, &err),
        0);
    config_destroy(config);
}

static void the_reference_in_docs_is_made_from_the_rows(void **state)
{
    (void)state;
    assert_page_holds("configuration.md", config_print_reference, "tocsin check --keys");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_the_defaults_run),
        cmocka_unit_test(every_default_is_valid_and_every_row_has_help),
        cmocka_unit_test(a_full_file_reaches_the_engine_and_the_outbox),
        cmocka_unit_test(every_mistake_is_told_with_its_place),
        cmocka_unit_test(wrong_brokers_are_pointed_at),
        cmocka_unit_test(good_brokers_are_taken),
        cmocka_unit_test(the_name_of_a_broker_has_an_end),
        cmocka_unit_test(two_mistakes_are_told_at_once),
        cmocka_unit_test(a_wrong_sink_option_is_pointed_at),
        cmocka_unit_test(other_files_are_told_for_what_they_are),
        cmocka_unit_test(secrets_may_be_absent_where_nobody_needs_them),
        cmocka_unit_test(a_token_that_a_run_would_refuse_is_told_at_its_place),
        cmocka_unit_test(secrets_stay_where_they_are_and_are_never_shown),
        cmocka_unit_test(one_file_of_rules_needs_no_list),
        cmocka_unit_test(paths_start_at_the_folder_of_the_file),
        cmocka_unit_test(a_reload_names_the_keys_that_need_a_restart),
        cmocka_unit_test(the_sample_that_ships_is_accepted),
        cmocka_unit_test(the_reference_in_docs_is_made_from_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
