/*
 * cmd_check.c - `tocsin check`: reads configuration, rules and sinks as the daemon would,
 * says what would run, and starts nothing. Only secrets may be missing: it runs where they
 * do not exist.
 */
#include <jansson.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/text.h"
#include "correlate/bounds_heard.h"
#include "daemon/admin_client.h"
#include "daemon/check_limits.h"
#include "daemon/check_notes.h"
#include "daemon/check_start.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/config_running.h"
#include "daemon/input.h"
#include "daemon/json_print.h"
#include "daemon/metrics.h"
#include "daemon/options.h"
#include "daemon/packs.h"
#include "daemon/rules_kept.h"
#include "daemon/rules_preview.h"
#include "daemon/silences.h"
#include "daemon/units.h"
#include "rules/mute_reach.h"
#include "rules/needs.h"
#include "rules/value.h"

struct check {
    const char *config;
    struct option_list rules;
    const char *against;
    const char *admin;
    bool is_json;
    bool keys;
    bool metrics;
};

/* What was loaded. */
struct loaded {
    struct config *config;
    struct rule_set *rules;
    struct rules_read read;
    struct rules_preview start; /* what one would do to the rules of data.dir */
    bool starts_otherwise;      /* it would do something */
};

static const struct option_row rows[] = {
    {"--config", OPTION_TEXT, offsetof(struct check, config), "FILE", NULL,
     "Configuration file; without one the defaults are checked.", 0, 0, NULL},
    {"--rules", OPTION_LIST, offsetof(struct check, rules), "FILE", NULL,
     "Rule file, folder or shipped pack instead of those of the configuration; may be given again.",
     0, 0, NULL},
    {"--against", OPTION_TEXT, offsetof(struct check, against), "WHAT", NULL,
     "Tells what a reload would do to each rule and mute: running is the daemon that --admin "
     "answers for, anything else names the rules in force as --rules does.",
     0, 0, NULL},
    {"--admin", OPTION_TEXT, offsetof(struct check, admin), "HOST:PORT", NULL,
     "Where the running daemon's admin server listens, instead of the configuration's "
     "admin.listen.",
     0, 0, NULL},
    {"--json", OPTION_FLAG, offsetof(struct check, is_json), NULL, NULL,
     "Prints what would run, or the mistakes, as one JSON object.", 0, 0, NULL},
    {"--keys", OPTION_FLAG, offsetof(struct check, keys), NULL, NULL,
     "Prints the reference of all configuration keys, and checks nothing.", 0, 0, NULL},
    {"--metrics", OPTION_FLAG, offsetof(struct check, metrics), NULL, NULL,
     "Prints the reference of all metrics, and checks nothing.", 0, 0, NULL},
};

static const struct option_table table = {
    .command = "check",
    .usage = "[--config FILE] [--rules FILE]... [--against WHAT] [--json]",
    .about =
        "Checks configuration, rules and sinks as the daemon would at its start, prints what "
        "would run, and starts nothing. What is wrong is told with file, line and column. With "
        "--against exit code 1 says that a reload would change something.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .exits = "0 1 64 65 69 71 74 78",
};

static void print_key(void *self, const struct config_key *key, const char *path, const char *value)
{
    (void)self;
    (void)key;
    printf("  %-34s %s\n", path, value);
}

static void add_key(void *self, const struct config_key *key, const char *path, const char *value)
{
    (void)key;
    json_object_set_new(self, path, json_shown(value));
}

static bool drops_clears(const struct enrich_step *step)
{
    return step->drops && step->takes_clears;
}

static void print_steps(const struct enrich_set *steps)
{
    if (enrich_count(steps) > 0)
        printf("enrich steps %u\n", enrich_count(steps));
    for (uint32_t i = 0; i < enrich_count(steps); i++) {
        const struct enrich_step *step = enrich_step_at(steps, i);
        printf("  %-34s%s%s\n", step->id, step->drops ? " drops" : "",
               i < enrich_drop_reach(steps) ? "  run for every event" : "");
    }
    for (uint32_t i = 0; i < enrich_count(steps); i++)
        if (drops_clears(enrich_step_at(steps, i)))
            printf("note: enrich step %s drops clears as well: a clear is OK unless it says "
                   "otherwise, so problems that are worse are not ended by theirs; "
                   "state == \"problem\" in its where leaves clears alone\n",
                   enrich_step_at(steps, i)->id);
}

