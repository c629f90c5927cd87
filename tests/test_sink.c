/*
 * Aim: a sink's options are checked with one clear sentence, read from where they
 * point to, documented, and never shown when secret. Method: walk every row of every
 * table; wrong configurations as rows with the words their sentence must hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "sink_fixture.h"

#define KEY32 "0123456789abcdef0123456789abcdef"

struct pair {
    const char *key, *value;
};

static struct sink_config config_of(const char *type, const struct pair *pairs, size_t count)
{
    struct sink_config config = {.name = "s", .type = type, .option_count = count};

    for (size_t i = 0; i < count; i++) {
        config.option[i].key = pairs[i].key;
        config.option[i].value = pairs[i].value;
    }
    return config;
}

/* Calls `see` with every row that a sink of some type has. */
static void walk_rows(void (*see)(const struct sink_type *type, const struct sink_option *row,
                                  void *arg),
                      void *arg)
{
    for (size_t t = 0; t < sink_type_count; t++) {
        for (size_t i = 0; i < sink_types[t]->option_count; i++)
            see(sink_types[t], &sink_types[t]->options[i], arg);
        for (size_t i = 0; i < sink_common_option_count; i++)
            see(sink_types[t], &sink_common_options[i], arg);
    }
}

static void check_row(const struct sink_type *type, const struct sink_option *row, void *arg)
{
    size_t same = 0, *rows = arg;

    (*rows)++;
    assert_true(strlen(row->help) > 20);
    assert_int_equal(row->help[strlen(row->help) - 1], '.');
    for (size_t i = 0; i < type->option_count; i++)
        same += strcmp(type->options[i].name, row->name) == 0;
    for (size_t i = 0; i < sink_common_option_count; i++)
        same += strcmp(sink_common_options[i].name, row->name) == 0;
    assert_int_equal(same, 1);
    if (row->kind == OPT_COUNT || row->kind == OPT_MS)
        assert_true(row->min < row->max);
}

static void every_row_has_help_and_a_name_of_its_own(void **state)
{
    size_t rows = 0;

    (void)state;
    walk_rows(check_row, &rows);
    assert_true(rows > 20);
}

static void every_default_is_valid(void **state)
{
    /* The required options given, all others at their defaults. */
    static const struct pair pd[] = {{"routing_key", KEY32}}, hook[] = {{"url", "http://a/"}};
    static const struct pair desk[] = {{"url", "http://a/"}, {"token", "1234"}};
    struct sink_config configs[] = {config_of("pagerduty", pd, 1), config_of("webhook", hook, 1),
                                    config_of("servicenow", desk, 2),
                                    config_of("zendesk", desk, 2)};
    struct error err = {""};

    (void)state;
    assert_int_equal(sink_type_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(sink_config_check(&configs[i], &err), 0);
        assert_string_equal(err.text, "");
    }
}

static void the_name_of_a_sink_is_bounded(void **state)
{
    static const struct pair pd[] = {{"routing_key", KEY32}};
    struct sink_config config = config_of("pagerduty", pd, 1);
    struct error err = {""};
    char name[102];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[101] = '\0';
    config.name = name;
    assert_int_equal(sink_config_check(&config, &err), -EINVAL);
    assert_string_equal(err.text, "sink nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...: "
                                  "the name of a sink has at most 100 bytes");
    name[100] = '\0';
    assert_int_equal(sink_config_check(&config, &err), 0);
}

