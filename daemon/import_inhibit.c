/*
 * import_inhibit.c - inhibit_rules of Alertmanager as inhibitions. See
 * import_alertmanager.h.
 *
 * Alertmanager inhibits alerts, tocsin incidents, and an incident carries the labels that its
 * rule groups by, and no other. So each side is held to the rules that group by every label
 * which it and `equal` name: without that, incidents that all lack a label would count as equal
 * in it, and be muted.
 *
 * `severity` is a field of every incident, whatever it is grouped by, but it is no text: "page" and
 * "critical" are one severity, and so is a label that is not there and "warning". Where all the
 * rules of a side group by the label, it is the label that is asked for, which is exact. Elsewhere
 * the field stands for it, and each difference is told.
 *
 * A file without a route section is about rules written elsewhere: nothing is known of what they
 * group by, so nothing is held to them, which is told. Where there is one, of which no route became
 * a rule, there is nothing that an inhibition could hold between.
 */
#include <stdio.h>
#include <string.h>
#include "daemon/import_alertmanager.h"
#include "base/severity.h"
#include "rules/fields.h"

enum { EQUAL_MAX = 16 };

struct inhibition {
    struct alertmanager *am;
    const struct yaml_node *node;
    const char *construct;
    struct matchers source, target;
    const char *equal[EQUAL_MAX];
    uint32_t equal_count;
    bool is_held; /* to some of the rules */
    bool is_open; /* to none: whatever rules are loaded with it */
    /* Where a severity stands for the label: */
    bool has_absence;   /* an alert without the label would be taken otherwise */
    bool has_words;     /* and so would one with another word for a severity that is named */
    const char *merged; /* `"page" and "critical"`, of its two sides; NULL: none */
};

static bool refuse(struct inhibition *in, struct span span, const char *why)
{
    import_find(in->am->work, span, IMPORT_LEFT_OUT, in->construct, "%s", why);
    return false;
}

/* ---- reading ---- */

static bool read_side(struct inhibition *in, const char *side, struct matchers *out)
{
    struct import_work *work = in->am->work;
    char key[40];

    snprintf(key, sizeof(key), "%s_match", side);
    if (!matchers_read_map(work, yaml_node_find(in->node, key), MATCHER_EQUAL, in->construct, out))
        return false;
    snprintf(key, sizeof(key), "%s_match_re", side);
    if (!matchers_read_map(work, yaml_node_find(in->node, key), MATCHER_PATTERN, in->construct,
                           out))
        return false;
    snprintf(key, sizeof(key), "%s_matchers", side);
    return matchers_read(work, yaml_node_find(in->node, key), in->construct, out);
}

static bool read_equal(struct inhibition *in)
{
    const struct yaml_node *list = yaml_node_find(in->node, "equal");
    struct import_work *work = in->am->work;

    if (list != NULL && list->kind == YAML_MAP)
        return refuse(in, list->span, "equal is a list of labels");
    for (const struct yaml_node *node = list == NULL || list->kind == YAML_SCALAR ? list
                                                                                  : list->first;
         node != NULL; node = node->next) {
        struct import_target target;
        if (node->kind != YAML_SCALAR || node->text.len == 0)
            return refuse(in, node->span, "equal is a list of labels");
        if (in->equal_count == EQUAL_MAX)
            return refuse(in, node->span, "more than 16 labels in equal");
        target = import_map_label(work->input->map, node->text, &work->pool);
        if (text_equals(node->text, "severity") &&
            yaml_node_find(in->am->document, "route") == NULL)
            return refuse(in, node->span, "severity is no key of incidents here");
        in->equal[in->equal_count++] = target.text;
        if (list->kind == YAML_SCALAR)
            break;
    }
    return true;
}

