/*
 * import_route_reach.c - which alerts stay with a route, as a condition.
 *
 *   routes: pager  [severity="critical"]        pager  severity == critical
 *           mail   [env="prod", env="dev"]      mail   nothing, ever
 *           dba    [team="dba"]                 dba    team == dba, and not what pager takes
 *                                               root   not what pager takes, nor what dba takes
 *
 * That a route of which nothing is true is not excluded by those behind and above it is more than
 * brevity: a part of a condition that can never be true is a mistake to the engine, which would
 * refuse all of them for it.
 */
#include "daemon/import_alertmanager.h"
#include "rules/where_check.h"

static bool can_be_true(struct alertmanager *am, const struct expr *where)
{
    struct import_text text = {NULL, 0, 0};
    bool is_possible;

    if (where->kind == EXPR_FALSE)
        return false;
    expr_print(where, &text, 0);
    am->condition_bytes += text.bytes;
    is_possible = where_can_be_true((struct text){text.at, (uint32_t)text.bytes});
    import_text_release(&text);
    return is_possible;
}

/* What is not made, or too large, is taken on trust. */
static bool is_dead(struct alertmanager *am, const struct expr *expr,
                    const struct expr_build *build)
{
    return expr != NULL && !build->is_full && !can_be_true(am, expr);
}

static struct expr *own_expr(struct alertmanager *am, const struct route *route,
                             struct expr_build *build)
{
    return matchers_expr(am->work, &route->matchers, MATCHER_ON_EVENTS, route->construct, build);
}

void alertmanager_route_weigh(struct alertmanager *am, struct route *route)
{
    struct expr_build build = {.pool = &am->work->scratch};

    /* One matcher by itself can always be true, or is no part of what others exclude. */
    if (route->bad == NULL && route->matchers.first != route->matchers.last)
        route->is_dead = is_dead(am, own_expr(am, route, &build), &build);
    import_scratch_reset(am->work);
}

static struct expr *without(struct alertmanager *am, const struct route *route,
                            const struct route *other, struct expr *expr, struct expr_build *build)
{
    struct expr *taken;

    /* Of what makes no rule nobody would be told. */
    if (build->is_full || other->bad != NULL || other->is_dead ||
        alertmanager_route_excludes(route, other))
        return expr;
    taken = own_expr(am, other, build);
    return taken != NULL ? expr_join(build, EXPR_AND, expr, expr_not(build, taken)) : expr;
}

/* What comes this way, and is not taken by a sibling before. */
static struct expr *way_expr(struct alertmanager *am, const struct route *route,
                             const struct route *leaf, struct expr_build *build)
{
    struct expr *expr = expr_constant(build, true);
    struct expr *own;

    if (route->parent != NULL)
        expr = way_expr(am, route->parent, leaf, build);
    own = own_expr(am, route, build);
    if (own == NULL || expr == NULL)
        return NULL;
    expr = expr_join(build, EXPR_AND, expr, own);
    for (const struct route *other = route->parent != NULL ? route->parent->first : NULL;
         other != NULL && other != route; other = other->next)
        if (!other->goes_on)
            expr = without(am, leaf, other, expr, build);
    return expr;
}

struct expr *alertmanager_route_where(struct alertmanager *am, const struct route *route,
                                      struct expr_build *build)
{
    struct expr *expr = way_expr(am, route, route, build);

    for (const struct route *child = route->first; expr != NULL && child != NULL;
         child = child->next)
        expr = without(am, route, child, expr, build);
    return expr;
}

/* ---- who gets nothing, and why ---- */

/* The matchers of the way alone, whoever stands before it. */
static struct expr *asked_expr(struct alertmanager *am, const struct route *route,
                               struct expr_build *build)
{
    struct expr *expr = expr_constant(build, true);

    for (; route != NULL && expr != NULL; route = route->parent) {
        struct expr *own = own_expr(am, route, build);
        expr = own != NULL ? expr_join(build, EXPR_AND, own, expr) : NULL;
    }
    return expr;
}

const char *alertmanager_route_unreached(struct alertmanager *am, const struct route *route,
                                         const struct expr *where)
{
    struct expr_build asked = {.pool = &am->work->scratch}, way = asked;

    if (can_be_true(am, where))
        return NULL;
    if (route->is_dead)
        return "no alert ever reaches it: nothing fulfils all of its matchers";
    if (is_dead(am, asked_expr(am, route, &asked), &asked))
        return "no alert ever reaches it: nothing fulfils its matchers and those above it";
    if (route->first == NULL || is_dead(am, way_expr(am, route, route, &way), &way))
        return "no alert ever reaches it: a route before it takes them all";
    return "no alert stays with it: the routes below it take them all";
}