static void wrong_configurations_get_one_clear_sentence(void **state)
{
    static const struct {
        const char *type;
        struct pair pairs[3];
        size_t count;
        const char *says[3];
    } rows[] = {
        {"pagerdutty",
         {{0}},
         0,
         {"sink s: unknown type \"pagerdutty\"", "pagerduty, servicenow, webhook, zendesk"}},
        {"pagerduty", {{0}}, 0, {"option \"routing_key\" is missing", "Integration key"}},
        {"pagerduty", {{"routing_key", "short"}}, 1, {"routing_key", "5 characters", "32"}},
        {"pagerduty",
         {{"routing_kee", KEY32}},
         1,
         {"unknown option \"routing_kee\"", "routing_key, url", "timeout_ms"}},
        {"webhook", {{"url", "ftp://a/"}}, 1, {"option \"url\"", "https:// or http://"}},
        {"webhook", {{"url", "https:///x"}}, 1, {"option \"url\"", "must be a URL"}},
        {"webhook", {{"url", ""}}, 1, {"option \"url\"", "must be a URL"}},
        {"webhook", {{"url", "https://u:p4ss@a/x"}}, 1, {"user name", "header.Authorization"}},
        {"webhook", {{"url", "http://a/"}, {"url", "http://b/"}}, 2, {"\"url\" is given twice"}},
        {"webhook",
         {{"url", "http://a/"}, {"timeout_ms", "fast"}},
         2,
         {"option \"timeout_ms\"", "a number from 100 to 300000"}},
        {"webhook", {{"url", "http://a/"}, {"timeout_ms", "99"}}, 2, {"from 100 to 300000"}},
        {"webhook", {{"url", "http://a/"}, {"burst", "0"}}, 2, {"from 1 to 1000000"}},
        {"webhook", {{"url", "http://a/"}, {"burst", "-1"}}, 2, {"from 1 to 1000000"}},
        {"webhook", {{"url", "http://a/"}, {"burst", "99999999999999999999999"}}, 2, {"from 1"}},
        {"webhook", {{"url", "http://a/"}, {"idempotent", "yes"}}, 2, {"must be true or false"}},
        {"webhook", {{"url", "http://a/"}, {"secret", "env:"}}, 2, {"names nothing"}},
        {"webhook",
         {{"url", "http://a/"}, {"proxy", "proxy:3128"}},
         2,
         {"option \"proxy\"", "http://[USER:PASSWORD@]HOST:PORT"}},
        {"webhook", {{"url", "http://a/"}, {"proxy", "http://"}}, 2, {"the URL of a proxy"}},
        {"webhook", {{"url", "http://a/"}, {"proxy", "http://p/x"}}, 2, {"the URL of a proxy"}},
        {"webhook", {{"url", "http://a/"}, {"proxy", "socks5://p"}}, 2, {"the URL of a proxy"}},
        {"webhook",
         {{"url", "http://a/"}, {"client_key", "k.pem"}},
         2,
         {"option \"client_key\"", "needs its certificate"}},
        {"webhook",
         {{"url", "http://a/"}, {"header.", "x"}},
         2,
         {"not the name of an HTTP header"}},
        {"webhook", {{"url", "http://a/"}, {"header.a b", "x"}}, 2, {"not the name"}},
        {"webhook",
         {{"url", "http://a/"}, {"header.tocsin-signature", "x"}},
         2,
         {"set by tocsin itself"}},
        {"webhook",
         {{"url", "http://a/"}, {"header.Tocsin-Attempt", "1"}},
         2,
         {"by tocsin itself"}},
        {"webhook",
         {{"url", "http://a/"}, {"cloudevents", "true"}, {"header.Ce-Id", "1"}},
         3,
         {"set by tocsin itself"}},
        {"webhook",
         {{"url", "http://a/"}, {"header.X", "a\r\nEvil: 1"}},
         2,
         {"option \"header.X\"", "control character"}},
        {"webhook", {{"url", "http://a/"}, {"header.Host", "x"}}, 2, {"set by tocsin itself"}},
        {"webhook",
         {{"url", "http://a/"}, {"signature_header", "a b"}},
         2,
         {"not the name of an HTTP header"}},
        {"webhook",
         {{"url", "http://a/"}, {"signature_header", "content-type"}},
         2,
         {"option \"signature_header\"", "\"content-type\"", "set by tocsin itself"}},
        {"webhook",
         {{"url", "http://a/"}, {"timestamp_header", "Host"}},
         2,
         {"option \"timestamp_header\"", "\"Host\"", "set by tocsin itself"}},
        {"webhook",
         {{"url", "http://a/"}, {"cloudevents", "true"}, {"timestamp_header", "Ce-Time"}},
         3,
         {"option \"timestamp_header\"", "\"Ce-Time\"", "set by tocsin itself"}},
        {"webhook",
         {{"url", "http://a/"}, {"signature_header", "X-Sign"}, {"timestamp_header", "x-sign"}},
         3,
         {"option \"timestamp_header\"", "\"x-sign\" is the signature_header already"}},
        {"pagerduty", {{"routing_key", KEY32}, {"header.X", "y"}}, 2, {"unknown option"}},
        {"servicenow",
         {{"url", "http://a/"}},
         1,
         {"needs one of: \"user\" and \"password\", \"token\", \"api_key\""}},
        {"servicenow",
         {{"url", "http://a/"}, {"user", "u"}},
         2,
         {"option \"user\": is given without \"password\""}},
        {"servicenow",
         {{"url", "http://a/"}, {"password", "env:P"}},
         2,
         {"option \"password\": is given without \"user\""}},
        {"servicenow",
         {{"url", "http://a/"}, {"token", "env:T"}, {"api_key", "env:K"}},
         3,
         {"needs one of", "it has several"}},
        {"servicenow",
         {{"url", "http://a/"}, {"token", "env:T"}, {"table", "x/../y"}},
         3,
         {"option \"table\": is no name of a table"}},
        {"servicenow",
         {{"url", "http://a/"}, {"token", "env:T"}, {"ack_state", "6"}},
         3,
         {"option \"ack_state\": must be below resolved_state"}},
        {"servicenow",
         {{"url", "http://a/"}, {"user", "u:v"}, {"password", "env:P"}},
         3,
         {"option \"user\": must not contain a colon"}},
        {"zendesk",
         {{"url", "http://a/"}},
         1,
         {"needs one of: \"user\" and \"api_token\", \"token\""}},
        {"zendesk",
         {{"url", "http://a/"}, {"api_token", "env:P"}},
         2,
         {"option \"api_token\": is given without \"user\""}},
        {"zendesk",
         {{"url", "http://a/"}, {"token", "env:T"}, {"key_minutes", "0"}},
         3,
         {"option \"key_minutes\"", "a number from 1 to 10080"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sink_config config = config_of(rows[i].type, rows[i].pairs, rows[i].count);
        struct error err = {""};
        assert_int_equal(sink_config_check(&config, &err), -EINVAL);
        for (size_t j = 0; j < 3 && rows[i].says[j] != NULL; j++)
            if (strstr(err.text, rows[i].says[j]) == NULL)
                fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].says[j]);
        assert_null(strchr(err.text, '\n'));
        assert_null(strstr(err.text, "p4ss"));
    }
}

