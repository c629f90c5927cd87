/* rule_reader.c - the keys of a rule, one function each. See rule_reader.h. */
#include "rules/rule_reader.h"
#include "rules/rule_shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "rules/composite.h"
#include "rules/drops.h"
#include "rules/fixed_value.h"
#include "rules/impossible.h"
#include "rules/lexer.h"
#include "rules/meaning.h"
#include "base/nearest.h"
#include "rules/parser.h"
#include "rules/printer.h"
#include "rules/rule_reading.h"

enum { NAME_BYTES_MAX = 200, RUNBOOK_BYTES_MAX = 1000, DESCRIPTION_BYTES_MAX = 10000 };

/* Keys that every rule may have; its form has more. */
static const char *const rule_keys[] = {"id",    "description", "on",          "of",
                                        "vars",  "where",       "by",          "incident",
                                        "close", "max_keys",    "max_members", "max_window"};
static const char *const bounds_keys[] = {"max_keys", "max_members", "max_window"};
static const char *const incident_keys[] = {"title", "priority", "tier", "runbook", "team"};

enum {
    RULE_KEY_COUNT = sizeof(rule_keys) / sizeof(rule_keys[0]),
    BOUNDS_KEY_COUNT = sizeof(bounds_keys) / sizeof(bounds_keys[0]),
    INCIDENT_KEY_COUNT = sizeof(incident_keys) / sizeof(incident_keys[0]),
};

struct diagnostics *reading_diag(const struct reading *reading)
{
    return reading->build->diag;
}

void reading_spoil(struct reading *reading)
{
    reading->is_good = false;
}

void reading_out_of_memory(struct reading *reading)
{
    diagnose_memory(reading_diag(reading));
    reading_spoil(reading);
}

/* False, diagnosed, when a key is none of the first `count` names; behind them stand others that
 * may have been meant. */
static const struct rule_form_reader *const forms[] = {
    &rule_form_sequence, &rule_form_all, &rule_form_expect, &rule_form_baseline, &rule_form_window};

enum { FORMS = sizeof(forms) / sizeof(forms[0]), FORMS_HINT_BYTES = 128 };

static bool has_key(const struct rule_form_reader *form, struct text key)
{
    for (size_t i = 0; i < FORM_KEYS_MAX && form->keys[i] != NULL; i++)
        if (text_equals(key, form->keys[i]))
            return true;
    return false;
}

/* "; it is one of rules with "sequence" or "all"": of whom the key is. Empty: of no form, or of one
 * that it chooses itself. */
static const char *forms_hint(struct text key, char to[FORMS_HINT_BYTES])
{
    const char *named[FORMS];
    size_t count = 0, used;

    to[0] = '\0';
    for (size_t i = 0; i < FORMS; i++)
        if (has_key(forms[i], key))
            named[count++] = forms[i]->chosen_by != NULL ? forms[i]->chosen_by : "window";
    if (count == 0)
        return to;
    used = (size_t)snprintf(to, FORMS_HINT_BYTES, "; it is one of rules with ");
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(to + used, FORMS_HINT_BYTES - used, "%s\"%s\"",
                                 i == 0           ? ""
                                 : i + 1 == count ? " or "
                                                  : ", ",
                                 named[i]);
    return to;
}

/* What stands elsewhere in a rule, or has another name in other programs. NULL: none of these. */
static const char *elsewhere_hint(struct text key)
{
    static const struct {
        const char *key, *hint;
    } rows[] = {
        {"alert", "; its name is \"id\""},
        {"name", "; its name is \"id\""},
        {"expr", "; what its events are stands in \"where\", how many or how much in \"when\""},
        {"condition",
         "; what its events are stands in \"where\", how many or how much in \"when\""},
        {"group_by", "; its key is \"by\""},
        {"group-by", "; its key is \"by\""},
        {"labels", "; what its events are stands in \"where\": labels.team == \"storage\""},
        {"match", "; what its events are stands in \"where\""},
        {"matchers", "; what its events are stands in \"where\""},
        {"filter", "; what its events are stands in \"where\""},
        {"query", "; what its events are stands in \"where\""},
        {"detection", "; what its events are stands in \"where\""},
        {"threshold", "; how many or how much stands in \"when\": count() >= 5"},
        {"timeframe", "; how far it looks back is \"window\", or \"within\" of steps"},
        {"interval", "; how far it looks back is \"window\", or \"within\" of steps"},
        {"level", "; \"incident\" takes a priority: P1 to P5"},
        {"enabled", "; a rule that is not to run is taken out of the file"},
        {"disabled", "; a rule that is not to run is taken out of the file"},
        {"annotations", "; what people read stands under \"incident\": title, runbook"},
        {"severity",
         "; an incident is as severe as the worst of its events, and \"incident\" takes "
         "a priority"},
    };

    for (size_t i = 0; i < INCIDENT_KEY_COUNT; i++)
        if (text_equals(key, incident_keys[i]))
            return "; it stands under \"incident\"";
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (text_equals(key, rows[i].key))
            return rows[i].hint;
    return NULL;
}