static bool check_keys(struct inhibition *in)
{
    static const char *const known[] = {
        "name",         "source_match",    "source_match_re", "source_matchers",
        "target_match", "target_match_re", "target_matchers", "equal"};
    bool is_good = true;

    for (const struct yaml_node *node = in->node->first; node != NULL; node = node->next) {
        size_t i = 0;
        while (i < sizeof(known) / sizeof(known[0]) && !text_equals(node->key->text, known[i]))
            i++;
        if (i == sizeof(known) / sizeof(known[0]))
            is_good =
                refuse(in, node->key->span,
                       import_name(in->am->work, "the key %.80s of an inhibition is not known%s",
                                   node->key->text.at,
                                   import_near(in->am->work, node->key->text, known,
                                               sizeof(known) / sizeof(known[0]))));
    }
    return is_good;
}

/* ---- which rules ---- */

/* The imported rules that group by some labels. */
struct rules_meant {
    uint32_t rules, carrying;
    const char *term; /* of an expression; NULL: none can be written */
};

static bool groups_by(const struct route *route, struct text field)
{
    for (uint32_t i = 0; i < route->by_count; i++)
        if (text_equals(field, route->by[i]))
            return true;
    return text_equals(field, "tenant");
}

/* `fields`: one on a line. */
static bool carries(const struct route *route, const char *fields)
{
    for (const char *end; *fields != '\0'; fields = end + 1) {
        end = strchr(fields, '\n');
        if (!groups_by(route, (struct text){fields, (uint32_t)(end - fields)}))
            return false;
    }
    return true;
}

static struct rules_meant *rules_find(struct alertmanager *am, const char *fields)
{
    struct rules_meant *meant = import_pool_alloc(&am->work->pool, sizeof(*meant));
    struct import_text words = {NULL, 0, 0};

    *meant = (struct rules_meant){.term = NULL};
    for (size_t i = 0; i < am->routes.count; i++) {
        const struct route *route = am->routes.at[i];
        if (route->id == NULL)
            continue;
        meant->rules++;
        if (carries(route, fields))
            import_text_format(&words, "%s\"%s\"", meant->carrying++ > 0 ? ", " : "", route->id);
    }
    if (meant->carrying > 0)
        meant->term = import_rules_term(am->work, words.at, meant->carrying);
    import_text_release(&words);
    return meant;
}

/* The rules for one side: the same labels have the same rules, however many inhibitions name them.
 */
static const struct rules_meant *rules_of_side(struct inhibition *in,
                                               const struct matchers *matchers, bool by_severity)
{
    struct import_work *work = in->am->work;
    struct import_text fields = {NULL, 0, 0};
    const char *key;
    void **place;

    for (uint32_t i = 0; i < in->equal_count; i++)
        import_text_format(&fields, "%s\n", in->equal[i]);
    for (const struct matcher *m = matchers->first; m != NULL; m = m->next)
        if (by_severity || !text_equals(m->label, "severity"))
            import_text_format(&fields, "%s\n",
                               import_map_label(work->input->map, m->label, &work->scratch).text);
    key = import_text_take(&fields, &work->pool);
    place = import_index_at(&in->am->meant, import_word(key));
    if (*place == NULL)
        *place = rules_find(in->am, key);
    return *place;
}

/* ---- severities ---- */

/* True when an alert without the label `severity`, which is a warning here and has an empty label
 * in Alertmanager, meets the matcher in one of the two and not in the other. A matcher that names
 * the empty label is none here, and leaves the inhibition out. */
static bool turns_on_absence(const struct matcher *m)
{
    struct text word;

    for (uint32_t at = 0; matcher_word_next(m, &at, &word);)
        if (severity_from_word(word) == SEVERITY_WARNING)
            return true;
    return false;
}

static void look_at_severities(struct inhibition *in, const struct matchers *matchers)
{
    for (const struct matcher *m = matchers->first; m != NULL; m = m->next) {
        if (!text_equals(m->label, "severity"))
            continue;
        in->has_absence = in->has_absence || turns_on_absence(m);
        in->has_words = true; /* there are several for each severity */
    }
}

static int word_length(struct text word)
{
    return word.len < 40 ? (int)word.len : 40;
}

