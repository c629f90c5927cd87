/* enrich_reader.c - see enrich_reader.h. */
#include "rules/enrich_reader.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "rules/enrich_clears.h"
#include "rules/fields.h"
#include "rules/parser.h"
#include "rules/printer.h"
#include "rules/rule_reading.h"
#include "rules/rule_shape.h"

enum { DEEDS_MAX = 512 };

static const char a_step[] = "an enrich step";
static const char *const step_keys[] = {"id", "vars", "where", "extract", "set", "remove", "drop"};
static const char *const extract_keys[] = {"from", "pattern"};

enum {
    STEP_KEYS = sizeof(step_keys) / sizeof(step_keys[0]),
    EXTRACT_KEYS = sizeof(extract_keys) / sizeof(extract_keys[0]),
};

/* Keys with expressions, which can name something that is another one day. */
enum { STEP_WHERE, STEP_EXTRACT, STEP_SET, STEP_EXPRESSIONS };
static const char *const means_keys[STEP_EXPRESSIONS] = {"where", "extract", "set"};

/* One step while it is read. */
struct step_reading {
    struct reading common;
    struct compiled_step *step;
    struct deed *deeds;
    struct id128 means[STEP_EXPRESSIONS]; /* of the expressions under each of these keys */
    int key;                              /* which of them is read */
};

static void refuse(struct step_reading *reading, struct span span, const char *sentence)
{
    diagnose(reading_diag(&reading->common), span, "%s", sentence);
    reading_spoil(&reading->common);
}

/* NULL, diagnosed, when the step does too much. What is returned may be dropped again. */
static struct deed *next_deed(struct step_reading *reading, const struct yaml_node *node)
{
    struct compiled_step *step = reading->step;

    if (reading->deeds == NULL)
        reading->deeds =
            arena_alloc_many(reading->common.build->scratch, DEEDS_MAX, sizeof(struct deed));
    if (reading->deeds == NULL) {
        reading_out_of_memory(&reading->common);
        return NULL;
    }
    if (step->deed_count == DEEDS_MAX) {
        diagnose(reading_diag(&reading->common), node->span,
                 "an enrich step extracts, sets and removes at most %d things", DEEDS_MAX);
        reading_spoil(&reading->common);
        return NULL;
    }
    if (*reading->common.build->deed_count >= ENRICH_DEEDS_MAX) {
        if ((*reading->common.build->deed_count)++ == ENRICH_DEEDS_MAX)
            refuse(reading, node->span,
                   "the enrich steps of a set extract, set and remove at most 10000 things");
        reading_spoil(&reading->common);
        return NULL;
    }
    ++*reading->common.build->deed_count;
    return memset(&reading->deeds[step->deed_count], 0, sizeof(struct deed));
}

/* Everything that the file says goes into the digest, each part with what it is. */
static void digest_part(struct step_reading *reading, const char *what, const char *text)
{
    reading_digest_text(&reading->step->open.digest, what);
    reading_digest_text(&reading->step->open.digest, text);
}

static void compile(struct step_reading *reading, const struct ast *ast, struct program *out)
{
    reading_compile(&reading->common, ast, out);
    reading->step->reads_unstable = reading->step->reads_unstable || out->reads_unstable;
    reading_digest_ast(&reading->step->open.digest, ast);
    reading_digest_ast(&reading->means[reading->key], ast);
}

/* An expression of any type; NULL, diagnosed, when something is wrong. */
static struct ast *read_value(struct step_reading *reading, const struct yaml_node *node)
{
    struct scope scope = reading_scope(&reading->common, SCOPE_WHERE);
    struct ast *ast = reading_parse(&reading->common, node);

    scope.name = "an enrich step";
    if (ast != NULL && types_check_value(ast, &scope))
        return ast;
    reading_spoil(&reading->common);
    return NULL;
}

/* ---- names ---- */

static const char *field_refused(enum rule_field field)
{
    if (field == RULE_FIELD_STATE)
        return "cannot be changed: problems and clears find each other as they were sent";
    if (field_is_of_identity(field))
        return "cannot be changed: it identifies the event; set a label instead";
    return "cannot be changed: times are those of the event as it was sent";
}