/* `form` is that of a rule, whose keys other forms may have; NULL: the map is another one. */
static bool check_keys(const struct yaml_node *map, const char *const *known, size_t count,
                       size_t candidate_count, const char *what,
                       const struct rule_form_reader *form, struct diagnostics *diag)
{
    char hint[NEAREST_HINT_BYTES], others[FORMS_HINT_BYTES] = "";
    const char *elsewhere;
    bool is_good = true;

    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct text key = node->key->text;
        size_t i = 0;
        while (i < count && !text_equals(key, known[i]))
            i++;
        if (i < count)
            continue;
        is_good = false;
        if (form != NULL)
            forms_hint(key, others);
        elsewhere = form != NULL ? elsewhere_hint(key) : NULL;
        diagnose(diag, node->key->span, "%s has no key \"%.60s\"%s", what, key.at,
                 others[0] != '\0' ? others
                 : elsewhere != NULL
                     ? elsewhere
                     : nearest_hint(key, known, diagnostics_wants_hint(diag) ? candidate_count : 0,
                                    hint));
    }
    return is_good;
}

bool rule_check_keys(const struct yaml_node *map, const char *const *known, size_t count,
                     const char *what, struct diagnostics *diag)
{
    return check_keys(map, known, count, count, what, NULL, diag);
}

const struct yaml_node *reading_required(struct reading *reading, const struct yaml_node *map,
                                         const char *key, const char *what)
{
    const struct yaml_node *node = yaml_node_find(map, key);

    if (node == NULL) {
        diagnose(reading_diag(reading), map->span, "%s needs the key \"%s\"", what, key);
        reading_spoil(reading);
    }
    return node;
}

/* ---- values ---- */

bool reading_is_scalar(struct reading *reading, const struct yaml_node *node)
{
    if (node->kind == YAML_SCALAR)
        return true;
    diagnose(reading_diag(reading), node->span, "%s takes text, not %s%s", node->key->text.at,
             yaml_kind_name(node->kind), yaml_unquoted_hint(node->kind));
    reading_spoil(reading);
    return false;
}

