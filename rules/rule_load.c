/*
 * rule_load.c - loading of whole sets. See rule_set.h.
 *
 * A set is built in its own arena; trees and syntax go into a scratch arena per
 * file, so what stays is only what runs. A set with one bad rule is refused whole:
 * half a rule book would page the wrong half of the night.
 */
#include "rules/rule_set.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include "base/arena.h"
#include "base/hash.h"
#include "base/host.h"
#include "rules/calendar.h"
#include "rules/composite.h"
#include "rules/drops.h"
#include "rules/enrich_reader.h"
#include "rules/foreign_file.h"
#include "rules/match_index.h"
#include "rules/mute_set.h"
#include "rules/pattern_choice.h"
#include "rules/pattern_database.h"
#include "rules/rule_reader.h"
#include "rules/rule_set_parts.h"
#include "rules/zone_book.h"

enum { FILES_MAX = 1000, FILES_MIB_MAX = 64 };

/* Enough for RULES_MAX rules of ordinary size, and small enough not to end the machine: what stays,
 * what is needed until the end of the load, and what one rule is read with. */
enum { SET_MIB_MAX = 1024, KEPT_MIB_MAX = 768, SCRATCH_MIB_MAX = 512 };

/* ---- load ---- */

/* A file as it was read. All are read before anything is taken from one: sets and tables are seen
 * by all of them. */
struct source_file {
    struct yaml_node *root;
    struct source_file *next;
};

struct loading {
    struct rule_set *set;
    struct diagnostics diag;
    struct label_slots slots;
    struct arena *kept; /* scripts and rules until the set is sorted */
    struct compiled_rule *first, *last;
    struct mute_gathering mutes;
    struct enrich_gathering enrich;
    uint32_t count;
    uint32_t seen; /* rules, with those that were wrong */
    uint32_t file_count;
    uint32_t var_parts; /* see vars.h */
    uint32_t deed_count;
    uint32_t extract_work;
    uint64_t calendar_work;
    struct load_work work;
    uint64_t text_bytes; /* of rule files */
    struct zone_book zones;
    struct patterns patterns;
    struct lookups lookups;
    struct composite_ids ids;
    struct drops drops;
    struct source_file *first_file, *last_file;
    struct compiled_rule *spare;
    bool is_over;    /* a bound was reached: nothing more is read */
    bool is_checked; /* and nothing is built */
};

static bool loading_start(struct loading *loading, struct error *err)
{
    memset(loading, 0, sizeof(*loading));
    diagnostics_init(&loading->diag, err);
    loading->calendar_work = CALENDAR_WORK_MAX;
    loading->kept = arena_create((size_t)KEPT_MIB_MAX << 20);
    loading->set = calloc(1, sizeof(*loading->set));
    if (loading->set != NULL)
        loading->set->arena = arena_create((size_t)SET_MIB_MAX << 20);
    if (loading->kept != NULL)
        loading->patterns.table = pattern_table_create(loading->kept);
    if (loading->set != NULL && loading->set->arena != NULL && loading->patterns.table != NULL) {
        loading->lookups.arena = loading->set->arena;
        loading->lookups.diag = &loading->diag;
        loading->lookups.work = &loading->work;
        loading->patterns.set = (const struct pattern_set *const *)&loading->set->patterns;
        return true;
    }
    diagnose_memory(&loading->diag);
    return false;
}

/* Where a bound was reached and not the end of memory, that is a mistake like others. */
static void tell_bound(struct loading *loading, struct span span, const struct arena *scratch)
{
    bool is_rule = scratch != NULL && arena_is_full(scratch);
    bool is_set = arena_is_full(loading->set->arena) || arena_is_full(loading->kept);

    if (!loading->diag.out_of_memory || (!is_rule && !is_set))
        return;
    loading->diag.out_of_memory = false;
    if (is_rule)
        diagnose(&loading->diag, span, "this alone takes more than %d MiB to be read",
                 SCRATCH_MIB_MAX);
    else
        diagnose(
            &loading->diag, span,
            "all that was read up to here takes more than %d MiB: fewer rules, or shorter ones",
            arena_is_full(loading->kept) ? KEPT_MIB_MAX : SET_MIB_MAX);
    loading->is_over = true;
}

