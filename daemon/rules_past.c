/* rules_past.c - see rules_past.h. */
#include "daemon/rules_past.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/incident.h"
#include "daemon/admin_client.h"
#include "daemon/command.h"
#include "daemon/data_look.h"
#include "daemon/rules_kept.h"
#include "daemon/rules_shelf.h"
#include "daemon/silences.h"
#include "daemon/terms_change.h"
#include "daemon/units.h"
#include "store/journal_recall.h"

/* A switch, and how its files are had. */
struct past_switch {
    int64_t from_ms;
    struct id128 set;
    struct engine_terms terms;
};

struct building {
    struct rules_past *out;
    const char *silences; /* in place of those of each set; NULL: they stay */
    struct kept_files last;
    bool has_last;
    int64_t from_ms;
    /* Files of a set. Errors: a negative errno with a sentence. */
    int (*load)(void *self, struct id128 set, struct kept_files *out, struct error *err);
    void *self;
};

/* ---- sets out of files ---- */

static const struct kept_file *file_after(const struct kept_files *files, size_t *at, bool skips)
{
    while (*at < files->file.count && skips && strcmp(files->file.at[*at].name, SILENCES_FILE) == 0)
        (*at)++;
    return *at < files->file.count ? &files->file.at[(*at)++] : NULL;
}

/* True when both are the same but for silences made by hand. */
static bool is_same(const struct building *building, const struct kept_files *a,
                    const struct kept_files *b)
{
    bool skips = building->silences != NULL;
    size_t i = 0, k = 0;

    for (;;) {
        const struct kept_file *one = file_after(a, &i, skips), *other = file_after(b, &k, skips);
        if (one == NULL || other == NULL)
            return one == other;
        if (one->kind != other->kind || one->bytes != other->bytes ||
            strcmp(one->name, other->name) != 0 || memcmp(one->at, other->at, one->bytes) != 0)
            return false;
    }
}

/* Of several the first is told. */
static void lack(struct rules_past *past, const char *sentence)
{
    if (past->lacks[0] == '\0')
        snprintf(past->lacks, sizeof(past->lacks), "%s", sentence);
}

static void drop_first(struct rules_past *past)
{
    char line[160], time[UNIT_TEXT_BYTES];

    rule_set_destroy(past->set.at[0]);
    past->set.count--;
    past->from_ms.count--;
    past->terms.count--;
    memmove(past->set.at, past->set.at + 1, past->set.count * sizeof(past->set.at[0]));
    memmove(past->from_ms.at, past->from_ms.at + 1,
            past->from_ms.count * sizeof(past->from_ms.at[0]));
    memmove(past->terms.at, past->terms.at + 1, past->terms.count * sizeof(past->terms.at[0]));
    snprintf(line, sizeof(line),
             "the daemon switched its rules more than %d times: what was before %s was decided by "
             "the rules of then, and here by those that followed",
             RULES_PAST_MAX - 1, unit_format_time(past->from_ms.at[0], time));
    past->lacks[0] = '\0';
    lack(past, line);
}

/* Takes the files. */
static int take_files(struct building *building, const struct past_switch *at,
                      struct kept_files *files, struct error *err)
{
    struct rules_past *past = building->out;
    struct rules_read base = {.files = *files}, read;
    struct rule_set *set = NULL;
    int rc = 0;

    if (building->has_last && is_same(building, &building->last, files) &&
        engine_terms_equal(&at->terms, &past->terms.at[past->terms.count - 1])) {
        kept_files_release(files);
        return 0;
    }
    rc = rules_kept_with(&base, building->silences != NULL ? SILENCES_FILE : "",
                         building->silences != NULL ? building->silences : "", RULES_OF_PAST, &set,
                         &read, err);
    rules_read_release(&read);
    if (rc != 0) {
        kept_files_release(files);
        return rc;
    }
    kept_files_release(&building->last);
    building->last = *files;
    building->has_last = true;
    *files = (struct kept_files){{0}};
    vector_add(&past->set) = set;
    vector_add(&past->from_ms) = at->from_ms;
    vector_add(&past->terms) = at->terms;
    if (past->set.count > RULES_PAST_MAX)
        drop_first(past);
    return 0;
}

static void take_switch(struct building *building, const struct past_switch *at)
{
    struct kept_files files = {{0}};
    struct error err = {""};
    char line[sizeof(building->out->lacks)], time[UNIT_TEXT_BYTES];
    int rc = building->load(building->self, at->set, &files, &err);

    if (rc == 0)
        rc = take_files(building, at, &files, &err);
    if (rc == 0)
        return;
    snprintf(line, sizeof(line),
             "the rules that the daemon had from %s on cannot be had, so others decide here what "
             "came then: %.700s",
             at->from_ms == INT64_MIN ? "its start" : unit_format_time(at->from_ms, time),
             err.text);
    lack(building->out, line);
}