static json_t *json_drops_clears(const struct enrich_set *steps)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < enrich_count(steps); i++)
        if (drops_clears(enrich_step_at(steps, i)))
            json_array_append_new(list, json_string(enrich_step_at(steps, i)->id));
    return list;
}

/* ---- mutes ---- */

/* What more than this costs takes longer than people wait. */
enum { REACH_COST_MAX = 5000000, STRAY_BYTES = 256 };

static bool has_reach(const struct rule_set *rules)
{
    uint64_t cost = 0;

    for (uint32_t i = 0; i < rule_set_mute_count(rules); i++)
        cost += mute_reach_cost(rules, i);
    return cost <= REACH_COST_MAX;
}

static const char *idle_reason(const struct mute *mute, const struct mute_reach *reach)
{
    if (mute->kind != MUTE_INHIBIT)
        return "can match no incident of these rules";
    if (!reach->has_source && !reach->has_target)
        return "can inhibit nothing: no incident of these rules can match its source, and none its "
               "target";
    if (!reach->has_source)
        return "can inhibit nothing: no incident of these rules can match its source";
    if (!reach->has_target)
        return "can inhibit nothing: no incident of these rules can match its target";
    if (reach->is_one_side)
        return "can inhibit nothing: what matches its source matches its target as well, and what "
               "matches both is not inhibited by another that does";
    return "can inhibit nothing: of each two rules whose incidents match source and target, one "
           "has "
           "a name of `equal` in `by` that the other has not, and it is never empty there";
}

/* What is to be mended: a name that nothing has, or a severity. False: neither is known. */
static bool idle_cause(const struct rule_set *rules, uint32_t index, const struct mute_reach *reach,
                       char to[STRAY_BYTES])
{
    if (mute_reach_stray(rules, index, to, STRAY_BYTES))
        return true;
    snprintf(to, STRAY_BYTES, "the rules that it names open no incident of such a severity");
    return reach->is_severity && !reach->is_one_side;
}

static void print_equal(const struct mute *mute, const struct mute_reach *reach)
{
    const char *kind = mute_kind_name(mute->kind);

    for (uint32_t i = 0; i < mute->equal_count; i++)
        if (reach->idle_equal & 1u << i)
            printf("note: %s: %s %s: no rule that it is about has %s in `by`, so in `equal` it "
                   "makes no difference: what neither has counts as equal\n",
                   mute->place, kind, mute->id, mute->equal[i]);
        else if (reach->only_empty & 1u << i)
            printf("note: %s: %s %s: no two rules that it is about both have %s in `by`, so it is "
                   "only about incidents whose %s is empty or missing\n",
                   mute->place, kind, mute->id, mute->equal[i], mute->equal[i]);
}

static void print_mute(const struct rule_set *rules, uint32_t index, bool is_looked_at)
{
    const struct mute *mute = rule_set_mute(rules, index);
    struct mute_reach reach = {.is_possible = true};
    int64_t end_ms = mute_end(mute, host_wall_ms());
    char stray[STRAY_BYTES];

    if (is_looked_at)
        reach = mute_reach(rules, index);
    if (!reach.is_possible) {
        bool has_why = idle_cause(rules, index, &reach, stray);
        printf("note: %s: %s %s %s%s%s\n", mute->place, mute_kind_name(mute->kind), mute->id,
               idle_reason(mute, &reach), has_why ? "; " : "", has_why ? stray : "");
    }
    if (end_ms != INT64_MAX) {
        char ended[UNIT_TEXT_BYTES];
        printf("note: %s: %s %s ended at %s%s\n", mute->place, mute_kind_name(mute->kind), mute->id,
               unit_format_time(end_ms, ended),
               mute->kind == MUTE_MAINTENANCE ? ", and opens no more" : "");
    }
    if (reach.is_possible)
        print_equal(mute, &reach);
}

static void print_mutes(const struct rule_set *rules)
{
    uint32_t count[MUTE_KIND_COUNT] = {0};
    bool is_looked_at = has_reach(rules);

    for (uint32_t i = 0; i < rule_set_mute_count(rules); i++)
        count[rule_set_mute(rules, i)->kind]++;
    printf("mutes %u: silences %u, maintenance windows %u, inhibitions %u\n",
           rule_set_mute_count(rules), count[MUTE_SILENCE], count[MUTE_MAINTENANCE],
           count[MUTE_INHIBIT]);
    if (!is_looked_at)
        printf("note: whether each mute can match anything was not looked at: %" PRIu32
               " mutes beside %" PRIu32 " rules are too many for that\n",
               rule_set_mute_count(rules), rule_set_count(rules));
    for (uint32_t i = 0; i < rule_set_mute_count(rules); i++)
        print_mute(rules, i, is_looked_at);
}

