/*
 * rule_form_expect.c - reads the form of absence: `expect`, an event every so often.
 */
#include <string.h>
#include "rules/expect_keys.h"
#include "rules/lexer.h"
#include "rules/rule_reading.h"

static const char *const expect_keys[] = {"every", "severity", "keys"};

static void read_severity(struct reading *reading, const struct yaml_node *map)
{
    const struct yaml_node *node = yaml_node_find(map, "severity");
    enum severity severity;

    reading->rule->open.silence_severity = SEVERITY_MAJOR;
    if (node == NULL || !reading_is_scalar(reading, node))
        return;
    severity = severity_constant_find(node->text);
    if (severity == SEVERITY_COUNT || severity == SEVERITY_OK) {
        const char *meant = severity_constant_meant(node->text);
        bool is_near = meant != NULL && strcmp(meant, "OK") != 0;
        diagnose(reading_diag(reading), node->span,
                 "severity is DEBUG, INFO, WARNING, MINOR, MAJOR or CRITICAL%s%s%s",
                 is_near ? "; did you mean " : "", is_near ? meant : "", is_near ? "?" : "");
        reading_spoil(reading);
        return;
    }
    reading->rule->open.silence_severity = (uint8_t)severity;
}

static void read_expect(struct reading *reading)
{
    const struct yaml_node *map = yaml_node_find(reading->node, "expect"), *node;
    struct rule *rule = &reading->rule->open;

    reading->when = reading_scope(reading, SCOPE_WHEN);
    reading->has_title = true;
    if (yaml_node_find(reading->node, "on") != NULL) {
        diagnose(reading_diag(reading), yaml_node_find(reading->node, "on")->key->span,
                 "expect takes every event; there is no \"on\" to choose");
        reading_spoil(reading);
    }
    rule->input = RULE_INPUT_ALL;
    if (map->kind != YAML_MAP) {
        diagnose(reading_diag(reading), map->span, "expect takes a map: {every: 5m}");
        reading_spoil(reading);
        return;
    }
    if (!rule_check_keys(map, expect_keys, 3, "expect", reading_diag(reading)))
        reading_spoil(reading);
    node = reading_required(reading, map, "every", "expect");
    if (node != NULL)
        rule->every_ms = reading_window(reading, node, "every");
    reading_digest_number(&rule->form, rule->every_ms);
    read_severity(reading, map);
    reading_setting(reading, SETTING_SEVERITY,
                    severity_name((enum severity)rule->silence_severity));
    node = yaml_node_find(map, "keys");
    if (node == NULL)
        return;
    expect_keys_read(reading, node);
    /* Whether keys are listed makes another rule of it, which they are does not. */
    reading_digest_text(&rule->form, "listed");
}

const struct rule_form_reader rule_form_expect = {
    .kind = FORM_EXPECT,
    .chosen_by = "expect",
    .what = "a rule with \"expect\"",
    .keys = {"expect"},
    .read = read_expect,
};