/* Of more files than one may have bytes, as many count: who has so many rules means them. */
static void count_text(struct loading *loading, size_t bytes)
{
    uint64_t left = YAML_BYTES_MAX - loading->text_bytes;
    uint64_t counted = bytes < left ? bytes : left;

    loading->text_bytes += counted;
    load_work_add(&loading->work, LOAD_RULES, counted * LOAD_TEXT_BYTE_NS);
}

/* False, when nothing is left; diagnosed, unless the rule itself was told to be wrong. */
static bool count_rule(struct loading *loading, const struct yaml_node *node, uint32_t var_parts,
                       bool is_good)
{
    load_work_add(&loading->work, LOAD_RULES,
                  LOAD_RULE_NS + (uint64_t)var_parts * LOAD_VAR_PART_NS);
    if (load_work_left(&loading->work) > 0)
        return true;
    if (is_good)
        load_work_refuse(&loading->work, &loading->diag, node->span);
    return false;
}

/* One entry of `rules:`; false when reading should stop. */
static bool take_rule(struct loading *loading, const struct yaml_node *node,
                      struct rule_build *build)
{
    uint32_t var_parts = loading->var_parts;
    struct compiled_rule *rule;
    bool is_good;

    if (loading->seen++ == RULES_MAX) {
        diagnose(&loading->diag, node->span, "a set holds at most %d rules", RULES_MAX);
        return false;
    }
    /* One that was wrong leaves its room to the next: a million of them take no more. */
    rule = loading->spare != NULL ? memset(loading->spare, 0, sizeof(*rule))
                                  : arena_alloc(loading->kept, sizeof(*rule));
    loading->spare = rule;
    if (rule == NULL) {
        diagnose_memory(&loading->diag);
        return false;
    }
    /* What one rule is read with is of no use to the next. */
    build->scratch = arena_create((size_t)SCRATCH_MIB_MAX << 20);
    is_good = build->scratch != NULL ? rule_read(node, build, rule)
                                     : diagnose_memory(&loading->diag) != NULL;
    tell_bound(loading, node->span, build->scratch);
    arena_destroy(build->scratch);
    if (!count_rule(loading, node, loading->var_parts - var_parts, is_good))
        return false;
    /* Mistakes that are not shown any more are counted. */
    if (!is_good)
        return !loading->diag.out_of_memory && !loading->is_over;
    loading->spare = NULL;
    if (loading->last != NULL)
        loading->last->next = rule;
    else
        loading->first = rule;
    loading->last = rule;
    loading->count++;
    return true;
}

/* The list under a key that may be absent. */
static const struct yaml_node *list_of(struct loading *loading, const struct yaml_node *root,
                                       const char *key)
{
    const struct yaml_node *list = yaml_node_find(root, key);

    if (list == NULL || list->kind == YAML_LIST)
        return list;
    diagnose(&loading->diag, list->span, "%s takes a list, each entry beginning with \"-\"", key);
    return NULL;
}

/* What a file may hold; the first of them says what such a file is. */
static const char *const root_keys[] = {"rules",       "sets",    "tables", "silences",
                                        "maintenance", "inhibit", "enrich", "bounds"};

enum { ROOT_KEYS = sizeof(root_keys) / sizeof(root_keys[0]) };

static bool check_root(struct loading *loading, const struct yaml_node *root)
{
    static const char begins[] = "a rule file begins with \"rules:\"";
    const struct yaml_node *at;
    const char *foreign;
    bool has_any = false;

    if (root->kind != YAML_MAP) {
        bool is_bare = root->kind == YAML_LIST && root->first != NULL &&
                       root->first->kind == YAML_MAP && yaml_node_find(root->first, "id") != NULL;
        diagnose(&loading->diag, root->span, "%s%s", begins,
                 is_bare ? "; this list stands under that key" : "");
        return false;
    }
    foreign = foreign_file_find(root, &at);
    if (foreign != NULL) {
        diagnose(&loading->diag, at->key->span, "%s", foreign);
        return false;
    }
    if (!rule_check_keys(root, root_keys, ROOT_KEYS, "a rule file", &loading->diag))
        return false;
    for (size_t i = 0; i < ROOT_KEYS; i++)
        has_any = has_any || yaml_node_find(root, root_keys[i]) != NULL;
    if (!has_any)
        diagnose(&loading->diag, root->span, "%s", begins);
    return has_any;
}

