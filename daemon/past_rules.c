/* past_rules.c - see past_rules.h. */
#include "daemon/past_rules.h"

#include <stdio.h>
#include <string.h>
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
                       const struct rules_read *read, struct rules_preview *out, struct error *err)
{
    struct rules_read with = {.files = {{0}}};
    struct kept_files files = {{0}};
    struct rule_set *set = NULL; /* these rules with the silences */
    char blobs[DATA_DIR_PATH_BYTES];
    const char *silences;
    int rc;

    *out = (struct rules_preview){.rows = NULL, .restart = ""};
    snprintf(blobs, sizeof(blobs), "%.1000s/blobs", path);
    rc = silences_of(blobs, before, &files, &silences, err);
    if (rc == 0 && silences[0] != '\0')
        rc = rules_kept_with(read, SILENCES_FILE, silences, &set, &with, err);
    if (rc == 0)
        rc = compare(blobs, before, set != NULL ? set : rules, out, err);
    rule_set_destroy(set);
    rules_read_release(&with);
    kept_files_release(&files);
    return rc;
}
