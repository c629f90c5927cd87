/*
 * import_intervals.c - time intervals of Alertmanager as maintenance windows. See
 * import_alertmanager.h.
 *
 * The windows of tocsin take the same intervals, word for word; there is one for all routes
 * that are muted by the same ones, over the incidents of their rules. An interval in which
 * something is not known is left out whole: without it the window would mute at more times than
 * meant. Each is shown to the engine by itself before routes name it.
 */
#include <string.h>
#include "daemon/import_alertmanager.h"
#include "daemon/import_week.h"
#include "rules/fields.h"

/* Of all routes together, each of which repeats the intervals that it names; an entry that is
 * looked at to find out what is left of a week counts as so many. */
enum {
    TIME_INTERVALS_MAX = 1000,
    INTERVAL_ENTRIES_MAX = 2000,
    INTERVAL_BYTES_MAX = 1 << 20,
    INTERVAL_ENTRY_BYTES = 100
};

struct interval_use {
    const struct yaml_node *node; /* {name, time_intervals} */
    const char *construct;
    bool is_used, is_bad;
};

/* One maintenance window on its way: the rules of all routes that have the same one. */
struct route_window {
    struct route_window *next;
    const char *kind;              /* "mute" */
    const char *intervals;         /* entries of time_intervals */
    const char *said;              /* for a comment: the names of the intervals */
    const struct yaml_node *names; /* of the first route; NULL: its receiver tells nobody */
    const struct route *route;     /* the first */
    struct import_text rules;      /* "am-a", "am-b" */
    uint32_t rule_count;
};

static bool refuse(struct import_work *work, struct span span, const char *construct,
                   const char *why)
{
    import_find(work, span, IMPORT_LEFT_OUT, construct, "%s", why);
    return false;
}

/* ---- reading ---- */

/* Those before `times` are lists of ranges. */
static const char *const interval_keys[] = {"weekdays", "days_of_month", "months",
                                            "years",    "times",         "location"};

static bool refuse_key(struct import_work *work, const struct yaml_node *node,
                       const char *construct)
{
    return refuse(work, node->key->span, construct,
                  import_name(work, "the key %.80s of an interval is not known%s",
                              node->key->text.at,
                              import_near(work, node->key->text, interval_keys, 6)));
}

static bool check_words(struct import_work *work, const struct yaml_node *list,
                        const char *construct)
{
    if (list->kind != YAML_LIST)
        return refuse(work, list->span, construct, "this is a list of ranges");
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
        if (node->kind != YAML_SCALAR)
            return refuse(work, node->span, construct, "a range is text");
    return true;
}

static bool check_times(struct import_work *work, const struct yaml_node *list,
                        const char *construct)
{
    if (list->kind != YAML_LIST)
        return refuse(work, list->span, construct, "times are a list");
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        if (node->kind != YAML_MAP || node->count != 2 ||
            yaml_node_find(node, "start_time") == NULL ||
            yaml_node_find(node, "end_time") == NULL || node->first->kind != YAML_SCALAR ||
            node->last->kind != YAML_SCALAR)
            return refuse(work, node->span, construct,
                          "a time is a map of start_time and end_time, and nothing else");
    }
    return true;
}

static bool check_spec(struct import_work *work, const struct yaml_node *spec,
                       const char *construct)
{
    const char *const *lists = interval_keys;

    if (spec->kind != YAML_MAP)
        return refuse(work, spec->span, construct, "an interval is a map");
    for (const struct yaml_node *node = spec->first; node != NULL; node = node->next) {
        size_t i = 0;
        while (i < 4 && !text_equals(node->key->text, lists[i]))
            i++;
        if (i < 4) {
            if (!check_words(work, node, construct))
                return false;
        } else if (text_equals(node->key->text, "times")) {
            if (!check_times(work, node, construct))
                return false;
        } else if (!text_equals(node->key->text, "location")) {
            return refuse_key(work, node, construct);
        } else if (node->kind != YAML_SCALAR || text_equals(node->text, "Local")) {
            return refuse(work, node->span, construct,
                          "the zone of the machine that Alertmanager ran on is not known here: "
                          "name it");
        }
    }
    return true;
}

static bool check_interval(struct import_work *work, const struct interval_use *use)
{
    static const char *const keys[] = {"name", "time_intervals"};
    const struct yaml_node *specs = yaml_node_find(use->node, "time_intervals");
    bool is_good = true;

    for (const struct yaml_node *node = use->node->first; node != NULL; node = node->next)
        if (!text_equals(node->key->text, "name") &&
            !text_equals(node->key->text, "time_intervals"))
            is_good = refuse(work, node->key->span, use->construct,
                             import_name(work, "its key %.80s is not known%s", node->key->text.at,
                                         import_near(work, node->key->text, keys, 2)));
    if (specs == NULL || specs->kind != YAML_LIST || specs->first == NULL)
        return refuse(work, use->node->span, use->construct, "it has no list time_intervals");
    for (const struct yaml_node *spec = specs->first; spec != NULL; spec = spec->next)
        is_good = check_spec(work, spec, use->construct) && is_good;
    return is_good;
}

