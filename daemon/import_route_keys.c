/*
 * import_route_keys.c - what of a route cannot be read, and whom that touches.
 *
 * A misspelt key is one that is not known. What it may have been meant for decides what becomes of
 * the route:
 *
 *   receiver, group_by, times    it takes what it takes: a rule, as if the key were not there
 *   continue                     the same, and the routes behind it get what it gets, too
 *   routes                       its children are not known: no rule
 *   matchers; nothing that       what it takes is not known: no rule, and none of what is below it
 *   is like a key
 *
 * A matcher that the engine does not take is like one that cannot be read: its negation would be a
 * part of every route behind it and above it, and leave them out as well.
 *
 * What a route without a rule would have taken goes to those who would not have got it, and each of
 * them says so: of two teams one too many is told, and not none.
 */
#include "base/nearest.h"
#include "daemon/import_alertmanager.h"
#include "rules/fields.h"

/* A label and its value up to here are texts that the engine takes. */
enum { PLAIN_BYTES = 200 };

enum role { ROLE_TAKES, ROLE_CHILDREN, ROLE_GOES_ON, ROLE_TELLS };

static const struct {
    const char *key;
    enum role role;
} known[] = {
    {"receiver", ROLE_TELLS},
    {"group_by", ROLE_TELLS},
    {"group_wait", ROLE_TELLS},
    {"group_interval", ROLE_TELLS},
    {"repeat_interval", ROLE_TELLS},
    {"continue", ROLE_GOES_ON},
    {"match", ROLE_TAKES},
    {"match_re", ROLE_TAKES},
    {"matchers", ROLE_TAKES},
    {"routes", ROLE_CHILDREN},
    {"mute_time_intervals", ROLE_TELLS},
    {"active_time_intervals", ROLE_TELLS},
};

enum { KNOWN_COUNT = sizeof(known) / sizeof(known[0]) };

static bool is_known(struct text key)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++)
        if (text_equals(key, known[i].key))
            return true;
    return false;
}

/* The index in `known` of what a key was meant for; KNOWN_COUNT: of nothing. */
static size_t meant_by(struct import_work *work, struct text key)
{
    const char *names[KNOWN_COUNT], *near;
    size_t i = 0;

    if (work->hint_count >= IMPORT_HINTS_MAX)
        return KNOWN_COUNT;
    work->hint_count++;
    for (i = 0; i < KNOWN_COUNT; i++)
        names[i] = known[i].key;
    near = nearest_name(key, names, KNOWN_COUNT);
    for (i = 0; i < KNOWN_COUNT && names[i] != near;)
        i++;
    return i;
}

void alertmanager_route_spoil(struct alertmanager *am, struct route *route,
                              const struct yaml_node *node, bool is_lost)
{
    struct place place = script_place(node->key->span.script, node->key->span.from);

    route->is_lost = route->is_lost || is_lost;
    if (route->bad == NULL)
        route->bad = import_name(am->work, "%.80s at %u:%u", node->key->text.at,
                                 (unsigned)place.line, (unsigned)place.column);
}

static void add_odd(struct alertmanager *am, struct route *route, const struct yaml_node *node,
                    const char *why, const char *then)
{
    struct route_oddity *odd = import_pool_alloc(&am->work->pool, sizeof(*odd));

    *odd = (struct route_oddity){node, why, then, route->odd};
    route->odd = odd;
}

void alertmanager_route_keys(struct alertmanager *am, struct route *route)
{
    const struct yaml_node *goes_on = yaml_node_find(route->node, "continue");

    if (goes_on != NULL && !import_read_bool(goes_on, &route->goes_on)) {
        route->goes_on = true;
        add_odd(am, route, goes_on,
                "continue is true or false; the routes behind it get what it gets, too", "");
    }
    for (const struct yaml_node *node = route->node->first; node != NULL; node = node->next) {
        struct text key = node->key->text;
        enum role role;
        const char *hint = "";
        size_t meant;
        if (is_known(key))
            continue;
        meant = meant_by(am->work, key);
        role = meant < KNOWN_COUNT ? known[meant].role : ROLE_TAKES;
        if (meant < KNOWN_COUNT)
            hint = import_name(am->work, "; did you mean \"%s\"?", known[meant].key);
        if (role == ROLE_TELLS || role == ROLE_GOES_ON) {
            route->goes_on = route->goes_on || role == ROLE_GOES_ON;
            add_odd(am, route, node,
                    import_name(am->work, "its key %.80s is not known%s", key.at, hint),
                    role == ROLE_TELLS
                        ? " Its rule is made as if it were not there"
                        : " Its rule is made, and the routes behind it get what it gets, too");
            continue;
        }
        import_find(am->work, node->key->span, IMPORT_LEFT_OUT, route->construct,
                    "its key %.80s is not known%s", key.at, hint);
        /* The root takes everything. */
        alertmanager_route_spoil(am, route, node, role == ROLE_TAKES && route->parent != NULL);
    }
}