static void json_reach(const struct rule_set *rules, uint32_t index, json_t *object)
{
    const struct mute *mute = rule_set_mute(rules, index);
    struct mute_reach reach = mute_reach(rules, index);
    json_t *idle = json_array(), *empty = json_array();
    char stray[STRAY_BYTES];

    for (uint32_t i = 0; reach.is_possible && i < mute->equal_count; i++) {
        if (reach.idle_equal & 1u << i)
            json_array_append_new(idle, json_string(mute->equal[i]));
        if (reach.only_empty & 1u << i)
            json_array_append_new(empty, json_string(mute->equal[i]));
    }
    json_object_set_new(object, "matches_nothing", json_boolean(!reach.is_possible));
    if (!reach.is_possible && idle_cause(rules, index, &reach, stray))
        json_object_set_new(object, "why", json_string(stray));
    json_object_set_new(object, "equal_without_effect", idle);
    json_object_set_new(object, "equal_where_empty", empty);
}

static json_t *json_mutes(const struct rule_set *rules)
{
    json_t *list = json_array();
    bool is_looked_at = has_reach(rules);

    for (uint32_t m = 0; m < rule_set_mute_count(rules); m++) {
        const struct mute *mute = rule_set_mute(rules, m);
        int64_t end_ms = mute_end(mute, host_wall_ms());
        json_t *object = json_pack("{s:s,s:s,s:o}", "kind", mute_kind_name(mute->kind), "id",
                                   mute->id, "place", json_shown(mute->place));
        json_array_append_new(list, object);
        json_object_set_new(object, "ended",
                            end_ms != INT64_MAX ? json_integer(end_ms) : json_null());
        if (is_looked_at)
            json_reach(rules, m, object);
    }
    return list;
}

/* ---- what would run ---- */

/* An alert that is sent once is over before it could have held. */
static void print_holds(const struct config *config, const struct rule_set *rules)
{
    char expire[DURATION_TEXT_BYTES], hold[DURATION_TEXT_BYTES];

    expire[duration_print(config->engine.expire_ms, expire)] = '\0';
    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        if (rule->hold_ms == 0 || rule->hold_ms < config->engine.expire_ms)
            continue;
        hold[duration_print(rule->hold_ms, hold)] = '\0';
        printf("note: rule %s holds for %s, and an alert that is not sent again expires after "
               "engine.expire, %s: it opens for alerts alone that are repeated\n",
               rule->id, hold, expire);
    }
}

/* A bound from above that bears a `when` of one entry: meant of the whole window, most often. */
static void print_first_openers(const struct rule_set *rules)
{
    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        int64_t one[RULE_AGGREGATES_MAX];
        struct rule_needs needs = {.count = 0};
        bool is_counts = rule->form_kind == FORM_WINDOW && !rule->looks_at_end;

        for (uint32_t a = 0; a < rule->aggregate_count; a++) {
            is_counts = is_counts && !aggregate_is_real(rule->aggregate[a].kind);
            one[a] = 1;
        }
        if (!is_counts || !rule_when(rule, one))
            continue;
        rule_when_bears(rule, one, &needs);
        for (uint32_t n = 0; n < needs.count; n++)
            if (needs.need[n].relation == RELATION_LT) {
                printf("note: rule %s opens at the first event that reaches it: one is fewer than "
                       "the %lld that `when` asks %s to stay below; what a window holds altogether "
                       "is seen with `look: end`\n",
                       rule->id, (long long)needs.need[n].bound,
                       rule->aggregate[needs.need[n].aggregate].text);
                break;
            }
    }
}

/* What is accepted, and tells or ends less than was meant. */
static void print_silent(const struct rule_set *rules)
{
    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        const char *empty = rule_title_empty(rule);
        if (empty != NULL)
            printf("note: rule %s: %s stays empty in its title: a time that is over opens its "
                   "incidents, and no event, so the title knows what `by` names and no more\n",
                   rule->id, empty);
        if (rule->form_kind == FORM_BASELINE && rule->quiet_count == 0 && rule->fewer_count == 0)
            printf("note: rule %s closes by alerts that cleared alone, and what opens by a "
                   "deviation() may have none, such as a fall to nothing: it would stay open for "
                   "good; close it by quiet()\n",
                   rule->id);
    }
}