/* What a key of `set` or an entry of `remove` names; `what` is its canonical text. False,
 * diagnosed, when it cannot be changed. */
static bool read_target(struct step_reading *reading, const struct yaml_node *node,
                        struct deed *deed)
{
    struct arena *arena = reading->common.build->arena;
    struct diagnostics *diag = reading_diag(&reading->common);
    struct ast *ast = parse_node(node, reading->common.build->scratch, diag);
    struct text name = {"host", 4};

    if (ast == NULL || !types_check_field(ast, 0, "set", diag)) {
        reading_spoil(&reading->common);
        return false;
    }
    switch (ast->field) {
    case RULE_FIELD_SEVERITY:
        deed->kind = DEED_SEVERITY;
        break;
    case RULE_FIELD_MESSAGE:
        deed->kind = DEED_MESSAGE;
        break;
    case RULE_FIELD_VALUE:
        deed->kind = DEED_VALUE;
        break;
    case RULE_FIELD_LABEL:
        name = ast->text;
        deed->kind = DEED_LABEL;
        break;
    case RULE_FIELD_HOST:
        deed->kind = DEED_LABEL;
        break;
    default:
        diagnose(diag, node->span, "%s %s", field_row(ast->field)->name, field_refused(ast->field));
        reading_spoil(&reading->common);
        return false;
    }
    if (deed->kind != DEED_LABEL) {
        deed->what = field_row(ast->field)->name;
        return true;
    }
    if (name.len == 0 || name.len > RECORD_STRING_BYTES_MAX) {
        refuse(reading, node->span, "a label needs a name");
        return false;
    }
    deed->label = (struct text){arena_copy(arena, name.at, name.len), name.len};
    deed->what = deed->label.at != NULL ? label_print(deed->label, arena) : NULL;
    if (deed->what == NULL) {
        reading_out_of_memory(&reading->common);
        return false;
    }
    return true;
}

/* ---- what a step does ---- */