static bool has_control_character(struct text text)
{
    for (uint32_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return true;
    return false;
}

const char *reading_line(struct reading *reading, const struct yaml_node *map, const char *key,
                         uint32_t bytes_max)
{
    const struct yaml_node *node = yaml_node_find(map, key);
    const char *copy;

    if (node == NULL)
        return "";
    if (!reading_is_scalar(reading, node))
        return "";
    if (node->text.len > bytes_max || has_control_character(node->text)) {
        diagnose(reading_diag(reading), node->span, "%s is one line of at most %u bytes", key,
                 (unsigned)bytes_max);
        reading_spoil(reading);
        return "";
    }
    copy = arena_copy(reading->build->arena, node->text.at, node->text.len);
    if (copy == NULL) {
        reading_out_of_memory(reading);
        return "";
    }
    return copy;
}

uint32_t reading_number(struct reading *reading, const struct yaml_node *map, const char *key,
                        uint32_t otherwise, uint32_t min, uint32_t max)
{
    const struct yaml_node *node = yaml_node_find(map, key);
    uint64_t number = 0;
    bool is_number;

    if (node == NULL)
        return otherwise;
    if (!reading_is_scalar(reading, node))
        return otherwise;
    is_number = node->text.len > 0 && node->text.len <= 9;
    for (uint32_t i = 0; is_number && i < node->text.len; i++) {
        is_number = node->text.at[i] >= '0' && node->text.at[i] <= '9';
        number = number * 10 + (uint64_t)(node->text.at[i] - '0');
    }
    if (is_number && node->text.len > 1 && node->text.at[0] == '0') {
        /* To some readers of YAML 010 is eight, to others ten. */
        diagnose(reading_diag(reading), node->span, "%s begins with a zero: write %u", key,
                 (unsigned)number);
        reading_spoil(reading);
        return otherwise;
    }
    if (!is_number || number < min || number > max) {
        diagnose(reading_diag(reading), node->span, "%s is a whole number from %u to %u", key,
                 (unsigned)min, (unsigned)max);
        reading_spoil(reading);
        return otherwise;
    }
    return (uint32_t)number;
}

/* ---- keys ---- */

const char *reading_id(struct reading *reading, const char *what, struct span *span)
{
    const struct yaml_node *node = reading_required(reading, reading->node, "id", what);
    const char *copy;
    struct text id;

    *span = reading->node->span;
    if (node == NULL || !reading_is_scalar(reading, node))
        return "";
    id = node->text;
    *span = node->span;
    for (uint32_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')
            continue;
        diagnose(reading_diag(reading), yaml_node_span(node, i, i + 1),
                 "an id is made of a-z, 0-9, \".\", \"_\" and \"-\"");
        reading_spoil(reading);
        return "";
    }
    if (id.len == 0 || id.len > RULE_ID_BYTES_MAX) {
        diagnose(reading_diag(reading), node->span, "an id has 1 to %d characters",
                 RULE_ID_BYTES_MAX);
        reading_spoil(reading);
        return "";
    }
    copy = arena_copy(reading->build->arena, id.at, id.len);
    if (copy == NULL)
        reading_out_of_memory(reading);
    return copy != NULL ? copy : "";
}

void reading_vars(struct reading *reading)
{
    if (!vars_read(yaml_node_find(reading->node, "vars"), reading->build->var_parts,
                   reading->build->scratch, reading_diag(reading), &reading->vars))
        reading_spoil(reading);
}

static void read_on(struct reading *reading)
{
    static const char *const inputs[] = {"alerts", "events", "flapping", "incidents"};
    char hint[NEAREST_HINT_BYTES];
    const struct yaml_node *node = yaml_node_find(reading->node, "on");

    if (node == NULL || !reading_is_scalar(reading, node) || text_equals(node->text, "alerts"))
        return;
    if (text_equals(node->text, "events")) {
        reading->rule->open.input = RULE_INPUT_EVENTS;
        return;
    }
    if (text_equals(node->text, "flapping")) {
        reading->rule->open.input = RULE_INPUT_FLAPPING;
        return;
    }
    if (text_equals(node->text, "incidents")) {
        reading->rule->open.input = RULE_INPUT_INCIDENTS;
        return;
    }
    diagnose(reading_diag(reading), node->span,
             "on is \"alerts\" (what deduplication lets through), \"events\" (repeats too), "
             "\"flapping\" (alerts that begin to flap) or \"incidents\" (of other rules)%s",
             nearest_hint(node->text, inputs, sizeof(inputs) / sizeof(inputs[0]), hint));
    reading_spoil(reading);
}

struct ast *reading_parse(struct reading *reading, const struct yaml_node *node)
{
    struct ast *ast = parse_node(node, reading->build->scratch, reading_diag(reading));

    if (ast != NULL && vars_place(ast, &reading->vars))
        return ast;
    reading_spoil(reading);
    return NULL;
}

struct ast *reading_expression(struct reading *reading, const char *key, struct scope *scope)
{
    const struct yaml_node *node = reading_required(reading, reading->node, key, "a rule");

    return node != NULL ? reading_expression_at(reading, node, scope) : NULL;
}

struct ast *reading_expression_at(struct reading *reading, const struct yaml_node *node,
                                  struct scope *scope)
{
    struct ast *ast = reading_parse(reading, node);

    if (ast != NULL && types_check(ast, scope) &&
        (scope->kind != SCOPE_WHERE || reading_is_possible(reading, ast, NULL)))
        return ast;
    reading_spoil(reading);
    return NULL;
}

bool reading_is_possible(struct reading *reading, const struct ast *ast, const struct ast *where)
{
    /* Of what is no rule, enrich steps, clears are asked as well. */
    const struct ground ground = {
        .kind = GROUND_EVENT,
        .where = where,
        .sees_clears = reading->rule == NULL || reading->rule->open.form_kind == FORM_EXPECT,
    };

    return impossible_check(ast, &ground, reading_diag(reading));
}

void reading_compile(struct reading *reading, const struct ast *ast, struct program *out)
{
    if (!program_compile(ast, reading->build->arena, reading->build->slots, out))
        reading_out_of_memory(reading);
}

struct scope reading_scope(struct reading *reading, enum scope_kind kind)
{
    return (struct scope){.kind = kind,
                          .arena = reading->build->scratch,
                          .diag = reading_diag(reading),
                          .vars = &reading->vars,
                          .lookups = reading->build->lookups,
                          .patterns = reading->build->patterns,
                          .is_of_incidents = reading->rule != NULL &&
                                             reading->rule->open.input == RULE_INPUT_INCIDENTS};
}

/* Digests chain: each step hashes the digest so far and the hash of one text. */
void reading_digest_text(struct id128 *digest, const char *text)
{
    struct id128 pair[2] = {*digest, hash128(text, strlen(text), 0)};

    *digest = hash128(pair, sizeof(pair), 0);
}

void reading_digest_number(struct id128 *digest, int64_t number)
{
    struct id128 pair[2] = {*digest, {0, (uint64_t)number}};

    *digest = hash128(pair, sizeof(pair), 1);
}

void reading_digest_ast(struct id128 *digest, const struct ast *ast)
{
    struct id128 pair[2] = {*digest, ast_digest(ast)};

    *digest = hash128(pair, sizeof(pair), 2);
}

const char *rule_setting_name(enum rule_setting_kind kind)
{
    static const char *const names[SETTING_COUNT] = {
        [SETTING_TITLE] = "title",       [SETTING_PRIORITY] = "priority",
        [SETTING_TIER] = "tier",         [SETTING_TEAM] = "team",
        [SETTING_RUNBOOK] = "runbook",   [SETTING_CLOSE] = "close",
        [SETTING_SEVERITY] = "severity", [SETTING_KEYS] = "keys",
        [SETTING_STEPS] = "as",          [SETTING_WHEN] = "when",
        [SETTING_MAX_KEYS] = "max_keys", [SETTING_MAX_MEMBERS] = "max_members",
    };

    return names[kind];
}

void reading_setting(struct reading *reading, enum rule_setting_kind kind, const char *text)
{
    struct rule_setting *setting = &reading->rule->open.setting[kind];

    setting->text = text;
    reading_digest_text(&setting->digest, text);
}

/* A text of the file that has been used otherwise; the set keeps a copy. */
void reading_setting_of_node(struct reading *reading, enum rule_setting_kind kind,
                             const struct yaml_node *node)
{
    const char *copy = arena_copy(reading->build->arena, node->text.at, node->text.len);

    if (copy == NULL)
        reading_out_of_memory(reading);
    else
        reading_setting(reading, kind, copy);
}

static void setting_of_number(struct reading *reading, enum rule_setting_kind kind, uint32_t number)
{
    char text[16];
    const char *copy;

    snprintf(text, sizeof(text), "%" PRIu32, number);
    copy = arena_copy(reading->build->arena, text, strlen(text));
    if (copy == NULL)
        reading_out_of_memory(reading);
    else
        reading_setting(reading, kind, copy);
}

static void read_where(struct reading *reading)
{
    struct scope scope = reading_scope(reading, SCOPE_WHERE);
    bool is_composite = reading->rule->open.input == RULE_INPUT_INCIDENTS;
    bool may_lack = is_composite && yaml_node_find(reading->node, "where") == NULL;
    struct ast *ast = may_lack ? NULL : reading_expression(reading, "where", &scope);

    if (ast == NULL && !may_lack)
        return;
    if (ast != NULL)
        reading_digest_ast(&reading->rule->open.form, ast);
    ast = composite_where(reading, ast);
    if (ast == NULL)
        return;
    reading->where_ast = ast;
    reading_compile(reading, ast, &reading->rule->where);
    reading->rule->open.reads_message = reading->rule->where.reads_unstable;
}

static const char *field_text(struct reading *reading, const struct ast *ast)
{
    const char *text = ast->field == RULE_FIELD_LABEL
                           ? label_print(ast->text, reading->build->arena)
                           : field_row(ast->field)->name;

    if (text == NULL)
        reading_out_of_memory(reading);
    return text != NULL ? text : "";
}

static void add_by(struct reading *reading, const struct yaml_node *node)
{
    struct rule *rule = &reading->rule->open;
    struct ast *ast = reading_parse(reading, node);
    const char *name;

    if (ast == NULL || !types_check_field(ast, FIELD_IN_BY, "by", reading_diag(reading))) {
        reading_spoil(reading);
        return;
    }
    if (ast->field == RULE_FIELD_TENANT)
        return; /* there already, always first */
    name = field_text(reading, ast);
    for (uint32_t i = 0; i < rule->by_count; i++) {
        if (strcmp(rule->by_name[i], name) == 0) {
            diagnose(reading_diag(reading), node->span, "by names %.80s twice", name);
            reading_spoil(reading);
            return;
        }
    }
    if (rule->by_count == RULE_BY_MAX) {
        diagnose(reading_diag(reading), node->span,
                 "by takes at most %d fields, the tenant included", RULE_BY_MAX);
        reading_spoil(reading);
        return;
    }
    if (!operand_compile(ast, reading->build->arena, NULL, &reading->rule->by[rule->by_count])) {
        reading_out_of_memory(reading);
        return;
    }
    reading->rule->by_span[rule->by_count] = node->span;
    rule->by_name[rule->by_count++] = name;
}

static void read_by(struct reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->node, "by");
    struct rule *rule = &reading->rule->open;

    rule->by_name[0] = field_row(RULE_FIELD_TENANT)->name;
    rule->by_count = 1;
    reading->rule->by[0] = (struct operand){.kind = OPERAND_FIELD, .field = RULE_FIELD_TENANT};
    if (node != NULL && node->kind != YAML_LIST) {
        diagnose(reading_diag(reading), node->span, "by takes a list of fields: [tenant, host]");
        reading_spoil(reading);
        return;
    }
    for (node = node != NULL ? node->first : NULL; node != NULL; node = node->next)
        add_by(reading, node);
    for (uint32_t i = 0; i < rule->by_count; i++) {
        reading_digest_text(&rule->form, rule->by_name[i]);
        reading_digest_text(&rule->key_kind, rule->by_name[i]);
    }
}