/* A rule that reached a bound counts too few, and no incident tells so unless a rule does. */
static void print_unheard(const struct rule_set *rules)
{
    const char *unheard[BOUNDS_TOLD];
    size_t count = rule_set_count(rules) > 0 ? bounds_unheard(rules, unheard) : 0;

    if (count == 0)
        return;
    printf("note: no rule takes what tocsin says when a rule has reached a bound (tenant @tocsin, "
           "check ");
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i == 0 ? "" : ", ", unheard[i]);
    printf("), so no incident would tell of it; the pack kafka has such rules\n");
}

static void print_note(void *self, const char *sentence)
{
    (void)self;
    printf("note: %s\n", sentence);
}

static void add_note(void *self, const char *sentence)
{
    json_array_append_new(self, json_shown(sentence));
}

static void print_text(const struct config *config, const struct rule_set *rules)
{
    uint32_t unguarded = 0;

    printf("configuration %s\n", config->path[0] != '\0' ? config->path : "(defaults)");
    /* Forty defaults would bury what was asked for. */
    if (config->path[0] != '\0')
        config_walk(config, print_key, NULL);
    printf("rules %u\n", rule_set_count(rules));
    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        printf("  %-34s %s%s\n", rule->id, priority_name((enum priority)rule->priority),
               rule_set_is_unguarded(rules, i) ? "  asked of every event" : "");
        unguarded += rule_set_is_unguarded(rules, i);
    }
    print_steps(rule_set_enrich(rules));
    if (unguarded > 0)
        printf("note: %u of the rules %s nothing that can be looked up, and %s asked of every "
               "event that is matched; see \"What a rule costs\" in docs/rules.md\n",
               unguarded, unguarded == 1 ? "holds" : "hold", unguarded == 1 ? "is" : "are");
    print_mutes(rules);
    print_holds(config, rules);
    print_first_openers(rules);
    print_silent(rules);
    check_notes(rules, host_wall_ms(), has_reach(rules), print_note, NULL);
    print_unheard(rules);
    check_limits(config, rules, print_note, NULL);
    if (rule_set_count(rules) == 0)
        printf("note: there are no rules, so no incident would be opened\n");
    if (config->sinks.count == 0)
        printf("note: no sinks are named, so nobody would be told\n");
    if (config->absent_count > 0)
        printf("note: %zu of the secrets cannot be read here, and where %s cannot `tocsin run` "
               "refuses: %s\n",
               config->absent_count, config->absent_count == 1 ? "it" : "they", config->absent);
    printf("ok\n");
}

static json_t *json_unheard(const struct rule_set *rules)
{
    const char *unheard[BOUNDS_TOLD];
    size_t count = bounds_unheard(rules, unheard);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(unheard[i]));
    return list;
}

static int print_json(const struct loaded *loaded)
{
    const struct config *config = loaded->config;
    const struct rule_set *rules = loaded->rules;
    json_t *root = json_object(), *keys = json_object(), *list = json_array();
    json_t *unguarded = json_array(); /* asked of every event that is matched */
    json_t *notes = json_array();

    config_walk(config, add_key, keys);
    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        json_array_append_new(list, json_string(rule_set_rule(rules, i)->id));
        if (rule_set_is_unguarded(rules, i))
            json_array_append_new(unguarded, json_string(rule_set_rule(rules, i)->id));
    }
    json_object_set_new(root, "config", keys); /* stolen */
    json_object_set_new(root, "rules", list);  /* stolen */
    json_object_set_new(root, "unguarded", unguarded);
    json_object_set_new(root, "bounds_unheard", json_unheard(rules));
    json_object_set_new(root, "enrich_steps", json_integer(enrich_count(rule_set_enrich(rules))));
    json_object_set_new(root, "enrich_drops_clears", json_drops_clears(rule_set_enrich(rules)));
    json_object_set_new(root, "mutes", json_mutes(rules));
    check_notes(rules, host_wall_ms(), has_reach(rules), add_note, notes);
    check_limits(config, rules, add_note, notes);
    json_object_set_new(root, "notes", notes); /* stolen */
    json_object_set_new(root, "mutes_looked_at", json_boolean(has_reach(rules)));
    json_object_set_new(
        root, "start", loaded->starts_otherwise ? rules_preview_json(&loaded->start) : json_null());
    if (!json_print(root, JSON_INDENT(2), stdout)) {
        fprintf(stderr, "tocsin check: out of memory\n");
        return EXIT_SYSTEM;
    }
    return EXIT_OK;
}