static void take_rules(struct loading *loading, const struct yaml_node *root)
{
    const struct yaml_node *rules = list_of(loading, root, "rules");
    struct rule_build build = {
        .arena = loading->set->arena,
        .diag = &loading->diag,
        .slots = &loading->slots,
        .var_parts = &loading->var_parts,
        .deed_count = &loading->deed_count,
        .extract_work = &loading->extract_work,
        .calendar_work = &loading->calendar_work,
        .work = &loading->work,
        .zones = &loading->zones,
        .patterns = &loading->patterns,
        .lookups = &loading->lookups,
        .drops = &loading->drops,
        .ids = &loading->ids,
    };

    rule_bounds_read(yaml_node_find(root, "bounds"), &build);
    for (const struct yaml_node *node = rules != NULL ? rules->first : NULL; node != NULL;
         node = node->next)
        if (!take_rule(loading, node, &build))
            break;
    /* Mutes and enrich steps are bounded in number: one for all of them. */
    build.scratch = arena_create((size_t)SCRATCH_MIB_MAX << 20);
    if (build.scratch == NULL) {
        diagnose_memory(&loading->diag);
    } else {
        mute_gather(&loading->mutes, root, &build, loading->kept);
        enrich_gather(&loading->enrich, root, &build, loading->kept);
    }
    tell_bound(loading, root->span, build.scratch);
    arena_destroy(build.scratch);
}

/* The rules of a file, where they are a list. */
static const struct yaml_node *rules_of(const struct source_file *file)
{
    const struct yaml_node *rules = yaml_node_find(file->root, "rules");

    return rules != NULL && rules->kind == YAML_LIST ? rules : NULL;
}

static bool take_ids(struct loading *loading)
{
    size_t count = 0;

    if (loading->first_file == NULL) /* where nothing could be read, there may be no arena */
        return true;
    for (struct source_file *file = loading->first_file; file != NULL; file = file->next)
        count += rules_of(file) != NULL ? rules_of(file)->count : 0;
    loading->ids.id = arena_alloc_many(loading->kept, count + 1, sizeof(*loading->ids.id));
    if (loading->ids.id == NULL)
        return diagnose_memory(&loading->diag) != NULL;
    for (struct source_file *file = loading->first_file; file != NULL; file = file->next)
        if (rules_of(file) != NULL)
            composite_ids_add(&loading->ids, rules_of(file));
    composite_ids_sort(&loading->ids);
    return true;
}

/* All of what was read, in the order of the files: first what rules may name. */
static void take_files(struct loading *loading)
{
    bool is_good = take_ids(loading);

    for (struct source_file *file = loading->first_file; file != NULL; file = file->next) {
        const struct yaml_node *root = file->root;
        is_good = lookups_read(&loading->lookups, yaml_node_find(root, "sets"),
                               yaml_node_find(root, "tables")) &&
                  is_good;
    }
    for (struct source_file *file = loading->first_file; is_good && file != NULL; file = file->next)
        drops_add(&loading->drops, yaml_node_find(file->root, "enrich"),
                  &(struct rule_build){.arena = loading->kept, .lookups = &loading->lookups});
    /* A rule that names what could not be read would be blamed for it. */
    for (struct source_file *file = loading->first_file; is_good && file != NULL; file = file->next)
        take_rules(loading, file->root);
}