/* Two words, one of each matcher, that are one severity here. */
static const char *merged_words(struct inhibition *in, const struct matcher *a,
                                const struct matcher *b)
{
    struct text x, y;

    for (uint32_t i = 0; matcher_word_next(a, &i, &x);)
        for (uint32_t j = 0; matcher_word_next(b, &j, &y);)
            if (severity_from_word(x) == severity_from_word(y) &&
                (x.len != y.len || memcmp(x.at, y.at, x.len) != 0))
                return import_name(in->am->work, "\"%.*s\" and \"%.*s\"", word_length(x), x.at,
                                   word_length(y), y.at);
    return NULL;
}

/* What matches both sides inhibits nothing that does. */
static void look_at_both(struct inhibition *in)
{
    for (const struct matcher *a = in->source.first; a != NULL; a = a->next)
        for (const struct matcher *b = in->target.first; b != NULL && in->merged == NULL;
             b = b->next)
            if (text_equals(a->label, "severity") && text_equals(b->label, "severity"))
                in->merged = merged_words(in, a, b);
}

/* ---- one side ---- */

static bool names_severity(const struct matchers *matchers)
{
    for (const struct matcher *m = matchers->first; m != NULL; m = m->next)
        if (text_equals(m->label, "severity"))
            return true;
    return false;
}

/* It is always written which rules are meant: incidents of other rules beside these are none of
 * Alertmanager's business. */
static struct expr *side_expr(struct inhibition *in, const struct matchers *matchers,
                              struct expr_build *build, enum matcher_scope *scope)
{
    const struct rules_meant *meant = rules_of_side(in, matchers, false);
    bool is_label = names_severity(matchers) && meant->carrying > 0 &&
                    rules_of_side(in, matchers, true)->carrying == meant->carrying;
    struct expr *expr;

    in->is_held = in->is_held || meant->carrying < meant->rules;
    in->is_open = meant->rules == 0;
    *scope = is_label ? MATCHER_ON_KEYS : MATCHER_ON_INCIDENTS;
    if (!is_label)
        look_at_severities(in, matchers);
    if (meant->rules == 0 && yaml_node_find(in->am->document, "route") != NULL) {
        refuse(in, in->node->span, "no route became a rule, so there is no incident it is about");
        return NULL;
    }
    if (meant->rules > 0 && meant->term == NULL) {
        refuse(in, in->node->span,
               meant->carrying > 0
                   ? "inhibitions name more than 200 different groups of routes by their labels"
                   : "no route groups by all labels that it names, so no incident carries them: "
                     "add them to group_by");
        return NULL;
    }
    expr = matchers_expr(in->am->work, matchers, *scope, in->construct, build);
    if (expr == NULL || meant->rules == 0)
        return expr;
    return expr_join(build, EXPR_AND, expr, expr_term(build, meant->term, NULL, false));
}

/* ---- the entry ---- */

static void put_side(struct import_text *entry, const char *key, const struct expr *expr)
{
    import_text_format(entry, "    %s: |\n      ", key);
    expr_print(expr, entry, 6);
    import_text_put(entry, "\n");
}

static void put_equal(struct inhibition *in, struct import_text *entry)
{
    if (in->equal_count == 0)
        return;
    import_text_put(entry, "    equal: [");
    for (uint32_t i = 0; i < in->equal_count; i++) {
        import_text_put(entry, i > 0 ? ", " : "");
        if (strchr(in->equal[i], '[') != NULL)
            import_text_quoted(entry, in->equal[i], strlen(in->equal[i]));
        else
            import_text_put(entry, in->equal[i]);
    }
    import_text_put(entry, "]\n");
}

static bool are_same(const struct expr *a, const struct expr *b)
{
    struct import_text texts[2] = {{NULL, 0, 0}, {NULL, 0, 0}};
    bool are_same;

    expr_print(a, &texts[0], 0);
    expr_print(b, &texts[1], 0);
    are_same = strcmp(texts[0].at, texts[1].at) == 0;
    import_text_release(&texts[0]);
    import_text_release(&texts[1]);
    return are_same;
}