/* ---- against what runs ---- */

/* The answer is the caller's to free. Returns an exit code. */
static int get(const char *admin, const char *path, char **answer, struct error *err)
{
    int status, rc = admin_client_ask(admin, NULL, false, path, &status, answer, err);

    if (rc != 0)
        return rc == -EINVAL ? EXIT_USAGE : EXIT_UNAVAILABLE;
    if (status == 200)
        return EXIT_OK;
    error_set(err, "the daemon at %s answers %d: %s", admin, status, *answer);
    return EXIT_UNAVAILABLE;
}

/* A reload keeps the silences that the daemon has by hand, behind the files. Returns an exit code.
 */
static int keep_silences(const char *admin, struct loaded *loaded, struct error *err)
{
    struct silences list;
    char *answer = NULL, *text = NULL;
    int code = get(admin, "/silences", &answer, err), rc;

    if (code == EXIT_OK && silences_read_list(answer, &list, err) != 0)
        code = EXIT_DATA;
    free(answer);
    if (code != EXIT_OK)
        return code;
    error_set(err, "out of memory");
    text = silences_text(&list, NULL, NULL);
    rc = text == NULL ? -ENOMEM
         : list.item.count == 0
             ? 0
             : rules_kept_add(&loaded->rules, &loaded->read, SILENCES_FILE, text, err);
    free(text);
    silences_release(&list);
    if (rc == 0)
        return EXIT_OK;
    error_prefix(err, "with the silences made by hand the rules cannot be loaded: ");
    return packs_exit_code(rc);
}

/* Those of the daemon in place of the file's; one that does not say them has these. */
static void read_terms(const char *answer, struct engine_terms *terms)
{
    json_t *root = json_loads(answer, 0, NULL); /* ours */
    struct engine_terms running;

    if (terms_read(json_object_get(root, "engine"), &running))
        *terms = running;
    json_decref(root);
}

/* The forms that a running daemon has, and its terms. Returns an exit code. */
static int ask_running(const struct check *check, struct loaded *loaded,
                       struct rules_running *running, char restart[RESTART_KEYS_BYTES],
                       struct engine_terms *terms, struct error *err)
{
    const char *admin = check->admin != NULL ? check->admin : loaded->config->admin.listen;
    char *answer = NULL;
    int code;

    if (strcmp(admin, "off") == 0) {
        error_set(err, "admin.listen is off: a daemon with this configuration cannot be asked");
        return EXIT_USAGE;
    }
    code = get(admin, "/rules", &answer, err);
    if (code == EXIT_OK && rules_running_read(answer, running, err) != 0) {
        error_prefix(err, "%s: ", admin);
        code = EXIT_DATA;
    } else if (code == EXIT_OK) {
        config_running_restart(answer, loaded->config, restart, RESTART_KEYS_BYTES);
        read_terms(answer, terms);
        code = keep_silences(admin, loaded, err);
    }
    free(answer);
    return code;
}

/* A slip of the pen in `running` is told as one, and not as a pack that is not there. */
static void hint_running(const char *against, struct error *err)
{
    static const char *const names[] = {"running"};
    char hint[NEAREST_HINT_BYTES], path[PATH_MAX];

    if (strpbrk(against, "/.") == NULL && !pack_find(against, path, sizeof(path)) &&
        nearest_hint(text_of(against), names, 1, hint)[0] != '\0')
        error_set(err, "there is no shipped rule pack '%.200s'%s", against, hint);
}

static int read_other(const struct check *check, const struct config *config,
                      struct rules_running *running, struct error *err)
{
    const struct option_list other = {.item = {check->against}, .count = 1};
    struct rule_set *set = NULL;
    int code = EXIT_OK;

    int rc = packs_load_configured(config, &other, &set, err);
    if (rc == -ENOENT)
        hint_running(check->against, err);
    if (rc != 0)
        return packs_exit_code(rc);
    if (rules_running_of_set(set, running, err) != 0)
        code = EXIT_SYSTEM;
    rule_set_destroy(set);
    return code;
}