static void keep_closing(struct reading *reading, const struct scope *scope)
{
    struct rule *rule = &reading->rule->open;

    rule->fewer_count = (uint8_t)scope->fewer_count;
    memcpy(rule->fewer, scope->fewer, sizeof(scope->fewer));
    for (uint32_t i = 0; i < scope->fewer_count; i++)
        if (scope->fewer[i].touches > rule->fewer_touches_max)
            rule->fewer_touches_max = scope->fewer[i].touches;
    rule->last_count = (uint8_t)scope->last_count;
    for (uint32_t i = 0; i < scope->last_count; i++)
        reading_compile(reading, scope->last[i].argument, &reading->rule->last[i]);
}

/* What last() can be: a number of an event that made `where` true, and where it is made of the key
 * alone, always the same. */
static bool is_close_possible(struct reading *reading, const struct ast *ast,
                              const struct scope *scope)
{
    const struct ground ground = {.kind = GROUND_CLOSE,
                                  .where = reading->where_ast,
                                  .aggregate = scope->last,
                                  .aggregate_count = scope->last_count,
                                  .rule = reading->rule};

    for (uint32_t i = 0; i < scope->last_count; i++) {
        const char *why = reading->rule->open.form_kind == FORM_EXPECT
                              ? "there is no number of what does not come: no event opens or joins "
                                "an incident of a rule with \"expect\""
                          : impossible_is_fixed(scope->last[i].argument, reading->rule)
                              ? "this never changes while an incident is open: it is made of "
                                "what `by` names"
                              : NULL;
        if (why == NULL)
            continue;
        diagnose(reading_diag(reading), scope->last[i].span, "%s", why);
        reading_spoil(reading);
        return false;
    }
    if (!reading->is_good || impossible_check(ast, &ground, reading_diag(reading)))
        return true;
    reading_spoil(reading);
    return false;
}

