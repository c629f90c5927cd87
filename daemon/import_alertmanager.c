/*
 * import_alertmanager.c - routes of Alertmanager as rules. See import_alertmanager.h.
 *
 * A group of Alertmanager is a key of tocsin, its notification an incident:
 *
 *   matchers, own and of the way   where, and not what siblings before it and children take
 *   group_by                       by
 *   the alerts firing now          window: open, when: count() >= 1
 *   group_wait                     for
 *   all resolved                   close: cleared()
 *   receiver                       team
 *
 * What has no counterpart: group_interval and repeat_interval (an incident is told when it
 * changes, and not again), and the receivers' own settings, which are those of tocsin's sinks. How
 * often a firing alert comes again decides when it is over, though: one sentence says which
 * engine.expire goes with the routes.
 */
#include "daemon/import_alertmanager.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "rules/fields.h"
#include "rules/parser.h"

/* Times are Alertmanager's defaults. */
enum {
    GROUP_WAIT_MS = 30000,
    GROUP_INTERVAL_MS = 300000,
    REPEAT_MS = 4 * 3600000,
    EXPIRE_MS = 300000, /* of tocsin */
    TEAM_BYTES_MAX = 200,
    TITLE_RECEIVER_BYTES = 200
};

/* ---- reading the tree ---- */

/* "1h30m", "1w", "0": Alertmanager's durations. */
static bool duration_read(struct text text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1},        {"y", INT64_C(31536000000)},
                 {"w", 604800000}, {"d", 86400000},
                 {"h", 3600000},   {"m", 60000},
                 {"s", 1000}};
    uint32_t at = 0;

    *ms = 0;
    if (text.len == 1 && text.at[0] == '0')
        return true;
    while (at < text.len) {
        int64_t number = 0;
        uint32_t from = at;
        size_t unit = 0;
        for (; at < text.len && text.at[at] >= '0' && text.at[at] <= '9' && at - from < 9; at++)
            number = number * 10 + (text.at[at] - '0');
        while (unit < 7 && (at == from || text.len - at < strlen(units[unit].unit) ||
                            memcmp(text.at + at, units[unit].unit, strlen(units[unit].unit)) != 0))
            unit++;
        if (unit == 7)
            return false;
        at += (uint32_t)strlen(units[unit].unit);
        *ms += number * units[unit].ms;
        if (*ms > INT64_C(100) * 31536000000)
            return false;
    }
    return text.len > 0;
}

/* One that cannot be read leaves what is inherited. */
static const struct yaml_node *read_duration(struct alertmanager *am, const struct route *route,
                                             const char *key, int64_t *ms)
{
    const struct yaml_node *node = yaml_node_find(route->node, key);
    int64_t read;

    if (node == NULL)
        return NULL;
    if (node->kind != YAML_SCALAR || !duration_read(node->text, &read)) {
        import_ignore_key(am->work, node, "this is no duration");
        return NULL;
    }
    *ms = read;
    return node;
}

/* Alertmanager refuses a name that is not listed. A part of a file lists none. Of a route that did
 * not become a rule something else is told. */
static void check_receiver(struct alertmanager *am, const struct route *route)
{
    const struct yaml_node *receiver = yaml_node_find(route->node, "receiver");

    const char *near;

    if (route->id == NULL || receiver == NULL ||
        yaml_node_find(am->document, "receivers") == NULL ||
        *import_index_at(&am->receivers, route->receiver) != NULL)
        return;
    near = import_near_index(am->work, route->receiver, &am->receivers);
    import_find(am->work, receiver->span, IMPORT_DIFFERS, route->construct,
                "`receivers` lists no receiver \"%.80s\"%s%s rule is made all the same",
                route->receiver.at, near, near[0] != '\0' ? " Its" : "; its");
}

static void read_settings(struct alertmanager *am, struct route *route)
{
    const struct yaml_node *receiver = yaml_node_find(route->node, "receiver");
    const struct yaml_node *by = yaml_node_find(route->node, "group_by");
    const struct yaml_node *interval = yaml_node_find(route->node, "group_interval");
    const struct yaml_node *repeat;

    if (receiver != NULL && receiver->kind == YAML_SCALAR)
        route->receiver = receiver->text;
    route->construct =
        import_name(am->work, "route to \"%.*s\"",
                    route->receiver.len < 100 ? (int)route->receiver.len : 100, route->receiver.at);
    if (receiver != NULL && receiver->kind != YAML_SCALAR) {
        import_find(am->work, receiver->span, IMPORT_LEFT_OUT, route->construct,
                    "a receiver is one name");
        alertmanager_route_spoil(am, route, receiver, true);
    }
    if (interval != NULL)
        import_ignore_key(am->work, interval, "an incident is told when it changes");
    read_duration(am, route, "group_wait", &route->group_wait_ms);
    read_duration(am, route, "group_interval", &route->group_interval_ms);
    repeat = read_duration(am, route, "repeat_interval", &route->repeat_ms);
    if (repeat != NULL)
        route->repeat_node = repeat;
    if (by != NULL)
        route->group_by = by;
}

