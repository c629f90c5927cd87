/*
 * import_inhibit.c - inhibit_rules of Alertmanager as inhibitions. See
 * import_alertmanager.h.
 *
 * Alertmanager inhibits alerts, tocsin incidents, and an incident carries the labels that its
 * rule groups by, and no other. So each side is held to the rules that group by every label
 * which it and `equal` name: without that, incidents that all lack a label would count as equal
 * in it, and be muted. `severity` is a field of every incident, whatever it is grouped by.
 *
 * A file without routes is about rules written elsewhere: nothing is known of what they group by,
 * and nothing is held to them.
 */
#include <stdio.h>
#include <string.h>
#include "daemon/import_alertmanager.h"
#include "rules/fields.h"

enum { EQUAL_MAX = 16 };

struct inhibition {
    struct alertmanager *am;
    const struct yaml_node *node;
    const char *construct;
    struct matchers source, target;
    const char *equal[EQUAL_MAX];
    uint32_t equal_count;
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

    for (const struct yaml_node *node = list == NULL || list->kind == YAML_SCALAR ? list
                                                                                  : list->first;
         node != NULL; node = node->next) {
        struct import_target target;
        if (node->kind != YAML_SCALAR || node->text.len == 0)
            return refuse(in, node->span, "equal is a list of labels");
        if (in->equal_count == EQUAL_MAX)
            return refuse(in, node->span, "more than 16 labels in equal");
        target = import_map_label(work->input->map, node->text, &work->pool);
        if (text_equals(node->text, "severity"))
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
            is_good = refuse(in, node->key->span, "this key of an inhibition is not known");
    }
    return is_good;
}

/* ---- which rules ---- */

static bool groups_by(const struct route *route, const char *field)
{
    for (uint32_t i = 0; i < route->by_count; i++)
        if (strcmp(route->by[i], field) == 0)
            return true;
    return strcmp(field, "tenant") == 0;
}

static bool carries(struct inhibition *in, const struct route *route,
                    const struct matchers *matchers)
{
    struct import_work *work = in->am->work;

    for (uint32_t i = 0; i < in->equal_count; i++)
        if (!groups_by(route, in->equal[i]))
            return false;
    for (const struct matcher *m = matchers->first; m != NULL; m = m->next)
        if (!text_equals(m->label, "severity") &&
            !groups_by(route, import_map_label(work->input->map, m->label, &work->scratch).text))
            return false;
    return true;
}

/* `rule in ["a", "b"]`: the imported rules that carry what is asked for. It is always written:
 * incidents of other rules beside these are none of Alertmanager's business. *is_held when not all
 * do, *is_none when none does. */
static struct expr *rules_expr(struct inhibition *in, const struct matchers *matchers,
                               struct expr_build *build, bool *is_none, bool *is_held)
{
    struct import_text text = {NULL, 0, 0};
    uint32_t rules = 0, carrying = 0;

    import_text_put(&text, "rule in [");
    for (size_t i = 0; i < in->am->routes.count; i++) {
        const struct route *route = in->am->routes.at[i];
        if (route->id == NULL)
            continue;
        rules++;
        if (!carries(in, route, matchers))
            continue;
        import_text_format(&text, "%s\"%s\"", carrying++ > 0 ? ", " : "", route->id);
    }
    import_text_put(&text, "]");
    *is_none = rules > 0 && carrying == 0;
    *is_held = *is_held || carrying < rules;
    if (rules == 0) {
        import_text_release(&text);
        return expr_constant(build, true);
    }
    return expr_term(build, import_text_take(&text, &in->am->work->scratch), NULL, false);
}

static struct expr *side_expr(struct inhibition *in, const struct matchers *matchers,
                              struct expr_build *build, bool *is_held)
{
    bool is_none;
    struct expr *rules = rules_expr(in, matchers, build, &is_none, is_held), *expr;

    if (is_none) {
        refuse(in, in->node->span,
               "no route groups by all labels that it names, so no incident carries them: add them "
               "to group_by");
        return NULL;
    }
    expr = matchers_expr(in->am->work, matchers, MATCHER_ON_INCIDENTS, in->construct, build);
    return expr != NULL ? expr_join(build, EXPR_AND, expr, rules) : NULL;
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

static void convert(struct inhibition *in, const char *id)
{
    struct import_work *work = in->am->work;
    struct expr_build build = {.pool = &work->scratch};
    struct import_text entry = {NULL, 0, 0}, comment = {NULL, 0, 0};
    struct expr *source, *target;
    struct import_made *made;
    bool is_held = false;

    source = side_expr(in, &in->source, &build, &is_held);
    target = source != NULL ? side_expr(in, &in->target, &build, &is_held) : NULL;
    if (target != NULL && build.is_full) {
        refuse(in, in->node->span, "its conditions pass the 16 KiB of an expression");
    } else if (target != NULL) {
        import_text_format(&entry, "  - id: %s\n", id);
        put_side(&entry, "source", source);
        put_side(&entry, "target", target);
        put_equal(in, &entry);
        import_comment(&comment, "from", import_word(in->construct));
        made =
            import_add(work, IMPORT_INHIBIT, id, &comment, &entry, in->node->span, in->construct);
        made->differs_span = in->node->span;
        made->differs = is_held ? "it holds between incidents of those routes that group by all "
                                  "labels it names"
                                : NULL;
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