/* ---- matchers ---- */

/* What the engine does not take of one route would take along all those that exclude what it gets.
 */
static bool is_condition(struct alertmanager *am, const struct route *route, struct matcher one)
{
    struct expr_build build = {.pool = &am->work->scratch};
    struct matchers alone = {&one, &one};
    struct import_text text = {NULL, 0, 0};
    const char *why = "";
    struct expr *expr;
    bool is_good;

    one.next = NULL;
    expr = matchers_expr(am->work, &alone, MATCHER_ON_EVENTS, route->construct, &build);
    if (expr == NULL)
        return false; /* told there */
    if (build.is_full)
        why = "its conditions pass the 16 KiB of an expression";
    import_text_put(&text, "rules:\n  - id: p\n    where: |\n      ");
    expr_print(expr, &text, 6);
    import_text_put(&text, "\n    window: open\n    when: count() >= 1\n"
                           "    incident: {title: t}\n    close: cleared()\n");
    is_good = !build.is_full && import_is_taken(am->work, text.at, text.bytes, &why);
    if (!is_good)
        import_find(am->work, one.span, IMPORT_LEFT_OUT, route->construct, "%s%s",
                    build.is_full ? "" : "this tocsin does not take what it would become: ", why);
    import_text_release(&text);
    return is_good;
}

bool alertmanager_route_takes(struct alertmanager *am, const struct route *route,
                              const struct matcher *last)
{
    bool are_good = true;

    for (const struct matcher *m = last != NULL ? last->next : route->matchers.first; m != NULL;
         m = m->next)
        if (m->sign >= MATCHER_PATTERN || m->label.len + m->value.len > PLAIN_BYTES ||
            import_map_label(am->work->input->map, m->label, &am->work->scratch).kind ==
                TARGET_VALUE)
            are_good = is_condition(am, route, *m) && are_good;
    import_scratch_reset(am->work);
    return are_good;
}

/* ---- who depends on whom ---- */

const struct route *alertmanager_route_lost(const struct route *route)
{
    for (const struct route *at = route->parent; at != NULL; at = at->parent)
        if (at->is_lost)
            return at;
    return NULL;
}

/* True when an alert that reaches `route` (by its way and itself) cannot be meant by `other`. */
bool alertmanager_route_excludes(const struct route *route, const struct route *other)
{
    for (; route != NULL; route = route->parent)
        if (matchers_exclude(&route->matchers, &other->matchers))
            return true;
    return false;
}

/* The first route without a rule whose alerts a route gets; NULL: there is none. */
static const struct route *gets_of(const struct route *route)
{
    for (const struct route *child = route->first; child != NULL; child = child->next)
        if (child->bad != NULL && !alertmanager_route_excludes(route, child))
            return child;
    for (const struct route *at = route; at->parent != NULL; at = at->parent)
        for (const struct route *other = at->parent->first; other != at; other = other->next)
            if (other->bad != NULL && !other->goes_on && !alertmanager_route_excludes(route, other))
                return other;
    return NULL;
}

void alertmanager_route_tell(struct alertmanager *am, const struct route *route)
{
    const struct route *other = route->id != NULL ? gets_of(route) : NULL;

    for (const struct route_oddity *odd = route->odd; odd != NULL; odd = odd->next)
        import_find(am->work, odd->node->key->span,
                    route->id != NULL ? IMPORT_DIFFERS : IMPORT_IGNORED, route->construct, "%s%s",
                    odd->why, route->id != NULL ? odd->then : "");
    if (other != NULL)
        import_find(am->work, route->node->span, IMPORT_DIFFERS, route->construct,
                    "it gets what the %s would have taken, of which no rule is made because of %s",
                    other->construct, other->bad);
}
