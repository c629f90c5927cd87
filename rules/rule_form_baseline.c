/*
 * rule_form_baseline.c - reads the form with a baseline: a window whose aggregates are compared
 * with what the key showed at the same time of earlier seasons.
 */
#include <inttypes.h>
#include "rules/lexer.h"
#include "rules/rule_reading.h"

/*
 * A key remembers 24 bytes for each window of its season: weeks of five minutes are the finest that
 * is offered, 48 KiB. A key is looked at when each of its windows ends, whether something came or
 * not, so windows are not too short, and what is silent is forgotten in the end.
 */
enum { SLOTS_MAX = 2016, LEARN = 3, LEARN_MIN = 2, LEARN_MAX = 100, FORGET_SEASONS_MAX = 10 };
#define WINDOW_MS_MIN INT64_C(1000)
#define SEASON_MS_MAX (INT64_C(28) * 86400000)

static const char *const baseline_keys[] = {"season", "learn", "forget"};

static void read_season(struct reading *reading, const struct yaml_node *map)
{
    const struct yaml_node *node = reading_required(reading, map, "season", "baseline");
    struct rule *rule = &reading->rule->open;

    if (node == NULL)
        return;
    rule->season_ms = reading_duration(reading, node, "a season");
    if (rule->season_ms > SEASON_MS_MAX) {
        diagnose(reading_diag(reading), node->span, "a season lasts at most 28d");
        reading_spoil(reading);
    }
}

/* Above what a duration of a rule may be: not by reading_duration(). */
static void read_forget(struct reading *reading, const struct yaml_node *map)
{
    const struct yaml_node *node = yaml_node_find(map, "forget");
    struct rule *rule = &reading->rule->open;

    rule->forget_ms = 2 * rule->season_ms;
    if (node == NULL || !reading_is_scalar(reading, node))
        return;
    if (!lexer_read_duration(node, reading_diag(reading), &rule->forget_ms)) {
        reading_spoil(reading);
    } else if (rule->forget_ms < rule->season_ms ||
               rule->forget_ms / FORGET_SEASONS_MAX > rule->season_ms) {
        diagnose(reading_diag(reading), node->span, "forget lies between one season and %d",
                 FORGET_SEASONS_MAX);
        reading_spoil(reading);
    }
}

static void read_baseline(struct reading *reading, const struct yaml_node *map)
{
    struct rule *rule = &reading->rule->open;

    if (map->kind != YAML_MAP) {
        diagnose(reading_diag(reading), map->span, "baseline takes a map: {season: 7d}");
        reading_spoil(reading);
        return;
    }
    if (!rule_check_keys(map, baseline_keys, sizeof(baseline_keys) / sizeof(baseline_keys[0]),
                         "baseline", reading_diag(reading)))
        reading_spoil(reading);
    read_season(reading, map);
    read_forget(reading, map);
    rule->learn_count = reading_number(reading, map, "learn", LEARN, LEARN_MIN, LEARN_MAX);
    reading_digest_number(&rule->form, rule->season_ms);
    reading_digest_number(&rule->form, rule->forget_ms);
    reading_digest_number(&rule->form, rule->learn_count);
}

/* The season is cut into windows. */
static void check_slots(struct reading *reading, const struct yaml_node *baseline)
{
    const struct rule *rule = &reading->rule->open;
    const struct yaml_node *window = yaml_node_find(reading->node, "window");
    const struct yaml_node *season = yaml_node_find(baseline, "season");

    if (window == NULL || season == NULL || rule->window_ms == 0 || rule->season_ms == 0)
        return; /* diagnosed already */
    if (rule->window_kind != WINDOW_TUMBLING) {
        diagnose(reading_diag(reading), window->span,
                 "a baseline compares windows that follow each other: window: {tumbling: 1h}");
    } else if (rule->window_ms < WINDOW_MS_MIN) {
        diagnose(reading_diag(reading), window->span, "a window with a baseline lasts at least 1s");
    } else if (rule->season_ms % rule->window_ms != 0) {
        diagnose(reading_diag(reading), season->span,
                 "a season is a whole number of windows: a multiple of the window's length");
    } else if (rule->season_ms / rule->window_ms > SLOTS_MAX) {
        diagnose(reading_diag(reading), season->span,
                 "a season has at most %d windows, and this one has %" PRId64, SLOTS_MAX,
                 rule->season_ms / rule->window_ms);
    } else {
        return;
    }
    reading_spoil(reading);
}

static void check_when(struct reading *reading)
{
    if (reading->when_ast == NULL || reading->rule->open.deviation_count > 0)
        return;
    diagnose(reading_diag(reading), reading->when_ast->span,
             "a baseline is what deviation() goes by: when: deviation(count()) > 3");
    reading_spoil(reading);
}

static void read_form(struct reading *reading)
{
    const struct yaml_node *map = yaml_node_find(reading->node, "baseline");
    const struct yaml_node *look = yaml_node_find(reading->node, "look");

    read_baseline(reading, map);
    rule_form_window_read(reading);
    if (map->kind == YAML_MAP) /* otherwise diagnosed already */
        check_slots(reading, map);
    if (look != NULL && !reading->rule->open.looks_at_end) {
        diagnose(reading_diag(reading), look->span,
                 "a window is compared with its baseline when it ends: look: end, or no look");
        reading_spoil(reading);
    }
    check_when(reading);
}

const struct rule_form_reader rule_form_baseline = {
    .kind = FORM_BASELINE,
    .chosen_by = "baseline",
    .what = "a rule with a baseline",
    .keys = {"window", "look", "when", "baseline"},
    .read = read_form,
};