static void take_script(struct loading *loading, const struct script *script)
{
    struct source_file *file;
    struct yaml_node *root = yaml_read(script, loading->kept, &loading->diag);

    count_text(loading, script->bytes);
    tell_bound(loading, (struct span){script, 0, 0}, NULL);
    if (root == NULL || !check_root(loading, root))
        return;
    file = arena_alloc(loading->kept, sizeof(*file));
    if (file == NULL) {
        diagnose_memory(&loading->diag);
        return;
    }
    file->root = root;
    if (loading->last_file != NULL)
        loading->last_file->next = file;
    else
        loading->first_file = file;
    loading->last_file = file;
}

static int order_by_id(const void *a, const void *b)
{
    const struct compiled_rule *const *x = a, *const *y = b;

    return strcmp((*x)->open.id, (*y)->open.id);
}

static bool check_unique(struct loading *loading, struct compiled_rule **sorted)
{
    bool is_good = true;

    for (uint32_t i = 1; i < loading->count; i++) {
        struct compiled_rule *a = sorted[i - 1], *b = sorted[i];
        if (strcmp(a->open.id, b->open.id) != 0)
            continue;
        is_good = false;
        /* Finding a place costs a look through the file. */
        struct place place = {0, 0};
        if (!loading->diag.full)
            place = script_place(a->id_span.script, a->id_span.from);
        diagnose(&loading->diag, b->id_span, "the id \"%s\" is taken already: %.200s:%u:%u",
                 b->open.id, a->id_span.script->name, (unsigned)place.line, (unsigned)place.column);
    }
    return is_good;
}

static void hash_rules(struct rule_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct id128 pair[2] = {set->hash, set->rules[i].digest};
        set->hash = hash128(pair, sizeof(pair), 0);
    }
}

/* Sorts what was read into the set and builds the index over it. */
static bool assemble(struct loading *loading)
{
    struct rule_set *set = loading->set;
    size_t count = loading->count, i = 0;
    const char *fault;
    struct compiled_rule **sorted = arena_alloc_many(loading->kept, count + 1, sizeof(*sorted));

    set->rules = arena_alloc_many(set->arena, count + 1, sizeof(*set->rules));
    set->where = arena_alloc_many(set->arena, count + 1, sizeof(*set->where));
    if (sorted == NULL || set->rules == NULL || set->where == NULL)
        return diagnose_memory(&loading->diag) != NULL;
    for (struct compiled_rule *rule = loading->first; rule != NULL; rule = rule->next)
        sorted[i++] = rule;
    qsort(sorted, count, sizeof(*sorted), order_by_id);
    if (!check_unique(loading, sorted))
        return false;
    set->count = loading->count;
    for (uint32_t r = 0; r < set->count; r++) {
        set->rules[r] = *sorted[r];
        set->rules[r].open.index = r;
        set->rules[r].next = NULL;
        set->where[r] = sorted[r]->where;
        /* Of flapping alerts and of all events nothing is remembered by alert. */
        set->reads_message |=
            sorted[r]->open.reads_message && sorted[r]->open.input <= RULE_INPUT_EVENTS;
        set->inputs |= 1u << sorted[r]->open.input;
    }
    if (!composite_check(set->rules, set->count, loading->kept, &loading->diag))
        return false;
    hash_rules(set);
    if (!mute_set_make(&loading->mutes, set->arena, loading->kept, &loading->diag, &set->mutes,
                       &set->hash) ||
        !enrich_set_make(&loading->enrich, set->arena, loading->kept, &loading->diag, &set->enrich,
                         &set->hash))
        return false;
    set->reads_message |= set->enrich != NULL && set->enrich->reads_unstable;
    set->index = match_index_create(set->where, set->count, loading->patterns.table, set->arena,
                                    loading->kept);
    if (set->index == NULL)
        return diagnose_memory(&loading->diag) != NULL;
    if (!pattern_table_is_empty(loading->patterns.table) && pattern_database_fault(&fault)) {
        if (fault == NULL)
            return diagnose_memory(&loading->diag) != NULL;
        /* What is wrong with the machine has no better place than the first file. */
        diagnose(&loading->diag, loading->first_file->root->span, "%s", fault);
        return false;
    }
    pattern_table_know_work(loading->patterns.table, &loading->work);
    if (loading->is_checked)
        return loading->diag.listener == NULL ||
               pattern_choices_check(loading->patterns.table, loading->diag.listener->patterns,
                                     set->arena, &loading->diag);
    return pattern_set_build(loading->patterns.table, set->arena, &loading->diag, &set->patterns);
}