static void read_close(struct reading *reading)
{
    struct scope scope = reading_scope(reading, SCOPE_CLOSE);
    struct ast *ast = reading_expression(reading, "close", &scope);

    if (ast == NULL || !is_close_possible(reading, ast, &scope))
        return;
    reading_compile(reading, ast, &reading->rule->close);
    reading->rule->open.quiet_count = scope.quiet_count;
    memcpy(reading->rule->open.quiet_ms, scope.quiet_ms, sizeof(scope.quiet_ms));
    keep_closing(reading, &scope);
    reading_setting_of_node(reading, SETTING_CLOSE, yaml_node_find(reading->node, "close"));
    reading->rule->open.setting[SETTING_CLOSE].digest = ast_digest(ast);
}

/* ---- incident ---- */

/* A time that is over opens the incident: a window's, or that of `for`. So it is where the last
 * step of a sequence did not come, but that shows its last event. */
static bool opens_without_event(const struct rule *rule)
{
    return rule->form_kind == FORM_EXPECT || rule->form_kind == FORM_BASELINE ||
           rule->looks_at_end || rule->hold_ms > 0;
}

static void read_title(struct reading *reading, const struct yaml_node *incident)
{
    const struct yaml_node *node = reading_required(reading, incident, "title", "incident");
    const struct title_known known = {reading->rule->by, reading->rule->open.by_count,
                                      reading->rule->open.form_kind == FORM_EXPECT};
    struct id128 *digest;

    if (node == NULL || !reading_is_scalar(reading, node))
        return;
    if (node->text.len == 0 || node->text.len > TITLE_BYTES_MAX ||
        has_control_character(node->text)) {
        diagnose(reading_diag(reading), node->span, "a title is one line of 1 to %d bytes",
                 TITLE_BYTES_MAX);
        reading_spoil(reading);
        return;
    }
    reading_setting_of_node(reading, SETTING_TITLE, node);
    /* Without a good `when` it is not known what {count()} may mean. */
    if (reading->has_title &&
        !title_compile(node, &reading->when,
                       opens_without_event(&reading->rule->open) ? &known : NULL,
                       reading->build->arena, &reading->rule->title))
        reading_spoil(reading);
    digest = &reading->rule->open.setting[SETTING_TITLE].digest;
    reading_digest_number(digest, (int64_t)reading->rule->title.digest.hi);
    reading_digest_number(digest, (int64_t)reading->rule->title.digest.lo);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void read_priority(struct reading *reading, const struct yaml_node *incident)
{
    const struct yaml_node *node = yaml_node_find(incident, "priority");
    char hint[32] = "", last;

    reading->rule->open.priority = PRIORITY_P3;
    if (node == NULL || !reading_is_scalar(reading, node))
        return;
    for (int priority = PRIORITY_P1; priority <= PRIORITY_P5; priority++) {
        if (text_equals(node->text, priority_name((enum priority)priority))) {
            reading->rule->open.priority = (uint8_t)priority;
            return;
        }
    }
    /* p2, 2 and prio2; of P9 nothing is nearer than all. */
    last = node->text.len > 0 ? node->text.at[node->text.len - 1] : '\0';
    if (last >= '1' && last <= '5' &&
        (node->text.len == 1 || !is_digit(node->text.at[node->text.len - 2])))
        snprintf(hint, sizeof(hint), "; did you mean P%c?", last);
    diagnose(reading_diag(reading), node->span, "a priority is P1, P2, P3, P4 or P5%s", hint);
    reading_spoil(reading);
}

static void read_incident(struct reading *reading)
{
    const struct yaml_node *node = reading_required(reading, reading->node, "incident", "a rule");
    struct rule *rule = &reading->rule->open;

    rule->tier = rule->runbook = rule->team = "";
    if (node == NULL)
        return;
    if (node->kind != YAML_MAP) {
        diagnose(reading_diag(reading), node->span, "incident takes a map with a title, not %s",
                 yaml_kind_name(node->kind));
        reading_spoil(reading);
        return;
    }
    if (!rule_check_keys(node, incident_keys, INCIDENT_KEY_COUNT, "incident",
                         reading_diag(reading)))
        reading_spoil(reading);
    read_title(reading, node);
    read_priority(reading, node);
    rule->tier = reading_line(reading, node, "tier", NAME_BYTES_MAX);
    rule->team = reading_line(reading, node, "team", NAME_BYTES_MAX);
    rule->runbook = reading_line(reading, node, "runbook", RUNBOOK_BYTES_MAX);
    reading_setting(reading, SETTING_PRIORITY, priority_name((enum priority)rule->priority));
    reading_setting(reading, SETTING_TIER, rule->tier);
    reading_setting(reading, SETTING_TEAM, rule->team);
    reading_setting(reading, SETTING_RUNBOOK, rule->runbook);
}

static void read_description(struct reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->node, "description");

    if (node == NULL || !reading_is_scalar(reading, node) ||
        node->text.len <= DESCRIPTION_BYTES_MAX)
        return;
    diagnose(reading_diag(reading), node->span, "a description has at most %d bytes",
             DESCRIPTION_BYTES_MAX);
    reading_spoil(reading);
}