static bool check_group_names(struct step_reading *reading, struct deed *deed)
{
    struct arena *arena = reading->common.build->arena;
    uint32_t count = capture_count(deed->capture);
    const char **what = arena_alloc_many(arena, count, sizeof(*what));
    uint32_t *order = arena_alloc_many(arena, count, sizeof(*order));

    if (what == NULL || order == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        what[i] = label_print(capture_name(deed->capture, i), arena);
        if (what[i] == NULL)
            return false;
        for (; at > 0 && text_order(capture_name(deed->capture, order[at - 1]),
                                    capture_name(deed->capture, i)) > 0;
             at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    deed->group_what = what;
    deed->group_order = order;
    return true;
}

static void read_pattern(struct step_reading *reading, const struct yaml_node *node,
                         struct deed *deed)
{
    struct pattern_fault fault;

    deed->capture = capture_create(node->text, reading->common.build->arena, &fault);
    if (deed->capture == NULL && fault.why[0] != '\0') {
        refuse(reading, yaml_node_span(node, fault.from, fault.to), fault.why);
        return;
    }
    if (deed->capture == NULL || !check_group_names(reading, deed)) {
        reading_out_of_memory(&reading->common);
        return;
    }
    *reading->common.build->extract_work += capture_work(deed->capture);
    if (*reading->common.build->extract_work > ENRICH_EXTRACT_WORK_MAX) {
        refuse(reading, node->span,
               "the patterns of extract up to here take too long to read: fewer Unicode "
               "properties, or fewer patterns");
        *reading->common.build->extract_work -= capture_work(deed->capture);
        return;
    }
    load_work_add(reading->common.build->work, LOAD_EXTRACTS,
                  (uint64_t)capture_work(deed->capture) * LOAD_EXTRACT_STEP_NS);
    if (load_work_left(reading->common.build->work) == 0) {
        load_work_refuse(reading->common.build->work, reading_diag(&reading->common), node->span);
        reading_spoil(&reading->common);
        return;
    }
    digest_part(reading, "extract", node->text.at);
    reading->step->deed_count++;
}

static void read_one_extract(struct step_reading *reading, const struct yaml_node *node)
{
    const struct yaml_node *from, *pattern;
    struct deed *deed = next_deed(reading, node);
    struct ast *ast;

    if (deed == NULL)
        return;
    if (node->kind != YAML_MAP) {
        refuse(reading, node->span,
               "extract takes {from: text, pattern: \"...\"}, or a list of such");
        return;
    }
    if (!rule_check_keys(node, extract_keys, EXTRACT_KEYS, "extract",
                         reading_diag(&reading->common)))
        reading_spoil(&reading->common);
    from = reading_required(&reading->common, node, "from", "extract");
    pattern = reading_required(&reading->common, node, "pattern", "extract");
    if (from == NULL || pattern == NULL || !reading_is_scalar(&reading->common, pattern))
        return;
    *deed = (struct deed){.kind = DEED_EXTRACT, .what = "an extraction"};
    ast = read_value(reading, from);
    if (ast == NULL)
        return;
    if (ast->type != TYPE_TEXT) {
        diagnose(reading_diag(&reading->common), ast->span,
                 "extract takes text to read from, not %s", value_type_name(ast->type));
        reading_spoil(&reading->common);
        return;
    }
    compile(reading, ast, &deed->program);
    read_pattern(reading, pattern, deed);
}

static void read_extract(struct step_reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->common.node, "extract");

    if (node == NULL)
        return;
    if (node->kind != YAML_LIST) {
        read_one_extract(reading, node);
        return;
    }
    for (node = node->first; node != NULL; node = node->next)
        read_one_extract(reading, node);
}

/* Can what `deed` sets take a value of this type? Else the sentence that says so. */
static const char *type_refused(const struct deed *deed, enum value_type type)
{
    switch (deed->kind) {
    case DEED_SEVERITY:
        if (type == TYPE_SEVERITY)
            return NULL;
        return type == TYPE_TEXT
                   ? "severity takes a severity, not text; severity(...) makes one of it"
                   : "severity takes a severity";
    case DEED_VALUE:
        if (type == TYPE_INT || type == TYPE_DOUBLE)
            return NULL;
        return type == TYPE_TEXT ? "value takes a number, not text; double(...) makes one of it"
                                 : "value takes a number";
    default:
        return value_converts(TYPE_TEXT, type)
                   ? NULL
                   : "a label or message takes text, or what string() makes text of";
    }
}

static void read_one_set(struct step_reading *reading, const struct yaml_node *node)
{
    struct deed *deed = next_deed(reading, node);
    const char *refused;
    struct ast *ast;

    if (deed == NULL || !read_target(reading, node->key, deed))
        return;
    ast = read_value(reading, node);
    if (ast == NULL)
        return;
    refused = type_refused(deed, ast->type);
    if (refused != NULL) {
        refuse(reading, ast->span, refused);
        return;
    }
    if (deed->kind == DEED_SEVERITY && ast->meaning == MEANS_CONSTANT &&
        ast->number == SEVERITY_OK) {
        refuse(reading, ast->span,
               "a problem is never OK: DEBUG is the least, and drop: true drops the event");
        return;
    }
    digest_part(reading, "set", deed->what);
    compile(reading, ast, &deed->program);
    reading->step->deed_count++;
}

static void read_set(struct step_reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->common.node, "set");

    if (node == NULL)
        return;
    if (node->kind != YAML_MAP) {
        refuse(reading, node->span, "set takes a map: {labels.team: \"...\", severity: ...}");
        return;
    }
    for (node = node->first; node != NULL; node = node->next)
        read_one_set(reading, node);
}