static void read_matchers(struct alertmanager *am, struct route *route)
{
    static const struct {
        const char *key;
        enum matcher_sign sign;
    } maps[] = {{"match", MATCHER_EQUAL}, {"match_re", MATCHER_PATTERN}};
    const struct yaml_node *list = yaml_node_find(route->node, "matchers");
    const struct matcher *last;

    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        const struct yaml_node *map = yaml_node_find(route->node, maps[i].key);
        last = route->matchers.last;
        if (!matchers_read_map(am->work, map, maps[i].sign, route->construct, &route->matchers) ||
            !alertmanager_route_takes(am, route, last))
            alertmanager_route_spoil(am, route, map, true);
    }
    last = route->matchers.last;
    if (!matchers_read(am->work, list, route->construct, &route->matchers) ||
        !alertmanager_route_takes(am, route, last))
        alertmanager_route_spoil(am, route, list, true);
}

static bool add_by(struct alertmanager *am, struct route *route, const struct yaml_node *node,
                   const char *field)
{
    for (uint32_t i = 0; i < route->by_count; i++)
        if (strcmp(route->by[i], field) == 0)
            return true;
    if (strcmp(field, "tenant") == 0)
        return true;
    if (route->by_count == ROUTE_BY_MAX) {
        import_find(am->work, node->span, IMPORT_LEFT_OUT, route->construct,
                    "a key takes %d labels beside the tenant", ROUTE_BY_MAX);
        return false;
    }
    route->by[route->by_count++] = field;
    return true;
}

static bool read_by(struct alertmanager *am, struct route *route)
{
    const struct yaml_node *list = route->group_by, *node;

    if (list == NULL)
        return true;
    for (node = list->kind == YAML_LIST ? list->first : list; node != NULL;
         node = list->kind == YAML_LIST ? node->next : NULL) {
        struct import_target target;
        if (node->kind != YAML_SCALAR || node->text.len == 0) {
            import_find(am->work, node->span, IMPORT_LEFT_OUT, route->construct,
                        "group_by is a list of labels");
            return false;
        }
        if (text_equals(node->text, "...")) { /* every alert by itself */
            if (!add_by(am, route, node, "check") || !add_by(am, route, node, "resource") ||
                !add_by(am, route, node, "dedup_key"))
                return false;
            continue;
        }
        target = import_map_label(am->work->input->map, node->text, &am->work->pool);
        if (target.kind == TARGET_VALUE || strcmp(target.text, "message") == 0) {
            import_find(am->work, node->span, IMPORT_LEFT_OUT, route->construct,
                        "%.80s is mapped to %s, which makes no key", node->text.at, target.text);
            return false;
        }
        if (!add_by(am, route, node, target.text))
            return false;
    }
    return true;
}

/* The tree is at most as deep as YAML may be nested. */
static void read_route(struct alertmanager *am, const struct yaml_node *node, struct route *parent)
{
    const struct yaml_node *children;
    struct route *route;

    if (node->kind != YAML_MAP || am->routes.count == ROUTES_MAX) {
        import_find(am->work, node->span, IMPORT_LEFT_OUT, "route",
                    node->kind != YAML_MAP ? "a route is a map"
                                           : "it is one of more than 1,000 routes");
        return;
    }
    route = import_pool_alloc(&am->work->pool, sizeof(*route));
    if (parent != NULL) {
        *route = (struct route){.receiver = parent->receiver,
                                .group_by = parent->group_by,
                                .group_wait_ms = parent->group_wait_ms,
                                .group_interval_ms = parent->group_interval_ms,
                                .repeat_ms = parent->repeat_ms,
                                .repeat_node = parent->repeat_node};
        if (parent->last != NULL)
            parent->last->next = route;
        else
            parent->first = route;
        parent->last = route;
    } else {
        *route = (struct route){.receiver = {"default", 7},
                                .group_wait_ms = GROUP_WAIT_MS,
                                .group_interval_ms = GROUP_INTERVAL_MS,
                                .repeat_ms = REPEAT_MS};
    }
    route->node = node;
    route->parent = parent;
    vector_add(&am->routes) = route;
    read_settings(am, route);
    alertmanager_route_keys(am, route);
    read_matchers(am, route);
    if (!read_by(am, route))
        alertmanager_route_spoil(am, route, route->group_by, false);
    alertmanager_route_weigh(am, route);
    children = yaml_node_find(node, "routes");
    if (children != NULL && children->kind == YAML_SCALAR && children->text.len == 0)
        children = NULL;
    if (children != NULL && children->kind != YAML_LIST) {
        import_find(am->work, children->span, IMPORT_LEFT_OUT, route->construct,
                    "routes are a list");
        alertmanager_route_spoil(am, route, children, false);
    }
    for (const struct yaml_node *child =
             children != NULL && children->kind == YAML_LIST ? children->first : NULL;
         child != NULL; child = child->next)
        read_route(am, child, route);
}