static void digest_finish(struct reading *reading)
{
    const struct rule *rule = &reading->rule->open;
    struct id128 *digest = &reading->rule->digest;

    reading_digest_text(digest, rule->id);
    reading_digest_number(digest, (int64_t)rule->form.hi);
    reading_digest_number(digest, (int64_t)rule->form.lo);
    for (int kind = 0; kind < SETTING_COUNT; kind++) {
        reading_digest_number(digest, (int64_t)rule->setting[kind].digest.hi);
        reading_digest_number(digest, (int64_t)rule->setting[kind].digest.lo);
    }
}

/* ---- forms ---- */

/* The last row is what a rule is that has no other form's key. */
static const struct rule_form_reader *choose_form(const struct reading *reading)
{
    size_t last = FORMS - 1;

    for (size_t i = 0; i < last; i++)
        if (yaml_node_find(reading->node, forms[i]->chosen_by) != NULL)
            return forms[i];
    return forms[last];
}

static void check_rule_keys(struct reading *reading, const struct rule_form_reader *form)
{
    const char *known[RULE_KEY_COUNT + FORM_KEYS_MAX + FORMS];
    size_t count = 0, candidates;

    for (size_t i = 0; i < RULE_KEY_COUNT; i++)
        known[count++] = rule_keys[i];
    for (size_t i = 0; i < FORM_KEYS_MAX && form->keys[i] != NULL; i++)
        known[count++] = form->keys[i];
    /* A slip in the key that chooses a form makes a rule of the last form. */
    candidates = count;
    for (size_t i = 0; i + 1 < FORMS; i++)
        known[candidates++] = forms[i]->chosen_by;
    if (!check_keys(reading->node, known, count, candidates, form->what, form,
                    reading_diag(reading)))
        reading_spoil(reading);
    reading->rule->open.form_kind = form->kind;
}

