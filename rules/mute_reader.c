/*
 * mute_reader.c - the keys of silences, maintenance windows and inhibitions. See
 * mute_reader.h.
 */
#include "rules/mute_reader.h"

#include <string.h>
#include "base/hash.h"
#include "base/text.h"
#include "rules/calendar_reader.h"
#include "rules/impossible.h"
#include "rules/meaning.h"
#include "rules/mute_names.h"
#include "rules/parser.h"
#include "rules/rule_shape.h"
#include "rules/timestamp.h"
#include "rules/types.h"

enum { COMMENT_BYTES_MAX = 1000 };

static const char *const silence_keys[] = {"id", "where", "from", "to", "comment", "by"};
static const char *const maintenance_keys[] = {"id",       "where",         "comment", "by",
                                               "start",    "duration",      "rrule",   "except",
                                               "timezone", "time_intervals"};
static const char *const inhibit_keys[] = {"id", "source", "target", "equal", "comment", "by"};

static const struct {
    const char *section, *what;
    const char *const *keys;
    size_t key_count;
} kinds[MUTE_KIND_COUNT] = {
    [MUTE_SILENCE] = {"silences", "a silence", silence_keys,
                      sizeof(silence_keys) / sizeof(silence_keys[0])},
    [MUTE_MAINTENANCE] = {"maintenance", "a maintenance window", maintenance_keys,
                          sizeof(maintenance_keys) / sizeof(maintenance_keys[0])},
    [MUTE_INHIBIT] = {"inhibit", "an inhibition", inhibit_keys,
                      sizeof(inhibit_keys) / sizeof(inhibit_keys[0])},
};

/* What one entry needs while it is read. */
struct mute_reading {
    struct rule_build *build;
    const struct yaml_node *node;
    struct compiled_mute *mute;
    bool is_good;
};

static struct diagnostics *diag_of(const struct mute_reading *reading)
{
    return reading->build->diag;
}

static void spoil(struct mute_reading *reading)
{
    reading->is_good = false;
}

static void out_of_memory(struct mute_reading *reading)
{
    diagnose_memory(diag_of(reading));
    spoil(reading);
}

static const struct yaml_node *required(struct mute_reading *reading, const char *key)
{
    const struct yaml_node *node = yaml_node_find(reading->node, key);

    if (node == NULL) {
        diagnose(diag_of(reading), reading->node->span, "%s needs the key \"%s\"",
                 kinds[reading->mute->open.kind].what, key);
        spoil(reading);
    }
    return node;
}

/* A scalar, or NULL, diagnosed. */
static const struct yaml_node *text_node(struct mute_reading *reading, const struct yaml_node *node)
{
    if (node == NULL || node->kind == YAML_SCALAR)
        return node;
    diagnose(diag_of(reading), node->span, "%s takes text, not %s%s", node->key->text.at,
             yaml_kind_name(node->kind), yaml_unquoted_hint(node->kind));
    spoil(reading);
    return NULL;
}

static void digest_text(struct mute_reading *reading, struct text text)
{
    struct id128 pair[2] = {reading->mute->open.digest, hash128(text.at, text.len, 0)};

    reading->mute->open.digest = hash128(pair, sizeof(pair), 0);
}

static void digest_string(struct mute_reading *reading, const char *text)
{
    digest_text(reading, text_of(text));
}

static void read_id(struct mute_reading *reading)
{
    const struct yaml_node *node = text_node(reading, required(reading, "id"));

    reading->mute->open.id = "";
    reading->mute->id_span = reading->node->span;
    if (node == NULL)
        return;
    reading->mute->id_span = node->span;
    for (uint32_t i = 0; i < node->text.len; i++) {
        char c = node->text.at[i];
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')
            continue;
        diagnose(diag_of(reading), yaml_node_span(node, i, i + 1),
                 "an id is made of a-z, 0-9, \".\", \"_\" and \"-\"");
        spoil(reading);
        return;
    }
    if (node->text.len == 0 || node->text.len > RULE_ID_BYTES_MAX) {
        diagnose(diag_of(reading), node->span, "an id has 1 to %d characters", RULE_ID_BYTES_MAX);
        spoil(reading);
        return;
    }
    reading->mute->open.id = arena_copy(reading->build->arena, node->text.at, node->text.len);
    if (reading->mute->open.id == NULL) {
        reading->mute->open.id = "";
        out_of_memory(reading);
    }
}

/* For people who read the file; nothing else reads it. */
static void read_remark(struct mute_reading *reading, const char *key)
{
    const struct yaml_node *node = text_node(reading, yaml_node_find(reading->node, key));

    if (node == NULL || node->text.len <= COMMENT_BYTES_MAX)
        return;
    diagnose(diag_of(reading), node->span, "%s has at most %d bytes", key, COMMENT_BYTES_MAX);
    spoil(reading);
}

/* Returns what it means; the digest of nothing where it is wrong. */
static struct id128 read_matcher(struct mute_reading *reading, const char *key, struct program *out)
{
    const struct yaml_node *node = required(reading, key);
    struct scope scope = {.kind = SCOPE_WHERE,
                          .arena = reading->build->scratch,
                          .diag = diag_of(reading),
                          .patterns = reading->build->patterns,
                          .lookups = reading->build->lookups};
    const struct ground ground = {.kind = GROUND_INCIDENT};
    struct id128 digest = {0};
    struct ast *ast;