static void a_check_reads_no_secret_but_a_start_does(void **state)
{
    static const struct pair pairs[] = {{"routing_key", "env:TOCSIN_TEST_ABSENT"}};
    static const struct pair files[] = {{"routing_key", "file:/nonexistent/key"}};
    struct sink_config config = config_of("pagerduty", pairs, 1);
    struct sink_config from_file = config_of("pagerduty", files, 1);
    struct sink *sink;
    struct error err = {""};

    (void)state;
    unsetenv("TOCSIN_TEST_ABSENT");
    assert_int_equal(sink_config_check(&config, &err), 0);
    assert_int_equal(sink_create(&config, true, &sink, &err), -EINVAL);
    assert_non_null(strstr(err.text, "no variable TOCSIN_TEST_ABSENT"));
    assert_int_equal(sink_config_check(&from_file, &err), 0);
    assert_int_equal(sink_create(&from_file, true, &sink, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/key cannot be read: No such file"));
}

static void secrets_come_from_the_environment_and_from_files(void **state)
{
    char path[] = "/tmp/tocsin-test-sink-XXXXXX", reference[64];
    int fd = mkstemp(path);
    struct pair pairs[] = {
        {"url", "https://a/"}, {"secret", NULL}, {"header.X-Key", "env:TOCSIN_T"}};
    struct sink_config config;
    struct sink *sink = NULL;
    struct error err = {""};
    char text[256] = "from-file and from-env and from-fi";

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "from-file\r\n", 11), 11);
    close(fd);
    setenv("TOCSIN_T", "from-env", 1);
    snprintf(reference, sizeof(reference), "file:%s", path);
    pairs[1].value = reference;
    config = config_of("webhook", pairs, 3);
    assert_int_equal(sink_create(&config, true, &sink, &err), 0);
    unlink(path);
    assert_string_equal(sink->headers[0].name, "X-Key");
    assert_string_equal(sink->headers[0].value, "from-env");
    sink_redact(sink, text); /* whole ones, and one that was cut off */
    assert_string_equal(text, "*** and *** and ***");
    sink_destroy(sink);
}

static void a_secret_that_is_wrong_does_not_show_in_the_sentence(void **state)
{
    static const struct pair pairs[] = {{"routing_key", "env:TOCSIN_T"}};
    struct sink_config config = config_of("pagerduty", pairs, 1);
    struct sink *sink = NULL;
    struct error err = {""};

    (void)state;
    setenv("TOCSIN_T", "hush-hush", 1);
    assert_int_equal(sink_create(&config, true, &sink, &err), -EINVAL);
    assert_null(strstr(err.text, "hush"));
    assert_non_null(strstr(err.text, "9 characters and must have 32"));
}

static void tokens_in_a_url_are_secret(void **state)
{
    static const struct pair pairs[] = {{"url", "https://chat.example/T0/B1/abcd"}};
    struct sink_config config = config_of("webhook", pairs, 1);
    struct sink *sink = NULL;
    struct error err = {""};
    char text[] = "no route to https://chat.example/T0/B1/abcd today";

    (void)state;
    assert_int_equal(sink_create(&config, true, &sink, &err), 0);
    sink_redact(sink, text);
    assert_string_equal(text, "no route to https://chat.example*** today");
    sink_destroy(sink);
}