static void read_remove(struct step_reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->common.node, "remove");

    if (node == NULL)
        return;
    if (node->kind != YAML_LIST) {
        refuse(reading, node->span, "remove takes a list of labels: [labels.pod_uid]");
        return;
    }
    for (node = node->first; node != NULL; node = node->next) {
        struct deed *deed = next_deed(reading, node);
        if (deed == NULL)
            return;
        if (!read_target(reading, node, deed))
            continue;
        if (deed->kind != DEED_LABEL) {
            refuse(reading, node->span, "only labels can be removed");
            continue;
        }
        deed->kind = DEED_REMOVE;
        digest_part(reading, "remove", deed->what);
        reading->step->deed_count++;
    }
}

static void read_where(struct step_reading *reading)
{
    const struct yaml_node *node = yaml_node_find(reading->common.node, "where");
    struct scope scope = reading_scope(&reading->common, SCOPE_WHERE);
    struct ast *ast;

    if (node == NULL)
        return;
    ast = reading_expression_at(&reading->common, node, &scope);
    if (ast == NULL)
        return;
    reading_digest_text(&reading->step->open.digest, "where");
    reading->step->open.takes_clears = enrich_takes_clears(ast);
    compile(reading, ast, &reading->step->where);
    reading->step->has_where = true;
}

/* A step that drops does nothing else, and says what it drops. */
static void read_drop(struct step_reading *reading)
{
    static const char *const others[] = {"extract", "set", "remove"};
    const struct yaml_node *root = reading->common.node, *node = yaml_node_find(root, "drop");

    if (node == NULL)
        return;
    if (node->kind != YAML_SCALAR || !text_equals(node->text, "true")) {
        refuse(reading, node->span, "drop takes true; a step without it drops nothing");
        return;
    }
    reading_required(&reading->common, root, "where", "a step that drops");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        const struct yaml_node *other = yaml_node_find(root, others[i]);
        if (other != NULL)
            refuse(reading, other->key->span, "a step that drops does nothing else");
    }
    digest_part(reading, "drop", "true");
    reading->step->open.drops = true;
}

static void keep_deeds(struct step_reading *reading)
{
    struct compiled_step *step = reading->step;

    step->deeds =
        arena_alloc_many(reading->common.build->arena, step->deed_count + 1u, sizeof(struct deed));
    if (step->deeds == NULL)
        reading_out_of_memory(&reading->common);
    else if (step->deed_count > 0)
        memcpy(step->deeds, reading->deeds, step->deed_count * sizeof(struct deed));
}

static void keep_shape(struct step_reading *reading)
{
    struct enrich_step *step = &reading->step->open;
    struct rule_shape *shape = NULL;

    if (reading->common.is_good &&
        !rule_shape_read_all(reading->common.node, reading->common.build->arena, &shape,
                             &step->shape_count))
        reading_out_of_memory(&reading->common);
    for (uint32_t i = 0; reading->common.is_good && i < step->shape_count; i++)
        for (int key = 0; key < STEP_EXPRESSIONS; key++)
            if (strcmp(shape[i].key, means_keys[key]) == 0)
                shape[i].means = reading->means[key];
    step->shape = shape;
}

static bool read_step(const struct yaml_node *node, struct rule_build *build,
                      struct compiled_step *out)
{
    struct step_reading reading = {.common = {.build = build, .node = node, .is_good = true},
                                   .step = out};

    if (node->kind != YAML_MAP) {
        diagnose(build->diag, node->span, "an enrich step is a map of keys, not %s",
                 yaml_kind_name(node->kind));
        return false;
    }
    if (!rule_check_keys(node, step_keys, STEP_KEYS, a_step, build->diag))
        reading_spoil(&reading.common);
    out->open.id = reading_id(&reading.common, a_step, &out->id_span);
    reading_digest_text(&out->open.digest, out->open.id);
    reading_vars(&reading.common);
    reading.key = STEP_WHERE;
    read_where(&reading);
    read_drop(&reading);
    if (!out->open.drops) {
        reading.key = STEP_EXTRACT;
        read_extract(&reading);
        reading.key = STEP_SET;
        read_set(&reading);
        read_remove(&reading);
        if (reading.common.is_good && out->deed_count == 0)
            refuse(&reading, node->span, "an enrich step needs extract, set, remove or drop");
    }
    /* What is wrong may be why a variable was not used. */
    if (reading.common.is_good && !vars_check_used(&reading.common.vars))
        reading_spoil(&reading.common);
    keep_deeds(&reading);
    keep_shape(&reading);
    return reading.common.is_good;
}