    if (node == NULL)
        return digest;
    ast = parse_node(node, reading->build->scratch, diag_of(reading));
    if (ast == NULL ||
        !mute_names_resolve(ast, reading->build->lookups, reading->build->scratch,
                            diag_of(reading)) ||
        !types_check(ast, &scope) || !impossible_check(ast, &ground, diag_of(reading))) {
        spoil(reading);
        return digest;
    }
    if (!program_compile(ast, reading->build->arena, NULL, out)) {
        out_of_memory(reading);
        return digest;
    }
    digest = ast_digest(ast);
    digest_text(reading, (struct text){(const char *)&digest, sizeof(digest)});
    return digest;
}

/* ---- silences ---- */

static void read_time(struct mute_reading *reading, const struct yaml_node *node, int64_t *out)
{
    const char *why;

    node = text_node(reading, node);
    if (node == NULL)
        return;
    why = timestamp_parse(node->text, out);
    if (why == NULL)
        return;
    diagnose(diag_of(reading), node->span, "%s", why);
    spoil(reading);
}

static void read_silence(struct mute_reading *reading)
{
    struct mute *mute = &reading->mute->open;
    const struct yaml_node *to = required(reading, "to");

    read_matcher(reading, "where", &reading->mute->where);
    mute->from_ms = INT64_MIN;
    mute->to_ms = INT64_MAX;
    read_time(reading, yaml_node_find(reading->node, "from"), &mute->from_ms);
    if (to != NULL)
        read_time(reading, to, &mute->to_ms);
    if (to != NULL && reading->is_good && mute->to_ms <= mute->from_ms) {
        diagnose(diag_of(reading), to->span, "a silence ends after it begins");
        spoil(reading);
    }
    struct id128 times = {(uint64_t)mute->from_ms, (uint64_t)mute->to_ms};
    digest_text(reading, (struct text){(const char *)&times, sizeof(times)});
}

/* ---- inhibitions ---- */

static void add_equal(struct mute_reading *reading, const struct yaml_node *node)
{
    struct mute *mute = &reading->mute->open;
    struct ast *ast = parse_node(node, reading->build->scratch, diag_of(reading));
    const char *name = NULL;

    if (ast == NULL || !mute_names_resolve(ast, reading->build->lookups, reading->build->scratch,
                                           diag_of(reading))) {
        spoil(reading);
        return;
    }
    if (ast->kind != AST_MEMBER) {
        diagnose(diag_of(reading), node->span, "%s",
                 ast->kind == AST_NAME
                     ? "equal cannot take severity: it changes while an incident is open"
                     : "equal takes names of an incident: host, labels.rack, rule, ...");
        spoil(reading);
        return;
    }
    name = arena_copy(reading->build->arena, ast->text.at, ast->text.len);
    if (name == NULL) {
        out_of_memory(reading);
        return;
    }
    for (uint32_t i = 0; i < mute->equal_count; i++)
        if (strcmp(mute->equal[i], name) == 0)
            return; /* the tenant is always there; another one twice changes nothing */
    if (mute->equal_count == MUTE_EQUAL_MAX) {
        diagnose(diag_of(reading), node->span, "equal takes at most %d names, the tenant included",
                 MUTE_EQUAL_MAX);
        spoil(reading);
        return;
    }
    mute->equal[mute->equal_count++] = name;
    digest_string(reading, name);
}

static void read_inhibit(struct mute_reading *reading)
{
    const struct yaml_node *equal = yaml_node_find(reading->node, "equal");
    struct mute *mute = &reading->mute->open;
    struct id128 source, target;

    mute->equal[mute->equal_count++] = "tenant";
    source = read_matcher(reading, "source", &reading->mute->source);
    target = read_matcher(reading, "target", &reading->mute->where);
    reading->mute->is_same = id128_equal(source, target);
    if (equal != NULL && equal->kind != YAML_LIST) {
        diagnose(diag_of(reading), equal->span, "equal takes a list of names: [host, labels.rack]");
        spoil(reading);
        return;
    }
    for (const struct yaml_node *node = equal != NULL ? equal->first : NULL; node != NULL;
         node = node->next)
        add_equal(reading, node);
}

/* ---- maintenance ---- */

static void read_maintenance(struct mute_reading *reading)
{
    struct calendar *calendar = arena_alloc(reading->build->arena, sizeof(*calendar));

    read_matcher(reading, "where", &reading->mute->where);
    if (calendar == NULL) {
        out_of_memory(reading);
        return;
    }
    reading->mute->open.calendar = calendar;
    if (!calendar_read(reading->node, reading->build, calendar, &reading->mute->open.digest))
        spoil(reading);
}

const char *mute_section_name(enum mute_kind kind)
{
    return kinds[kind].section;
}

bool mute_read(const struct yaml_node *node, enum mute_kind kind, struct rule_build *build,
               struct compiled_mute *out)
{
    struct rule_shape *shape = NULL;
    struct mute_reading reading = {.build = build, .node = node, .mute = out, .is_good = true};

    memset(out, 0, sizeof(*out));
    out->open.kind = kind;
    if (node->kind != YAML_MAP) {
        diagnose(build->diag, node->span, "%s is a map of keys, not %s", kinds[kind].what,
                 yaml_kind_name(node->kind));
        return false;
    }
    if (!rule_check_keys(node, kinds[kind].keys, kinds[kind].key_count, kinds[kind].what,
                         build->diag))
        spoil(&reading);
    read_id(&reading);
    digest_string(&reading, mute_kind_name(kind));
    digest_string(&reading, out->open.id);
    read_remark(&reading, "comment");
    read_remark(&reading, "by");
    if (kind == MUTE_SILENCE)
        read_silence(&reading);
    else if (kind == MUTE_MAINTENANCE)
        read_maintenance(&reading);
    else
        read_inhibit(&reading);
    if (reading.is_good && !rule_shape_read_all(node, build->arena, &shape, &out->open.shape_count))
        out_of_memory(&reading);
    out->open.shape = shape;
    return reading.is_good;
}
