/* past_rules.c - see past_rules.h. */
#include "daemon/past_rules.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "daemon/command.h"
#include "daemon/data_look.h"
#include "daemon/packs.h"
#include "daemon/silences.h"
#include "store/data_dir.h"

/* What the set had for silences made by hand, the file as it was kept; "": none. Whoever makes one
 * makes a set, so these are those of the intake log. *files is to be released. */
static int silences_of(const char *blobs, struct id128 set, struct kept_files *files,
                       const char **text, struct error *err)
{
    int rc = kept_files_load(blobs, set, files, err);

    *text = "";
    for (size_t i = 0; rc == 0 && i < files->file.count; i++)
        if (strcmp(files->file.at[i].name, SILENCES_FILE) == 0 && files->file.at[i].bytes > 0)
            *text = files->file.at[i].at;
    return rc;
}

static int compare(const char *blobs, struct id128 before, const struct rule_set *rules,
                   struct rules_preview *out, struct error *err)
{
    struct rules_running then = {.rules = NULL}, next = {.rules = NULL};
    struct rule_set *former = NULL;
    int rc = 0;

    if (!id128_equal(rule_set_hash(rules), before))
        rc = rules_kept_load(blobs, before, &former, err);
    if (rc == 0 && former != NULL) {
        rc = rules_running_of_set(former, &then, err);
        if (rc == 0)
            rc = rules_running_of_set(rules, &next, err);
        if (rc == 0)
            rc = rules_preview_make(&then, &next, rules, out, err);
    }
    rules_running_release(&then);
    rules_running_release(&next);
    rule_set_destroy(former);
    return rc;
}

int past_rules_preview(const char *path, struct id128 before, const struct rule_set *rules,
                       const struct rules_read *read, struct rules_preview *out, bool *is_refused,
                       struct error *err)
{
    struct rules_read with = {.files = {{0}}};
    struct kept_files files = {{0}};
    struct rule_set *set = NULL; /* these rules with the silences */
    char blobs[DATA_DIR_PATH_BYTES];
    const char *silences;
    int rc;

    *out = (struct rules_preview){.rows = NULL, .restart = ""};
    *is_refused = false;
    snprintf(blobs, sizeof(blobs), "%.1000s/blobs", path);
    rc = silences_of(blobs, before, &files, &silences, err);
    if (rc == 0 && silences[0] != '\0') {
        rc = rules_kept_with(read, SILENCES_FILE, silences, RULES_OF_PAST, &set, &with, err);
        *is_refused = rc == -EINVAL;
    }
    if (rc == 0)
        rc = compare(blobs, before, set != NULL ? set : rules, out, err);
    rule_set_destroy(set);
    rules_read_release(&with);
    kept_files_release(&files);
    return rc;
}

/* ---- a start ---- */

/* The set that was in force last; false: none is known. */
static bool last_set(const char *path, struct id128 *set)
{
    struct data_look_known known;
    struct data_look look;
    struct error ignored = {""};
    bool is_known;

    if (data_look_open(&look, path, &ignored) != EXIT_OK ||
        data_look_recall(&look, &known, &ignored) != EXIT_OK)
        return false;
    is_known = known.sum.rules_count > 0;
    if (is_known)
        *set = known.sum.rules[known.sum.rules_count - 1].set;
    snapshot_recalled_release(&known.recalled);
    return is_known;
}

static bool were_in_force(const char *path, const struct rule_set *rules,
                          const struct rules_read *read)
{
    struct rules_read with = {.files = {{0}}};
    struct kept_files files = {{0}};
    struct rule_set *set = NULL; /* these rules with the silences */
    struct error ignored = {""};
    char blobs[DATA_DIR_PATH_BYTES];
    const char *silences;
    struct id128 last;
    bool is_same = false;

    if (!last_set(path, &last))
        return false;
    snprintf(blobs, sizeof(blobs), "%.1000s/blobs", path);
    if (silences_of(blobs, last, &files, &silences, &ignored) == 0)
        is_same = silences[0] == '\0'
                      ? id128_equal(rule_set_hash(rules), last)
                      : rules_kept_with(read, SILENCES_FILE, silences, RULES_OF_PAST, &set, &with,
                                        &ignored) == 0 &&
                            id128_equal(rule_set_hash(set), last);
    rule_set_destroy(set);
    rules_read_release(&with);
    kept_files_release(&files);
    return is_same;
}

int past_rules_load(const struct config *config, const struct option_list *named,
                    struct rules_read *read, struct rule_set **out, struct error *refused,
                    struct error *err)
{
    struct error ignored = {""};
    int rc, past;

    refused->text[0] = '\0';
    rules_read_begin(read);
    rc = packs_load_configured(config, named, out, err);
    rules_read_end(read);
    if (rc != -EINVAL || config->data.dir[0] == '\0')
        return rc;
    rules_read_release(read);
    rules_read_begin(read);
    past = packs_load_past(config, named, out, &ignored);
    rules_read_end(read);
    if (past == 0 && were_in_force(config->data.dir, *out, read)) {
        *refused = *err;
        return 0;
    }
    if (past == 0)
        rule_set_destroy(*out);
    *out = NULL;
    return rc;
}