int64_t reading_duration(struct reading *reading, const struct yaml_node *node, const char *what)
{
    int64_t ms = 0;

    if (!reading_is_scalar(reading, node))
        return 0;
    if (!lexer_read_duration(node, reading_diag(reading), &ms)) {
        reading_spoil(reading);
        return 0;
    }
    if (ms > 0 && ms <= RULE_DURATION_MS_MAX)
        return ms;
    diagnose(reading_diag(reading), node->span, "%s lies between 1ms and 30d", what);
    reading_spoil(reading);
    return 0;
}

int64_t reading_window(struct reading *reading, const struct yaml_node *node, const char *what)
{
    const struct rule_bounds *bounds = &reading->bounds;
    int64_t ms = reading_duration(reading, node, what);

    if (ms <= bounds->max_window_ms)
        return ms;
    diagnose(reading_diag(reading), node->span, "%s is at most max_window, %.*s", what,
             (int)bounds->max_window.len, bounds->max_window.at);
    reading_spoil(reading);
    return ms;
}

/* What `map`, a rule or the bounds of a file, says of bounds; the rest is as it was. */
static void read_bounds(struct reading *reading, const struct yaml_node *map)
{
    struct rule_bounds *bounds = &reading->bounds;
    const struct yaml_node *window = yaml_node_find(map, "max_window");

    bounds->max_keys = reading_number(reading, map, "max_keys", bounds->max_keys, 1, RULE_KEYS_MAX);
    bounds->max_members =
        reading_number(reading, map, "max_members", bounds->max_members, 1, RULE_MEMBERS_MAX);
    if (window != NULL) {
        bounds->max_window_ms = reading_duration(reading, window, "max_window");
        bounds->max_window = window->text;
    }
}