static void put_spec(const struct yaml_node *spec, struct import_text *entry);

/* The engine knows zones, and what a day may be. */
static bool engine_takes(struct import_work *work, const struct interval_use *use)
{
    const struct yaml_node *specs = yaml_node_find(use->node, "time_intervals");
    struct import_text text = {NULL, 0, 0};
    const char *why;
    bool is_good;

    import_text_put(&text, "maintenance:\n  - id: a\n    where: tenant != \"\"\n"
                           "    time_intervals:\n");
    for (const struct yaml_node *spec = specs->first; spec != NULL; spec = spec->next)
        put_spec(spec, &text);
    is_good = import_is_taken(work, text.at, text.bytes, &why);
    import_text_release(&text);
    if (!is_good)
        refuse(work, use->node->span, use->construct, why);
    return is_good;
}

static void read_section(struct alertmanager *am, const char *key)
{
    const struct yaml_node *list = yaml_node_find(am->document, key);

    if (list != NULL && list->kind != YAML_LIST) {
        import_ignore_key(am->work, list, "this section is a list");
        return;
    }
    for (const struct yaml_node *node = list != NULL ? list->first : NULL; node != NULL;
         node = node->next) {
        const struct yaml_node *name = node->kind == YAML_MAP ? yaml_node_find(node, "name") : NULL;
        struct interval_use *use;
        void **place;
        if (name == NULL || name->kind != YAML_SCALAR) {
            refuse(am->work, node->span, "time interval", "it has no name");
            continue;
        }
        if (am->intervals.count == TIME_INTERVALS_MAX) {
            refuse(am->work, node->span, "time interval", "it is one of more than 1,000");
            return;
        }
        /* Each is a calendar that the engine looks ahead in for years. */
        const struct yaml_node *specs = yaml_node_find(node, "time_intervals");
        am->interval_entries += specs != NULL ? specs->count : 0;
        if (am->interval_entries > INTERVAL_ENTRIES_MAX) {
            refuse(am->work, node->span, "time interval",
                   "the time intervals up to it have more than 2,000 entries");
            return;
        }
        place = import_index_at(&am->intervals, name->text);
        if (*place != NULL) {
            refuse(am->work, node->span,
                   import_name(am->work, "time interval \"%.100s\"", name->text.at),
                   "an earlier one has this name");
            continue;
        }
        *place = use = import_pool_alloc(&am->work->pool, sizeof(*use));
        use->node = node;
        use->construct = import_name(am->work, "time interval \"%.100s\"", name->text.at);
        use->is_bad = !check_interval(am->work, use) || !engine_takes(am->work, use);
    }
}

void alertmanager_intervals_read(struct alertmanager *am)
{
    read_section(am, "time_intervals");
    read_section(am, "mute_time_intervals");
}

/* ---- writing ---- */

static void put_times(const struct yaml_node *list, struct import_text *entry)
{
    import_text_put(entry, "times: [");
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        const struct yaml_node *start = yaml_node_find(node, "start_time");
        const struct yaml_node *end = yaml_node_find(node, "end_time");
        import_text_put(entry, node != list->first ? ", {start_time: " : "{start_time: ");
        import_text_quoted(entry, start->text.at, start->text.len);
        import_text_put(entry, ", end_time: ");
        import_text_quoted(entry, end->text.at, end->text.len);
        import_text_put(entry, "}");
    }
    import_text_put(entry, "]\n");
}

static void put_words(const struct yaml_node *list, struct import_text *entry)
{
    import_text_format(entry, "%s: [", list->key->text.at);
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        import_text_put(entry, node != list->first ? ", " : "");
        import_text_quoted(entry, node->text.at, node->text.len);
    }
    import_text_put(entry, "]\n");
}

static void put_spec(const struct yaml_node *spec, struct import_text *entry)
{
    const char *lead = "      - ";

    for (const struct yaml_node *node = spec->first; node != NULL; node = node->next) {
        if (node->kind == YAML_LIST && node->first == NULL)
            continue; /* an empty list is any value, as no list is */
        import_text_put(entry, lead);
        lead = "        ";
        if (text_equals(node->key->text, "times")) {
            put_times(node, entry);
        } else if (node->kind == YAML_LIST) {
            put_words(node, entry);
        } else {
            import_text_put(entry, "location: ");
            import_text_quoted(entry, node->text.at, node->text.len);
            import_text_put(entry, "\n");
        }
    }
    if (lead[6] == '-')
        import_text_put(entry, "      - {}\n");
}