/* ---- the rule ---- */

static void put_list(struct import_text *entry, const struct route *route)
{
    import_text_put(entry, "    by: [tenant");
    for (uint32_t i = 0; i < route->by_count; i++) {
        import_text_put(entry, ", ");
        if (strchr(route->by[i], '[') != NULL)
            import_text_quoted(entry, route->by[i], strlen(route->by[i]));
        else
            import_text_put(entry, route->by[i]);
    }
    import_text_put(entry, "]\n");
}

/* "{labels.alertname} {labels.cluster}: 3 firing". */
static void put_title(struct import_text *entry, const struct route *route)
{
    struct import_text title = {NULL, 0, 0}, line = {NULL, 0, 0};

    for (uint32_t i = 0; i < route->by_count; i++)
        if (strcmp(route->by[i], "dedup_key") != 0)
            import_text_format(&title, "%s{%s}", i > 0 ? " " : "", route->by[i]);
    if (route->by_count == 0) {
        import_text_line(&line, route->receiver.at,
                         route->receiver.len < TITLE_RECEIVER_BYTES ? route->receiver.len
                                                                    : TITLE_RECEIVER_BYTES);
        for (size_t i = 0; i < line.bytes; i++) {
            if (line.at[i] == '{' || line.at[i] == '}')
                import_text_add(&title, &line.at[i], 1);
            import_text_add(&title, &line.at[i], 1);
        }
    }
    import_text_put(&title, ": {count()} firing");
    import_text_quoted(entry, title.at, title.bytes);
    import_text_release(&title);
    import_text_release(&line);
}

