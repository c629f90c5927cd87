/* import_expr.c - see import_expr.h. */
#include "daemon/import_expr.h"

#include <string.h>

enum { LINE_WANTED = 100 };

static struct expr *node_create(struct expr_build *build, enum expr_kind kind)
{
    struct expr *expr;

    build->is_full = build->is_full || build->nodes >= EXPR_NODES_MAX;
    build->nodes++;
    expr = import_pool_alloc(build->pool, sizeof(*expr));
    expr->kind = build->is_full && kind != EXPR_TRUE ? EXPR_FALSE : kind;
    return expr;
}

struct expr *expr_constant(struct expr_build *build, bool is_true)
{
    return node_create(build, is_true ? EXPR_TRUE : EXPR_FALSE);
}

struct expr *expr_term(struct expr_build *build, const char *text, const char *guard, bool is_call)
{
    struct expr *expr;

    build->nodes += (uint32_t)(strlen(text) / EXPR_NODE_BYTES);
    expr = node_create(build, EXPR_TERM);
    expr->text = text;
    expr->guard = guard;
    expr->is_call = is_call;
    return expr;
}

struct expr *expr_not(struct expr_build *build, struct expr *expr)
{
    struct expr * not ;

    if (expr->kind == EXPR_NOT)
        return expr->first;
    if (expr->kind == EXPR_TRUE || expr->kind == EXPR_FALSE)
        return expr_constant(build, expr->kind == EXPR_FALSE);
    not = node_create(build, EXPR_NOT);
    if (not ->kind == EXPR_NOT)
        not ->first = not ->last = expr;
    return not ;
}

static void child_add(struct expr *parent, struct expr *child)
{
    child->next = NULL;
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

/* Hangs `child` into `parent`, or its children when it is of the same kind. */
static void absorb(struct expr *parent, struct expr *child)
{
    struct expr *next;

    if (child->kind != parent->kind) {
        child_add(parent, child);
        return;
    }
    for (child = child->first; child != NULL; child = next) {
        next = child->next;
        child_add(parent, child);
    }
}

struct expr *expr_join(struct expr_build *build, enum expr_kind kind, struct expr *a,
                       struct expr *b)
{
    enum expr_kind neutral = kind == EXPR_AND ? EXPR_TRUE : EXPR_FALSE;
    enum expr_kind absorbing = kind == EXPR_AND ? EXPR_FALSE : EXPR_TRUE;
    struct expr *join;

    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    if (a->kind == absorbing || b->kind == neutral)
        return a;
    if (b->kind == absorbing || a->kind == neutral)
        return b;
    if (a->kind == kind) {
        absorb(a, b);
        return a;
    }
    join = node_create(build, kind);
    if (join->kind != kind)
        return join;
    absorb(join, a);
    absorb(join, b);
    return join;
}

static void print(const struct expr *expr, struct import_text *text, bool is_negated);

/* A child of && and of || that binds weaker, or would be read wrongly, stands in parentheses. */
static void print_child(const struct expr *expr, enum expr_kind parent, struct import_text *text,
                        bool is_negated)
{
    bool is_guarded = expr->kind == EXPR_TERM && is_negated && expr->guard != NULL;
    bool is_wrapped = (parent == EXPR_AND && expr->kind == EXPR_OR) ||
                      (parent == EXPR_OR && (expr->kind == EXPR_AND || is_guarded)) ||
                      (parent == EXPR_NOT && (expr->kind == EXPR_AND || expr->kind == EXPR_OR ||
                                              is_guarded || !expr->is_call));

    if (is_wrapped)
        import_text_put(text, "(");
    print(expr, text, is_negated);
    if (is_wrapped)
        import_text_put(text, ")");
}

/* Inside one && a field is tested once, as long as the same one comes again and again. */
static bool is_tested_before(const struct expr *parent, const struct expr *term)
{
    for (const struct expr *child = parent->first; child != term; child = child->next)
        if (child->kind == EXPR_TERM && child->guard != NULL && term->guard != NULL &&
            strcmp(child->guard, term->guard) == 0)
            return true;
    return false;
}

static void print_join(const struct expr *expr, struct import_text *text, bool is_negated,
                       const char *gap)
{
    for (const struct expr *child = expr->first; child != NULL; child = child->next) {
        if (child != expr->first)
            import_text_format(text, " %s%s", expr->kind == EXPR_AND ? "&&" : "||", gap);
        if (expr->kind == EXPR_AND && child->kind == EXPR_TERM && is_tested_before(expr, child))
            import_text_put(text, child->text);
        else
            print_child(child, expr->kind, text, is_negated);
    }
}

static void print(const struct expr *expr, struct import_text *text, bool is_negated)
{
    switch (expr->kind) {
    case EXPR_TRUE:
    case EXPR_FALSE:
        import_text_put(text, expr->kind == EXPR_TRUE ? "true" : "false");
        break;
    case EXPR_TERM:
        if (is_negated && expr->guard != NULL)
            import_text_format(text, "%s && ", expr->guard);
        import_text_put(text, expr->text);
        break;
    case EXPR_NOT:
        import_text_put(text, "!");
        print_child(expr->first, EXPR_NOT, text, !is_negated);
        break;
    default:
        print_join(expr, text, is_negated, " ");
    }
}

void expr_print(const struct expr *expr, struct import_text *text, unsigned indent)
{
    struct import_text line = {NULL, 0, 0};
    char gap[40];

    print(expr, &line, false);
    if (indent == 0 || line.bytes <= LINE_WANTED ||
        (expr->kind != EXPR_AND && expr->kind != EXPR_OR)) {
        import_text_add(text, line.at != NULL ? line.at : "", line.bytes);
    } else {
        indent = indent < sizeof(gap) - 2 ? indent : (unsigned)sizeof(gap) - 2;
        gap[0] = '\n';
        memset(gap + 1, ' ', indent);
        gap[indent + 1] = '\0';
        print_join(expr, text, false, gap);
    }
    import_text_release(&line);
}