/* The route's rule is there; what is missing is a time at which it is muted. */
static const struct yaml_node *differs(struct alertmanager *am, const struct route *route,
                                       const struct yaml_node *name, const char *why,
                                       bool is_active)
{
    if (route->id != NULL)
        import_find(am->work, name->span, IMPORT_DIFFERS, route->construct, "%s: %s", why,
                    is_active ? "its incidents are told at all times"
                              : "its incidents are told at that time, too");
    return NULL;
}

/* The interval of this name, with its place as a reason when there is none that is good. */
static const struct yaml_node *specs_of(struct alertmanager *am, const struct route *route,
                                        const struct yaml_node *name, bool is_active)
{
    struct interval_use *use;

    if (name->kind != YAML_SCALAR)
        return differs(am, route, name, "the name of a time interval is wanted", is_active);
    use = *import_index_at(&am->intervals, name->text);
    if (use == NULL)
        return differs(am, route, name,
                       import_name(am->work, "there is no time interval \"%.80s\"%s", name->text.at,
                                   import_near_index(am->work, name->text, &am->intervals)),
                       is_active);
    use->is_used = true;
    if (use->is_bad)
        return differs(am, route, name, "this time interval cannot be carried over", is_active);
    return yaml_node_find(use->node, "time_intervals");
}

/* The names of a list, or one. */
static const char *names_said(struct import_work *work, const struct yaml_node *names)
{
    struct import_text said = {NULL, 0, 0};

    for (const struct yaml_node *node = names->kind == YAML_LIST ? names->first : names;
         node != NULL; node = names->kind == YAML_LIST ? node->next : NULL)
        if (node->kind == YAML_SCALAR)
            import_text_format(&said, "%s%s", said.bytes > 0 ? ", " : "", node->text.at);
    return import_text_take(&said, &work->pool);
}

/* Adds the route's rule to the window of these intervals, which is made when it is the first.
 * Takes `intervals`. */
static void window_join(struct alertmanager *am, const struct route *route,
                        const struct yaml_node *names, const char *kind,
                        struct import_text *intervals)
{
    struct import_work *work = am->work;
    const char *text = import_text_take(intervals, &work->pool);
    struct route_window *window;
    void **place;

    place = import_index_at(&am->windows, import_word(import_name(work, "%s\n%s", kind, text)));
    window = *place;
    if (window == NULL) {
        *place = window = import_pool_alloc(&work->pool, sizeof(*window));
        *window = (struct route_window){.kind = kind,
                                        .intervals = text,
                                        .names = names,
                                        .said = names != NULL ? names_said(work, names) : "",
                                        .route = route};
        if (am->last_window != NULL)
            am->last_window->next = window;
        else
            am->first_window = window;
        am->last_window = window;
    }
    import_text_format(&window->rules, "%s\"%s\"", window->rule_count++ > 0 ? ", " : "", route->id);
}

static void window_comment(const struct route_window *window, struct import_text *comment)
{
    if (window->names != NULL)
        import_comment(comment, window->names->key->text.at, import_word(window->said));
    else
        import_comment(comment, "receiver", window->route->receiver);
}

/* One window over the incidents of its rules. */
static void window_add(struct alertmanager *am, struct route_window *window)
{
    struct import_work *work = am->work;
    struct import_text whole = {NULL, 0, 0}, comment = {NULL, 0, 0};
    const struct route *route = window->route;
    /* No rule has such an id. */
    const char *id = import_name(work, "%s-%s", route->id, window->kind);
    const char *construct, *where;
    struct import_made *made;

    construct = window->names == NULL ? import_name(work, "muting of the %s", route->construct)
                                      : import_name(work, "%s of the %s",
                                                    window->names->key->text.at, route->construct);
    if (window->rule_count > 1)
        construct =
            import_name(work, "%s and of %u more", construct, (unsigned)window->rule_count - 1);
    where = window->rule_count == 1 ? import_name(work, "rule == \"%s\"", route->id)
                                    : import_rules_term(work, window->rules.at, window->rule_count);
    if (where == NULL) {
        import_find(work, route->node->span, IMPORT_LEFT_OUT, construct,
                    "routes have more than 200 different groups of time intervals: their "
                    "incidents are told at all times");
        return;
    }
    window_comment(window, &comment);
    import_text_format(&whole, "  - id: %s\n    where: %s\n    time_intervals:\n%s", id, where,
                       window->intervals);
    made = import_add(work, IMPORT_MAINTENANCE, id, &comment, &whole,
                      window->names != NULL ? window->names->span : route->node->span, construct);
    made->without = strcmp(window->kind, "mute") == 0 ? "the incidents are told at these times, too"
                                                      : "the incidents are told at all times";
}