/* Switches behind the first one that counts. */
static void take_all(struct building *building, const struct past_switch *list, size_t count)
{
    size_t first = 0;

    while (first + 1 < count && list[first + 1].from_ms <= building->from_ms)
        first++;
    for (size_t i = first; i < count; i++)
        if (i == first || !id128_equal(list[i].set, list[i - 1].set) ||
            !engine_terms_equal(&list[i].terms, &list[i - 1].terms))
            take_switch(building, &list[i]);
    kept_files_release(&building->last);
}

void rules_past_drop_sets(struct rules_past *past)
{
    for (size_t i = 0; i < past->set.count; i++)
        rule_set_destroy(past->set.at[i]);
    past->set.count = 0;
}

void rules_past_release(struct rules_past *past)
{
    rules_past_drop_sets(past);
    for (size_t i = 0; i < past->inputs.count; i++)
        settings_inputs_release(&past->inputs.at[i]);
    free(past->set.at);
    free(past->from_ms.at);
    free(past->terms.at);
    free(past->inputs.at);
    free(past->read_as.at);
    *past = (struct rules_past){.lacks = ""};
}

/* ---- of a data directory ---- */

static int load_kept(void *self, struct id128 set, struct kept_files *out, struct error *err)
{
    return kept_files_load(self, set, out, err);
}

/* Switches as the journal has them, behind those that a snapshot knows of before. */
struct switches {
    VECTOR_OF(struct journal_rules) list;
};

static void add_before(struct switches *to, const struct journal_summary *sum, int64_t end_ms)
{
    for (size_t i = 0; i < sum->rules_count && sum->rules[i].from_ms < end_ms; i++)
        vector_add(&to->list) = sum->rules[i];
}

/* The settings of then: how records were read, and the terms that went with each set. */
static void take_settings(struct building *building, const struct switches *found,
                          const struct engine_config *now, struct past_switch *to)
{
    struct rules_past *past = building->out;
    struct engine_terms terms = engine_terms_of(now);

    for (size_t i = 0; i < found->list.count; i++) {
        const struct journal_rules *rules = &found->list.at[i];
        struct kept_files kept = {{0}};
        struct error err = {""};
        to[i] = (struct past_switch){rules->from_ms, rules->set, terms};
        if (i > 0 && id128_equal(rules->settings, rules[-1].settings))
            continue;
        if (kept_files_load(building->self, rules->settings, &kept, &err) != 0) {
            snprintf(past->lacks_settings, sizeof(past->lacks_settings),
                     "settings that the daemon had cannot be had, so what came under them goes "
                     "here by others: %.700s",
                     err.text);
            continue;
        }
        const char *text = kept.file.count > 0 ? kept.file.at[0].at : "";
        settings_terms(text, &terms);
        to[i].terms = terms;
        settings_inputs(text, now, &vector_add(&past->inputs));
        vector_add(&past->read_as) = past->inputs.at[past->inputs.count - 1].inputs;
        kept_files_release(&kept);
    }
}

/* Where the journal has let go of its beginning. */
static int read_late(struct data_look *look, struct journal_reader *reader, struct switches *out,
                     struct error *err)
{
    struct journal_recall *recall = NULL;
    struct journal_summary sum;
    struct data_look_known known;
    int code = data_look_recall(look, &known, err), rc;

    if (code != EXIT_OK)
        return code == EXIT_IO ? -EIO : -EBADMSG;
    rc = journal_recall_create_late(reader, &known.sum, &recall, err);
    if (rc == 0) {
        journal_recall_summary(recall, &sum);
        add_before(out, &known.sum, sum.rules_count > 0 ? sum.rules[0].from_ms : INT64_MAX);
        add_before(out, &sum, INT64_MAX);
    }
    journal_recall_destroy(recall);
    snapshot_recalled_release(&known.recalled);
    return rc;
}

static int read_switches(struct data_look *look, struct switches *out, struct error *err)
{
    struct journal_recall *recall = NULL;
    struct journal_reader *reader = NULL;
    struct journal_summary sum;
    enum segment_refusal why;
    int rc = journal_reader_create(&look->segments, &reader, &why, err);

    out->list.count = 0;
    if (rc == 0 && journal_reader_begin(reader) > 1) {
        rc = read_late(look, reader, out, err);
    } else if (rc == 0) {
        rc = journal_recall_create(reader, NULL, &recall, err);
        if (rc == 0) {
            journal_recall_summary(recall, &sum);
            add_before(out, &sum, INT64_MAX);
        }
    }
    journal_recall_destroy(recall);
    journal_reader_destroy(reader);
    return rc;
}

/* What the journal says of switches, which is the caller's to free. */
static int find_switches(const char *dir, char blobs[DATA_DIR_PATH_BYTES], struct switches *found,
                         struct error *err)
{
    struct data_look look;
    int code = data_look_open(&look, dir, err), rc;

    if (code != EXIT_OK)
        return code == EXIT_NO_INPUT ? -ENOENT : code == EXIT_IO ? -EIO : -EBADMSG;
    data_dir_folder(&look.dir, "blobs", blobs);
    do
        rc = read_switches(&look, found, err);
    while (rc != 0 && data_look_again(&look));
    return rc;
}