/* ---- all steps ---- */

/* False when reading should stop. */
static bool take_step(struct enrich_gathering *gathering, const struct yaml_node *node,
                      struct rule_build *build, struct arena *kept)
{
    struct compiled_step *step;

    if (gathering->count == ENRICH_STEPS_MAX) {
        diagnose(build->diag, node->span, "a set holds at most %d enrich steps", ENRICH_STEPS_MAX);
        return false;
    }
    step = arena_alloc(kept, sizeof(*step));
    if (step == NULL) {
        diagnose_memory(build->diag);
        return false;
    }
    if (!read_step(node, build, step))
        return !build->diag->out_of_memory && !build->diag->full;
    if (gathering->last != NULL)
        gathering->last->next = step;
    else
        gathering->first = step;
    gathering->last = step;
    gathering->count++;
    return true;
}

void enrich_gather(struct enrich_gathering *gathering, const struct yaml_node *root,
                   const struct rule_build *build, struct arena *kept)
{
    const struct yaml_node *list = yaml_node_find(root, "enrich");
    struct rule_build own = *build;

    own.slots = &gathering->slots;
    if (list == NULL)
        return;
    if (list->kind != YAML_LIST) {
        diagnose(build->diag, list->span, "enrich takes a list, each entry beginning with \"-\"");
        return;
    }
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
        if (!take_step(gathering, node, &own, kept))
            return;
}

static int by_id(const void *a, const void *b)
{
    const struct compiled_step *const *x = a, *const *y = b;

    return strcmp((*x)->open.id, (*y)->open.id);
}

static bool check_unique(const struct enrich_gathering *gathering, struct arena *kept,
                         struct diagnostics *diag)
{
    const struct compiled_step **sorted =
        arena_alloc_many(kept, gathering->count + 1u, sizeof(*sorted));
    bool is_good = true;
    uint32_t count = 0;

    if (sorted == NULL)
        return diagnose_memory(diag) != NULL;
    for (struct compiled_step *step = gathering->first; step != NULL; step = step->next)
        sorted[count++] = step;
    qsort(sorted, count, sizeof(*sorted), by_id);
    for (uint32_t i = 1; i < count; i++) {
        const struct span *other = &sorted[i - 1]->id_span;
        struct place place;
        if (by_id(&sorted[i - 1], &sorted[i]) != 0)
            continue;
        place = script_place(other->script, other->from);
        diagnose(diag, sorted[i]->id_span, "the id \"%s\" is taken already: %.200s:%u:%u",
                 sorted[i]->open.id, other->script->name, (unsigned)place.line,
                 (unsigned)place.column);
        is_good = false;
    }
    return is_good;
}

bool enrich_set_make(const struct enrich_gathering *gathering, struct arena *arena,
                     struct arena *kept, struct diagnostics *diag, const struct enrich_set **out,
                     struct id128 *hash)
{
    struct enrich_set *set;

    if (gathering->count == 0)
        return true;
    if (!check_unique(gathering, kept, diag))
        return false;
    set = arena_alloc(arena, sizeof(*set));
    if (set != NULL)
        set->steps = arena_alloc_many(arena, gathering->count, sizeof(*set->steps));
    if (set == NULL || set->steps == NULL)
        return diagnose_memory(diag) != NULL;
    for (const struct compiled_step *step = gathering->first; step != NULL; step = step->next) {
        struct id128 pair[2] = {*hash, step->open.digest};
        *hash = hash128(pair, sizeof(pair), 2);
        set->steps[set->count] = *step;
        set->steps[set->count++].next = NULL;
        if (step->open.drops)
            set->drop_reach = set->count;
        else
            set->reads_unstable = set->reads_unstable || step->reads_unstable;
    }
    *out = set;
    return true;
}