static int loading_finish(struct loading *loading, struct rule_set **out)
{
    int rc;

    take_files(loading);
    if (diagnostics_clean(&loading->diag) && !assemble(loading) && loading->last != NULL)
        tell_bound(loading, loading->last->id_span, NULL);
    rc = diagnostics_finish(&loading->diag);
    if (rc == 0) {
        *out = loading->set;
        loading->set = NULL;
    }
    rule_set_destroy(loading->set);
    arena_destroy(loading->kept);
    return rc;
}

int rule_set_parse(const char *name, const char *text, size_t bytes, struct rule_set **out,
                   struct error *err)
{
    struct script script = {name, text, bytes};
    struct loading loading;

    if (loading_start(&loading, err))
        take_script(&loading, &script);
    return loading_finish(&loading, out);
}

int rule_set_check(const char *name, const char *text, size_t bytes,
                   const struct diagnostics_listener *listener, struct error *err)
{
    struct script script = {name, text, bytes};
    struct rule_set *set = NULL;
    struct loading loading;
    int rc;

    if (loading_start(&loading, err)) {
        loading.is_checked = true;
        loading.diag.listener = listener;
        take_script(&loading, &script);
    }
    rc = loading_finish(&loading, &set);
    rule_set_destroy(set);
    return rc;
}

/* ---- files ---- */

struct file_list {
    struct arena *arena;
    const char **paths;
    char **texts; /* to be freed when all errors have been told: spans point into them */
    size_t count;
    size_t bytes; /* of all files read so far */
    const char *folder;
    char other[200]; /* the first *.yml of the folder, which is no rule file; "" where there is none
                      */
    const char *passed_over; /* the first of them with its folder */
    int rc;
};

enum { OTHER_ENDING_BYTES = 500 };

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), cut = strlen(ending);

    return length > cut && strcmp(name + length - cut, ending) == 0;
}

/* Tests of rules lie beside them and are none. */
static bool is_rule_file(const char *name)
{
    return name[0] != '.' && ends_with(name, ".yaml") && !ends_with(name, ".test.yaml");
}

static void list_add(struct file_list *list, const char *path, size_t bytes)
{
    const char *copy = arena_copy(list->arena, path, bytes);

    assert(list->paths != NULL);
    if (list->count == FILES_MAX)
        list->rc = -E2BIG;
    else if (copy == NULL)
        list->rc = -ENOMEM;
    else
        list->paths[list->count++] = copy;
}

static void take_entry(void *self, const char *name)
{
    struct file_list *list = self;
    size_t folder = strlen(list->folder), length = strlen(name);
    char *path;

    if (name[0] != '.' && ends_with(name, ".yml") && length < sizeof(list->other) &&
        (list->other[0] == '\0' || strcmp(name, list->other) < 0))
        memcpy(list->other, name, length + 1);
    if (!is_rule_file(name) || list->rc != 0)
        return;
    /* rules/ is the folder rules. */
    while (folder > 0 && list->folder[folder - 1] == '/')
        folder--;
    path = arena_alloc(list->arena, folder + length + 2);
    if (path == NULL) {
        list->rc = -ENOMEM;
        return;
    }
    memcpy(path, list->folder, folder);
    path[folder] = '/';
    memcpy(path + folder + 1, name, length);
    list_add(list, path, folder + 1 + length);
}

static int order_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "; a.yml would be read as a.yaml" */
static const char *other_ending(const struct file_list *list, char hint[OTHER_ENDING_BYTES])
{
    int stem = (int)strlen(list->other) - (int)strlen(".yml");

    hint[0] = '\0';
    if (stem > 0)
        snprintf(hint, OTHER_ENDING_BYTES, "; %s would be read as %.*s.yaml", list->other, stem,
                 list->other);
    return hint;
}