int rules_past_of_directory(const char *dir, int64_t from_ms, const char *silences,
                            const struct engine_config *now, struct rules_past *out,
                            struct error *err)
{
    char blobs[DATA_DIR_PATH_BYTES], line[200], time[UNIT_TEXT_BYTES];
    struct building building = {
        .out = out, .silences = silences, .from_ms = from_ms, .load = load_kept, .self = blobs};
    struct switches found = {.list = {.at = NULL}};
    struct past_switch *list;
    int rc;

    *out = (struct rules_past){.lacks = ""};
    rc = find_switches(dir, blobs, &found, err);
    if (rc == 0 && found.list.count > 0 && found.list.at[0].from_ms > from_ms) {
        snprintf(line, sizeof(line),
                 "the directory does not say any more which rules the daemon had before %s: those "
                 "of then decide here what came before",
                 unit_format_time(found.list.at[0].from_ms, time));
        lack(out, line);
    }
    if (rc == 0) {
        list = memory_alloc((found.list.count + 1) * sizeof(*list));
        take_settings(&building, &found, now, list);
        take_all(&building, list, found.list.count);
        free(list);
    }
    free(found.list.at);
    return rc;
}

int rules_past_settings(const char *dir, const struct engine_config *now, struct rules_past *out,
                        struct error *err)
{
    char blobs[DATA_DIR_PATH_BYTES];
    struct building building = {.out = out, .self = blobs};
    struct switches found = {.list = {.at = NULL}};
    struct past_switch *list;
    int rc;

    *out = (struct rules_past){.lacks = ""};
    rc = find_switches(dir, blobs, &found, err);
    if (rc == 0) {
        list = memory_alloc((found.list.count + 1) * sizeof(*list));
        take_settings(&building, &found, now, list);
        for (size_t i = 0; i < found.list.count; i++)
            if (i == 0 || !engine_terms_equal(&list[i].terms, &list[i - 1].terms)) {
                vector_add(&out->from_ms) = list[i].from_ms;
                vector_add(&out->terms) = list[i].terms;
            }
        free(list);
    }
    free(found.list.at);
    return rc;
}

/* ---- of a running daemon ---- */

/* The answer as JSON, ours; NULL with a sentence. */
static json_t *ask(const char *address, const char *path, struct error *err)
{
    char *body = NULL;
    json_t *root;
    int status;

    if (admin_client_ask(address, NULL, false, path, &status, &body, err) != 0)
        return NULL;
    root = status == 200 ? json_loads(body, 0, NULL) : NULL;
    if (root == NULL)
        error_set(err, "the daemon at %s answers %d to %s%s%.300s", address, status, path,
                  status != 200 ? ": " : "", status != 200 ? body : "");
    free(body);
    return root;
}

static int load_shown(void *self, struct id128 set, struct kept_files *out, struct error *err)
{
    char hex[ID128_TEXT_BYTES], path[64 + ID128_TEXT_BYTES];
    json_t *root;
    int rc;

    id128_format(set, hex);
    snprintf(path, sizeof(path), "/rules/past?set=%s", hex);
    root = ask(self, path, err);
    if (root == NULL)
        return -ENOENT;
    rc = rules_shelf_read_files(root, out, err);
    json_decref(root);
    return rc;
}

int rules_past_of_daemon(const char *address, int64_t from_ms, struct id128 known,
                         const struct engine_config *now, struct rules_past *out, struct error *err)
{
    struct building building = {
        .out = out, .from_ms = from_ms, .load = load_shown, .self = (void *)address};
    json_t *root = ask(address, "/rules/past", err); /* ours */
    const json_t *sets = json_object_get(root, "sets"), *one;
    struct past_switch *list;
    size_t i, count = 0;
    char line[300], time[UNIT_TEXT_BYTES];

    *out = (struct rules_past){.lacks = ""};
    if (root == NULL)
        return -ENOENT;
    list = memory_alloc((json_array_size(sets) + 1) * sizeof(*list));
    json_array_foreach (sets, i, one) {
        const json_t *from = json_object_get(one, "from");
        const char *hex = json_string_value(json_object_get(one, "set"));
        if (hex == NULL || !id128_parse(hex, &list[count].set))
            continue;
        if (!terms_read(json_object_get(one, "engine"), &list[count].terms))
            list[count].terms = engine_terms_of(now); /* an older daemon does not say */
        list[count++].from_ms = json_is_integer(from) ? json_integer_value(from) : INT64_MIN;
    }
    if (count > 0 && list[0].from_ms > from_ms) {
        snprintf(line, sizeof(line),
                 "the daemon does not hold the rules any more that it had before %s (without "
                 "data.dir it keeps what it switched for %s, %d sets and %d MiB at most): those of "
                 "then decide here what came before",
                 unit_format_time(list[0].from_ms, time), RULES_SHELF_TIME, RULES_SHELF_SETS_MAX,
                 (int)(RULES_SHELF_BYTES_MAX >> 20));
        lack(out, line);
    }
    if (count != 1 || !id128_equal(list[0].set, known))
        take_all(&building, list, count);
    else
        vector_add(&out->terms) = list[0].terms;
    free(list);
    json_decref(root);
    return 0;
}