void rule_bounds_read(const struct yaml_node *node, struct rule_build *build)
{
    struct reading reading = {.build = build,
                              .node = node,
                              .is_good = true,
                              .bounds = {.max_keys = RULE_KEYS_DEFAULT,
                                         .max_members = RULE_MEMBERS_DEFAULT,
                                         .max_window_ms = RULE_DURATION_MS_MAX}};

    if (node != NULL && node->kind != YAML_MAP)
        diagnose(build->diag, node->span,
                 "bounds is a map of max_keys, max_members and max_window, not %s",
                 yaml_kind_name(node->kind));
    else if (node != NULL &&
             rule_check_keys(node, bounds_keys, BOUNDS_KEY_COUNT, "bounds", build->diag))
        read_bounds(&reading, node);
    build->bounds = reading.bounds;
}

/* A key that has its meaning already, so that no rule uses it for another. */
static bool is_reserved(struct reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->node, "topology");

    if (node == NULL)
        return false;
    diagnose(reading_diag(reading), node->key->span,
             "topology is kept for rules that follow dependencies; there are none yet");
    return true;
}

/* What tocsin says itself, and what becomes of incidents, passes no step. */
static void find_drop(struct reading *reading)
{
    static const struct operand tenant = {.kind = OPERAND_FIELD, .field = RULE_FIELD_TENANT};
    struct rule *rule = &reading->rule->open;
    struct text value;
    const char *id;

    if (reading->build->drops == NULL || reading->where_ast == NULL || !reading->is_good ||
        rule->input == RULE_INPUT_INCIDENTS ||
        (fixed_value(&reading->rule->where, &tenant, &value) && text_equals(value, "@tocsin")))
        return;
    drops_find_apart(reading->build->drops, reading->where_ast, rule->form_kind == FORM_EXPECT,
                     reading->rule->apart);
    id = drops_find(reading->build->drops, reading->where_ast, rule->form_kind == FORM_EXPECT);
    if (id == NULL)
        return;
    rule->dropped_by = arena_copy(reading->build->arena, id, strlen(id));
    if (rule->dropped_by == NULL)
        reading_out_of_memory(reading);
}

bool rule_read(const struct yaml_node *node, struct rule_build *build, struct compiled_rule *out)
{
    struct reading reading = {
        .build = build, .node = node, .rule = out, .is_good = true, .bounds = build->bounds};

    if (node->kind != YAML_MAP) {
        diagnose(build->diag, node->span, "a rule is a map of keys, not %s",
                 yaml_kind_name(node->kind));
        return false;
    }
    if (is_reserved(&reading))
        return false;
    const struct rule_form_reader *form = choose_form(&reading);
    check_rule_keys(&reading, form);
    out->open.id = reading_id(&reading, "a rule", &out->id_span);
    read_description(&reading);
    reading_vars(&reading);
    read_on(&reading);
    reading_digest_number(&out->open.form, out->open.input);
    reading_digest_number(&out->open.form, (int64_t)form->kind);
    reading_digest_number(&out->open.key_kind, form->kind == FORM_EXPECT);
    composite_read(&reading);
    if (!form->makes_where || yaml_node_find(node, "where") != NULL)
        read_where(&reading);
    read_by(&reading);
    read_bounds(&reading, node);
    out->open.max_keys = reading.bounds.max_keys;
    out->open.max_members = reading.bounds.max_members;
    setting_of_number(&reading, SETTING_MAX_KEYS, out->open.max_keys);
    setting_of_number(&reading, SETTING_MAX_MEMBERS, out->open.max_members);
    form->read(&reading);
    read_incident(&reading);
    read_close(&reading);
    find_drop(&reading);
    /* What is wrong may be why a variable was not used. */
    if (reading.is_good && !vars_check_used(&reading.vars))
        reading_spoil(&reading);
    digest_finish(&reading);
    if (!rule_shape_read(node, build->arena, &out->open))
        reading_out_of_memory(&reading);
    return reading.is_good;
}