static int print_preview(const struct check *check, const struct rules_preview *preview)
{
    if (!check->is_json) {
        rules_preview_print(preview, "a reload", stdout);
        return rules_preview_is_changed(preview) ? EXIT_CHANGED : EXIT_OK;
    }
    if (!json_print(rules_preview_json(preview), JSON_INDENT(2), stdout)) {
        fprintf(stderr, "tocsin check: out of memory\n");
        return EXIT_SYSTEM;
    }
    return rules_preview_is_changed(preview) ? EXIT_CHANGED : EXIT_OK;
}

static int preview(const struct check *check, struct loaded *loaded, struct error *err)
{
    bool is_running = strcmp(check->against, "running") == 0;
    struct rules_running running = {.rules = NULL}, next = {.rules = NULL};
    struct rules_preview preview = {.rows = NULL};
    const struct engine_terms terms = config_terms(loaded->config);
    struct engine_terms then = terms;
    char restart[RESTART_KEYS_BYTES] = "";
    int code = is_running ? ask_running(check, loaded, &running, restart, &then, err)
                          : read_other(check, loaded->config, &running, err);

    if (code == EXIT_OK && (rules_running_of_set(loaded->rules, &next, err) != 0 ||
                            rules_preview_make(&running, &next, loaded->rules, &preview, err) != 0))
        code = EXIT_SYSTEM;
    if (code == EXIT_OK && !rules_preview_needs_restart(&preview, restart)) {
        error_set(err, "out of memory");
        code = EXIT_SYSTEM;
    }
    if (code == EXIT_OK) {
        rules_preview_terms(&preview, &then, &terms);
        code = print_preview(check, &preview);
    } else
        fprintf(stderr, "%s\n", err->text);
    rules_preview_release(&preview);
    rules_running_release(&running);
    rules_running_release(&next);
    return code;
}

static int load(const struct check *check, struct loaded *to, struct error *err)
{
    int rc;

    if (config_load(check->config, CONFIG_SECRETS_MAY_BE_ABSENT, &to->config, err) != 0 ||
        input_check(to->config, err) != 0 || config_check_files(to->config, err) != 0)
        return EXIT_CONFIG;
    rules_read_begin(&to->read);
    rc = packs_load_configured(to->config, &check->rules, &to->rules, err);
    rules_read_end(&to->read);
    if (rc != 0)
        return packs_exit_code(rc);
    rc = check_start(to->config, check->against == NULL ? to->rules : NULL, &to->read,
                     check->is_json ? NULL : stderr, &to->start, err);
    to->starts_otherwise = rules_preview_is_changed(&to->start);
    if (rc == EXIT_OK || check->against == NULL)
        return rc;
    /* A reload does not mind. */
    fprintf(stderr, "note: a restart would be refused: %s\n", err->text);
    return EXIT_OK;
}

/* The mistakes for a script, as people read them on standard error. */
static void print_mistakes(const char *text)
{
    json_t *root = json_object();

    if (json_object_set_new(root, "mistakes", json_shown(text)) != 0 ||
        !json_print(json_incref(root), JSON_INDENT(2), stdout))
        fprintf(stderr, "tocsin check: out of memory\n");
    json_decref(root);
}

int cmd_check(int argc, char **argv)
{
    struct check check = {0};
    struct loaded loaded = {.config = NULL};
    struct error err = {{0}};
    int code = EXIT_CONFIG;

    if (!options_read(&table, argc, argv, &check, &code))
        return code;
    if (check.keys)
        config_print_reference(stdout);
    if (check.metrics)
        metrics_print_reference(stdout);
    if (check.keys || check.metrics)
        return EXIT_OK;
    code = load(&check, &loaded, &err);
    if (code != EXIT_OK) {
        fprintf(stderr, "%s\n", err.text);
        if (check.is_json)
            print_mistakes(err.text);
        goto out;
    }
    if (check.against != NULL)
        code = preview(&check, &loaded, &err);
    else if (check.is_json)
        code = print_json(&loaded);
    else
        print_text(loaded.config, loaded.rules);
out:
    rule_set_destroy(loaded.rules);
    rules_read_release(&loaded.read);
    rules_preview_release(&loaded.start);
    config_destroy(loaded.config);
    return code;
}