static void the_login_at_a_proxy_is_secret(void **state)
{
    static const struct pair pairs[] = {{"url", "https://a/"},
                                        {"proxy", "http://us:s3cr@t@proxy.example:3128"}};
    struct sink_config config = config_of("webhook", pairs, 2);
    struct sink *sink = NULL;
    struct error err = {""};
    char text[] = "http://us:s3cr@t@proxy.example:3128 does not answer";

    (void)state;
    assert_int_equal(sink_create(&config, true, &sink, &err), 0);
    sink_redact(sink, text);
    assert_string_equal(text, "http://***@proxy.example:3128 does not answer");
    sink_destroy(sink);
}

static void certificates_are_looked_at_before_the_first_page(void **state)
{
    char path[] = "/tmp/tocsin-test-sink-XXXXXX", sentence[128];
    int fd = mkstemp(path);
    struct pair pairs[] = {{"url", "https://a/"}, {"ca_file", "/nonexistent/ca.pem"}};
    struct sink_config config = config_of("webhook", pairs, 2);
    struct sink *sink = NULL;
    struct error err = {""};

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(sink_config_check(&config, &err), 0); /* may run elsewhere */
    assert_int_equal(sink_create(&config, true, &sink, &err), -ENOENT);
    assert_string_equal(err.text, "sink s: option \"ca_file\": /nonexistent/ca.pem cannot be read: "
                                  "No such file or directory");
    assert_int_equal(write(fd, "0\x82\x01\x00 DER", 8), 8);
    config.option[1].value = path;
    assert_int_equal(sink_create(&config, true, &sink, &err), -EINVAL);
    snprintf(sentence, sizeof(sentence),
             "sink s: option \"ca_file\": %s is no PEM file: it has no line that starts with "
             "-----BEGIN",
             path);
    assert_string_equal(err.text, sentence);
    assert_int_equal(pwrite(fd, "-----BEGIN CERTIFICATE-----\n", 28, 0), 28);
    assert_int_equal(sink_create(&config, true, &sink, &err), 0);
    close(fd);
    unlink(path);
    sink_destroy(sink);
}

/* docs/sinks.md holds, for each row, a table line with its name, default and help. */
static void find_in_docs(const struct sink_type *type, const struct sink_option *row, void *docs)
{
    char line[1024];

    (void)type;
    snprintf(line, sizeof(line), "| `%s` | %s%s%s | %s |", row->name,
             row->default_value == NULL || row->default_value[0] == '\0' ? "" : "`",
             row->default_value == NULL   ? "required"
             : row->default_value[0] != 0 ? row->default_value
                                          : "-",
             row->default_value == NULL || row->default_value[0] == '\0' ? "" : "`", row->help);
    if (strstr(docs, line) == NULL)
        fail_msg("docs/sinks.md has no line\n%s", line);
}

static void the_documentation_lists_every_option(void **state)
{
    char *docs;
    size_t bytes;

    (void)state;
    assert_int_equal(host_read_file(TESTS_DIR "/../docs/sinks.md", 1 << 20, &docs, &bytes), 0);
    walk_rows(find_in_docs, docs);
    for (size_t i = 0; i < sink_type_count; i++)
        assert_non_null(strstr(docs, sink_types[i]->help));
    for (size_t i = 0; i < SINK_CLASS_COUNT; i++) {
        char line[32];
        snprintf(line, sizeof(line), "\n| %c | ", sink_classes[i].letter);
        assert_non_null(strstr(docs, line));
        assert_non_null(strstr(docs, sink_classes[i].promise));
    }
    free(docs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_help_and_a_name_of_its_own),
        cmocka_unit_test(every_default_is_valid),
        cmocka_unit_test(the_name_of_a_sink_is_bounded),
        cmocka_unit_test(wrong_configurations_get_one_clear_sentence),
        cmocka_unit_test(a_check_reads_no_secret_but_a_start_does),
        cmocka_unit_test(secrets_come_from_the_environment_and_from_files),
        cmocka_unit_test(a_secret_that_is_wrong_does_not_show_in_the_sentence),
        cmocka_unit_test(tokens_in_a_url_are_secret),
        cmocka_unit_test(the_login_at_a_proxy_is_secret),
        cmocka_unit_test(certificates_are_looked_at_before_the_first_page),
        cmocka_unit_test(the_documentation_lists_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