static void put_duration(struct import_text *text, int64_t ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

    for (size_t i = 0; i < 5; i++) {
        if (ms >= units[i].ms)
            import_text_format(text, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
        ms %= units[i].ms;
    }
}

static void put_incident(struct alertmanager *am, const struct route *route,
                         struct import_text *entry)
{
    struct import_receiver receiver = import_map_receiver(am->work->input->map, route->receiver);
    struct import_text team = {NULL, 0, 0};

    import_text_put(entry, "    incident:\n      title: ");
    put_title(entry, route);
    import_text_format(entry, "\n      priority: %s\n      team: ",
                       receiver.priority != NULL ? receiver.priority : "P3");
    if (receiver.team != NULL)
        import_text_put(&team, receiver.team);
    else
        import_text_line(&team, route->receiver.at,
                         route->receiver.len < TEAM_BYTES_MAX ? route->receiver.len
                                                              : TEAM_BYTES_MAX);
    import_text_quoted(entry, team.at != NULL ? team.at : "", team.bytes);
    if (receiver.tier != NULL) {
        import_text_put(entry, "\n      tier: ");
        import_text_quoted(entry, receiver.tier, strlen(receiver.tier));
    }
    import_text_put(entry, "\n    close: cleared()\n");
    import_text_release(&team);
}

static void put_rule(struct alertmanager *am, const struct route *route, const char *id,
                     const struct expr *where, struct import_text *entry)
{
    import_text_format(entry, "  - id: %s\n    where: |\n      ", id);
    expr_print(where, entry, 6);
    import_text_put(entry, "\n");
    put_list(entry, route);
    import_text_put(entry, "    window: open\n    when: count() >= 1\n");
    if (route->group_wait_ms > 0) {
        import_text_put(entry, "    for: ");
        put_duration(entry, route->group_wait_ms);
        import_text_put(entry, "\n");
    }
    put_incident(am, route, entry);
}

static void put_comment(const struct route *route, struct import_text *comment)
{
    struct import_text way = {NULL, 0, 0};

    for (const struct route *at = route; at != NULL; at = at->parent) {
        struct import_text line = {NULL, 0, 0};
        import_text_add(&line, at->receiver.at, at->receiver.len);
        if (way.bytes > 0) {
            import_text_put(&line, " > ");
            import_text_add(&line, way.at, way.bytes);
        }
        import_text_release(&way);
        way = line;
    }
    import_comment(comment, "route", (struct text){way.at, (uint32_t)way.bytes});
    import_text_release(&way);
}

static void refuse(struct alertmanager *am, const struct route *route, const char *why)
{
    import_find(am->work, route->node->span, IMPORT_LEFT_OUT, route->construct, "%s", why);
}

static bool has_channel(const struct yaml_node *receiver)
{
    static const char ending[] = "_configs";

    for (const struct yaml_node *node = receiver->first; node != NULL; node = node->next)
        if (node->key->text.len >= strlen(ending) &&
            strcmp(node->key->text.at + node->key->text.len - strlen(ending), ending) == 0 &&
            node->first != NULL)
            return true;
    return false;
}

/* A receiver without a channel swallows; where none are listed, its usual name says so. */
static bool tells_nobody(struct alertmanager *am, const struct route *route)
{
    const struct yaml_node *receiver = *import_index_at(&am->receivers, route->receiver);

    if (receiver != NULL)
        return !has_channel(receiver);
    return text_equals(route->receiver, "null");
}

static void convert_route(struct alertmanager *am, struct route *route)
{
    struct expr_build build = {.pool = &am->work->scratch};
    struct import_text comment = {NULL, 0, 0}, entry = {NULL, 0, 0};
    const struct route *lost = alertmanager_route_lost(route);
    struct import_made *made;
    struct expr *where;
    const char *id, *unreached;

    if (route->bad != NULL)
        return; /* told where it was met */
    if (lost != NULL) {
        refuse(am, route,
               import_name(am->work, "it lies below the %s, of which no rule is made because of %s",
                           lost->construct, lost->bad));
        return;
    }
    /* Each route excludes all before it: what is written grows with their square. */
    if (am->condition_bytes > CONDITION_BYTES_MAX) {
        refuse(am, route, "the conditions of the routes before it pass 1 MiB together");
        return;
    }
    where = alertmanager_route_where(am, route, &build);
    if (where == NULL)
        return; /* told where it was met */
    if (build.is_full) {
        am->condition_bytes += EXPRESSION_BYTES_MAX;
        refuse(am, route, "its conditions pass the 16 KiB of an expression");
    } else if ((unreached = alertmanager_route_unreached(am, route, where)) != NULL) {
        refuse(am, route, unreached);
    } else {
        id = import_id(am->work, "am-", route->receiver);
        put_comment(route, &comment);
        put_rule(am, route, id, where, &entry);
        route->id = id;
        made = import_add(am->work, IMPORT_RULES, id, &comment, &entry, route->node->span,
                          route->construct);
        route->is_untold = tells_nobody(am, route);
        if (route->is_untold) {
            made->differs_span = route->node->span;
            made->differs = "its receiver tells nobody: its incidents are there, for inhibitions "
                            "and the incident log, and always muted";
        }
        route->made = made;
    }
    import_scratch_reset(am->work);
}

/* ---- the file ---- */

/* Of several that are called so, the first counts. */
static void list_receiver(struct alertmanager *am, struct text name, const struct yaml_node *node)
{
    void **place = import_index_at(&am->receivers, name);

    if (*place == NULL)
        *place = (void *)node;
}

/* NULL: it has none. */
static const struct yaml_node *receiver_name(const struct yaml_node *node)
{
    const struct yaml_node *name = node->kind == YAML_MAP ? yaml_node_find(node, "name") : NULL;

    return name != NULL && name->kind == YAML_SCALAR ? name : NULL;
}

/* The mapping file has no such receiver, and one whose name is like it and which this file has not:
 * it would be of no effect, without a word. */
static const char *slip_in_map(struct alertmanager *am, struct text name)
{
    const char *near = import_map_receiver_near(am->work->input->map, name);

    if (near == NULL ||
        *import_index_at(&am->receivers, (struct text){near, (uint32_t)strlen(near)}) != NULL)
        return "";
    return import_name(
        am->work, "; the mapping file has \"%.100s\", which is none: did you mean this one?", near);
}

static void find_receivers(struct alertmanager *am, const struct yaml_node *list)
{
    size_t asked = 0;

    if (list->kind != YAML_LIST) {
        import_ignore_key(am->work, list, "receivers are a list");
        return;
    }
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
        if (receiver_name(node) != NULL)
            list_receiver(am, receiver_name(node)->text, node);
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next, asked++) {
        const struct yaml_node *name = receiver_name(node);
        import_find(am->work, node->span, IMPORT_IGNORED,
                    import_name(am->work, "receiver \"%.100s\"", name != NULL ? name->text.at : ""),
                    "how people are told is set under `sinks` of tocsin's configuration%s",
                    name != NULL && asked < IMPORT_HINTS_MAX ? slip_in_map(am, name->text) : "");
    }
}