static void note_passed_over(struct file_list *list)
{
    char path[OTHER_ENDING_BYTES];

    if (list->other[0] == '\0' || list->passed_over != NULL ||
        snprintf(path, sizeof(path), "%s/%s", list->folder, list->other) >= (int)sizeof(path))
        return;
    list->passed_over = arena_copy(list->arena, path, strlen(path));
}

static int list_path(struct file_list *list, const char *path, struct error *err)
{
    size_t before = list->count;
    char hint[OTHER_ENDING_BYTES];
    int rc;

    list->folder = path;
    list->other[0] = '\0';
    rc = host_list(path, take_entry, list);
    if (rc == -ENOTDIR) {
        list_add(list, path, strlen(path));
        rc = 0;
    } else if (rc == 0 && list->rc == 0 && list->count == before) {
        error_set(err, "%s: there is no *.yaml file in this folder%s", path,
                  other_ending(list, hint));
        return -ENOENT;
    } else if (list->count > before) {
        qsort(list->paths + before, list->count - before, sizeof(*list->paths), order_paths);
        note_passed_over(list);
    }
    rc = rc != 0 ? rc : list->rc;
    if (rc == -E2BIG)
        error_set(err, "%s: more than %d rule files", path, FILES_MAX);
    else if (rc != 0)
        error_set(err, "%s: %s", path, strerrordesc_np(-rc));
    return rc;
}

static int load_file(struct loading *loading, struct file_list *list, size_t i, struct error *err)
{
    struct script *script = arena_alloc(list->arena, sizeof(*script));
    size_t bytes = 0;
    int rc = script == NULL
                 ? -ENOMEM
                 : host_read_file(list->paths[i], YAML_BYTES_MAX, &list->texts[i], &bytes);

    if (rc == -EFBIG)
        error_set(err, "%s: the file is larger than %d MiB", list->paths[i], YAML_BYTES_MAX >> 20);
    else if (rc != 0)
        error_set(err, "%s: %s", list->paths[i], host_read_why(rc));
    if (rc != 0)
        return rc;
    list->bytes += bytes;
    if (list->bytes > (size_t)FILES_MIB_MAX << 20) {
        error_set(err, "%s: with this file the rules are larger than %d MiB together",
                  list->paths[i], FILES_MIB_MAX);
        return -EFBIG;
    }
    *script = (struct script){list->paths[i], list->texts[i], bytes};
    take_script(loading, script);
    return 0;
}

static int load(const char *const *paths, size_t path_count, bool is_past, struct rule_set **out,
                struct error *err)
{
    char *texts[FILES_MAX] = {NULL};
    struct file_list list = {.texts = texts};
    struct loading loading;
    int rc = 0;

    if (loading_start(&loading, err)) {
        loading.diag.is_past = is_past;
        list.arena = loading.kept;
        list.paths = arena_alloc_many(list.arena, FILES_MAX, sizeof(*list.paths));
        if (list.paths == NULL)
            diagnose_memory(&loading.diag);
    }
    for (size_t i = 0; i < path_count && rc == 0 && diagnostics_clean(&loading.diag); i++)
        rc = list_path(&list, paths[i], err);
    for (size_t i = 0; i < list.count && rc == 0 && !loading.diag.out_of_memory; i++)
        rc = load_file(&loading, &list, i, err);
    if (rc == 0) {
        if (list.passed_over != NULL && loading.set->arena != NULL)
            loading.set->passed_over =
                arena_copy(loading.set->arena, list.passed_over, strlen(list.passed_over));
        rc = loading_finish(&loading, out);
    } else {
        rule_set_destroy(loading.set);
        arena_destroy(loading.kept);
    }
    for (size_t i = 0; i < list.count; i++)
        free(texts[i]);
    return rc;
}

int rule_set_load(const char *const *paths, size_t path_count, struct rule_set **out,
                  struct error *err)
{
    return load(paths, path_count, false, out, err);
}

int rule_set_load_past(const char *const *paths, size_t path_count, struct rule_set **out,
                       struct error *err)
{
    return load(paths, path_count, true, out, err);
}