/* NULL: none. */
static const char *difference(const struct inhibition *in)
{
    static const char held[] =
        "it holds between incidents of those routes that group by all labels it names";
    static const char open[] = "the file has no routes, so it holds between incidents of all rules "
                               "that it is loaded with, "
                               "and those that lack a label of `equal` are equal in it";
    static const char absence[] =
        "an alert without the label severity is a warning here, and has none in Alertmanager";

    static const char words[] =
        "a word of severity that it names stands for all that are the same severity here";
    const char *reasons[] = {
        in->is_open   ? open
        : in->is_held ? held
                      : NULL,
        in->has_absence ? absence : NULL,
        in->merged != NULL
            ? import_name(in->am->work,
                          "%s are the same severity here, and of the incidents that match its "
                          "source and its target none inhibits another",
                          in->merged)
            : NULL,
        in->has_words ? words : NULL};
    const char *all = NULL;

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i] != NULL)
            all =
                all == NULL ? reasons[i] : import_name(in->am->work, "%s; and %s", all, reasons[i]);
    return all;
}

static void convert(struct inhibition *in, const char *id)
{
    struct import_work *work = in->am->work;
    struct expr_build build = {.pool = &work->scratch};
    struct import_text entry = {NULL, 0, 0}, comment = {NULL, 0, 0};
    enum matcher_scope scopes[2];
    struct expr *source, *target;
    struct import_made *made;

    source = side_expr(in, &in->source, &build, &scopes[0]);
    target = source != NULL ? side_expr(in, &in->target, &build, &scopes[1]) : NULL;
    if (target != NULL && scopes[0] == MATCHER_ON_INCIDENTS && scopes[1] == MATCHER_ON_INCIDENTS)
        look_at_both(in);
    if (target != NULL && build.is_full) {
        refuse(in, in->node->span, "its conditions pass the 16 KiB of an expression");
    } else if (target != NULL && in->merged != NULL && are_same(source, target)) {
        refuse(in, in->node->span,
               import_name(work,
                           "%s are the same severity here, so its source and its target are the "
                           "same incidents, of which none inhibits another: add severity to "
                           "group_by of all its routes",
                           in->merged));
    } else if (target != NULL) {
        import_text_format(&entry, "  - id: %s\n", id);
        put_side(&entry, "source", source);
        put_side(&entry, "target", target);
        put_equal(in, &entry);
        import_comment(&comment, "from", import_word(in->construct));
        made =
            import_add(work, IMPORT_INHIBIT, id, &comment, &entry, in->node->span, in->construct);
        made->differs_span = in->node->span;
        made->differs = difference(in);
    }
    import_scratch_reset(work);
}

void alertmanager_inhibit(struct alertmanager *am)
{
    const struct yaml_node *list = yaml_node_find(am->document, "inhibit_rules");
    unsigned number = 0;

    if (list != NULL && list->kind != YAML_LIST) {
        import_ignore_key(am->work, list, "inhibit_rules are a list");
        return;
    }
    for (const struct yaml_node *node = list != NULL ? list->first : NULL; node != NULL;
         node = node->next) {
        struct inhibition in = {.am = am, .node = node};
        const struct yaml_node *name = node->kind == YAML_MAP ? yaml_node_find(node, "name") : NULL;
        const char *word;
        number++;
        word = name != NULL && name->kind == YAML_SCALAR && name->text.len > 0
                   ? import_name(am->work, "%.100s", name->text.at)
                   : import_name(am->work, "inhibit-%u", number);
        in.construct = import_name(am->work, "inhibition %s", word);
        if (node->kind != YAML_MAP)
            refuse(&in, node->span, "an inhibition is a map");
        else if (check_keys(&in) && read_side(&in, "source", &in.source) &&
                 read_side(&in, "target", &in.target) && read_equal(&in))
            convert(&in, import_id(am->work, "am-", import_word(word)));
    }
}