static void find_sections(struct alertmanager *am)
{
    static const char *const sections[] = {"route",          "receivers",           "inhibit_rules",
                                           "time_intervals", "mute_time_intervals", "global",
                                           "templates"};

    for (const struct yaml_node *node = am->document->first; node != NULL; node = node->next) {
        struct text key = node->key->text;
        if (text_equals(key, "route") || text_equals(key, "inhibit_rules") ||
            text_equals(key, "time_intervals") || text_equals(key, "mute_time_intervals"))
            continue;
        if (text_equals(key, "receivers"))
            find_receivers(am, node);
        else if (text_equals(key, "global"))
            import_ignore_key(am->work, node,
                              "how people are told is set under `sinks` of tocsin's configuration");
        else if (text_equals(key, "templates"))
            import_ignore_key(am->work, node, "what a page says is the title of a rule");
        else
            import_ignore_key(am->work, node,
                              import_name(am->work, "this section is not known%s",
                                          import_near(am->work, key, sections,
                                                      sizeof(sections) / sizeof(sections[0]))));
    }
}

/* A group is looked at every group_interval, and repeated at the first look after repeat_interval:
 * so long a firing alert may not be heard of. */
static int64_t silence_of(const struct route *route)
{
    return route->repeat_ms + route->group_interval_ms;
}

/* One sentence for the route that repeats most rarely, for engine.expire is one for all. */
static void find_expire(struct alertmanager *am)
{
    struct import_text repeat = {NULL, 0, 0}, expire = {NULL, 0, 0};
    const struct route *longest = NULL;

    for (size_t i = 0; i < am->routes.count; i++) {
        const struct route *route = am->routes.at[i];
        if (route->id != NULL && (longest == NULL || silence_of(route) > silence_of(longest)))
            longest = route;
    }
    if (longest == NULL || silence_of(longest) <= EXPIRE_MS)
        return;
    put_duration(&repeat, longest->repeat_ms);
    put_duration(&expire, silence_of(longest));
    import_find(am->work,
                longest->repeat_node != NULL ? longest->repeat_node->span : longest->node->span,
                IMPORT_DIFFERS, "repeat_interval",
                "an alert that is told once is over after `engine.expire` [5m], and its incident "
                "with it; Alertmanager repeats a firing one after %s: set engine.expire: %s",
                repeat.at != NULL ? repeat.at : "0", expire.at);
    import_text_release(&repeat);
    import_text_release(&expire);
}

static void convert_document(struct import_work *work, const struct yaml_node *document)
{
    struct alertmanager am = {.work = work, .document = document};
    const struct yaml_node *root = yaml_node_find(document, "route");

    find_sections(&am);
    alertmanager_intervals_read(&am);
    if (root != NULL)
        read_route(&am, root, NULL);
    for (size_t i = 0; i < am.routes.count && !import_is_over(work); i++) {
        convert_route(&am, am.routes.at[i]);
        import_tell(work, i + 1, am.routes.count);
    }
    import_flush(work);
    for (size_t i = 0; i < am.routes.count; i++) {
        if (am.routes.at[i]->made != NULL && am.routes.at[i]->made->is_refused)
            am.routes.at[i]->id = NULL;
        check_receiver(&am, am.routes.at[i]);
        alertmanager_route_tell(&am, am.routes.at[i]);
    }
    find_expire(&am);
    for (size_t i = 0; i < am.routes.count; i++)
        alertmanager_intervals_mute(&am, am.routes.at[i]);
    alertmanager_intervals_finish(&am);
    alertmanager_inhibit(&am);
    free(am.routes.at);
    import_index_release(&am.receivers);
    import_index_release(&am.intervals);
    import_index_release(&am.meant);
    import_index_release(&am.windows);
    import_scratch_reset(work);
}

void import_alertmanager(struct import_work *work)
{
    for (size_t i = 0; i < work->document_count; i++)
        convert_document(work, work->documents[i]);
}