static bool intervals_are_full(struct alertmanager *am, const struct route *route,
                               const struct yaml_node *names, bool is_active)
{
    if (am->interval_bytes <= INTERVAL_BYTES_MAX)
        return false;
    differs(am, route, names, "the time intervals of the routes up to it pass 1 MiB together",
            is_active);
    return true;
}

static void mute(struct alertmanager *am, const struct route *route, const struct yaml_node *names)
{
    struct import_text intervals = {NULL, 0, 0};
    const size_t before = am->interval_bytes;

    for (const struct yaml_node *node = names->kind == YAML_LIST ? names->first : names;
         node != NULL; node = names->kind == YAML_LIST ? node->next : NULL) {
        const struct yaml_node *specs = specs_of(am, route, node, false);
        for (const struct yaml_node *spec = specs != NULL ? specs->first : NULL;
             spec != NULL && am->interval_bytes <= INTERVAL_BYTES_MAX; spec = spec->next) {
            put_spec(spec, &intervals);
            am->interval_bytes = before + intervals.bytes;
        }
    }
    if (!intervals_are_full(am, route, names, false) && intervals.bytes > 0 && route->id != NULL)
        window_join(am, route, names, "mute", &intervals);
    import_text_release(&intervals);
}

/* Told at these times: muted at all others. */
static void mute_rest(struct alertmanager *am, const struct route *route,
                      const struct yaml_node *names)
{
    struct import_week *week = import_pool_alloc(&am->work->scratch, sizeof(*week));
    struct import_text intervals = {NULL, 0, 0};
    const char *why = NULL;
    bool is_known = true;

    for (const struct yaml_node *node = names->kind == YAML_LIST ? names->first : names;
         node != NULL; node = names->kind == YAML_LIST ? node->next : NULL) {
        const struct yaml_node *specs = specs_of(am, route, node, true);
        is_known = is_known && specs != NULL;
        for (const struct yaml_node *spec = specs != NULL ? specs->first : NULL;
             spec != NULL && why == NULL && am->interval_bytes <= INTERVAL_BYTES_MAX;
             spec = spec->next) {
            why = import_week_add(week, spec);
            am->interval_bytes += INTERVAL_ENTRY_BYTES;
        }
    }
    if (intervals_are_full(am, route, names, true))
        ; /* said */
    else if (why != NULL)
        import_find(am->work, names->key->span, IMPORT_IGNORED,
                    import_name(am->work, "key %s", names->key->text.at),
                    "%s: its incidents are told at all times", why);
    else if (is_known && week->has_any && route->id != NULL &&
             import_week_write_rest(week, &intervals))
        window_join(am, route, names, "inactive", &intervals);
    import_text_release(&intervals);
    import_scratch_reset(am->work);
}

/* One interval of which nothing is said: always. */
static void mute_always(struct alertmanager *am, const struct route *route)
{
    struct import_text intervals = {NULL, 0, 0};

    import_text_put(&intervals, "      - {}\n");
    window_join(am, route, NULL, "untold", &intervals);
}

void alertmanager_intervals_mute(struct alertmanager *am, const struct route *route)
{
    const struct yaml_node *names = yaml_node_find(route->node, "mute_time_intervals");
    const struct yaml_node *active = yaml_node_find(route->node, "active_time_intervals");

    if (route->is_untold && route->id != NULL)
        mute_always(am, route);
    if (names != NULL)
        mute(am, route, names);
    if (active != NULL)
        mute_rest(am, route, active);
}

void alertmanager_intervals_finish(struct alertmanager *am)
{
    static const char *const sections[] = {"time_intervals", "mute_time_intervals"};

    for (struct route_window *window = am->first_window; window != NULL; window = window->next) {
        window_add(am, window);
        import_text_release(&window->rules);
    }
    for (int i = 0; i < 2; i++) {
        const struct yaml_node *list = yaml_node_find(am->document, sections[i]);
        for (const struct yaml_node *node = list != NULL && list->kind == YAML_LIST ? list->first
                                                                                    : NULL;
             node != NULL; node = node->next) {
            const struct yaml_node *name =
                node->kind == YAML_MAP ? yaml_node_find(node, "name") : NULL;
            struct interval_use *use = name != NULL && name->kind == YAML_SCALAR
                                           ? *import_index_at(&am->intervals, name->text)
                                           : NULL;
            if (use != NULL && use->node == node && !use->is_used)
                import_find(am->work, node->span, IMPORT_IGNORED, use->construct,
                            "no route names it");
        }
    }
}
