/* past_check.c - see past_check.h. */
#include "daemon/past_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/slab.h"
#include "base/text.h"
#include "daemon/command.h"
#include "daemon/data_look.h"
#include "daemon/settings_text.h"
#include "ingest/intake_source.h"
#include "store/kept_files.h"

static bool has_read(void *self, struct text topic)
{
    const struct journal_summary *past = self;

    for (size_t i = 0; i < past->part_count; i++)
        if (texts_equal(text_of(past->parts[i].topic), topic))
            return true;
    return false;
}

/* Few settings stay what they were (daemon/settings_text.h); what the others change goes to
 * *changes, and the terms of before to *terms. */
static int check_settings(const struct journal_summary *past, const char *path, const char *blobs,
                          const char *settings, char **changes, struct engine_terms *terms,
                          struct error *err)
{
    const struct settings_reader reader = {(void *)(uintptr_t)past, has_read};
    enum settings_change change;
    struct kept_files before;
    struct error what = {""};
    const char *text;
    struct id128 id;

    if (past->rules_count == 0)
        return EXIT_OK;
    id = past->rules[past->rules_count - 1].settings;
    if (id128_equal(id, hash128(settings, strlen(settings), 0)))
        return EXIT_OK;
    if (kept_files_load(blobs, id, &before, err) != 0)
        return EXIT_DATA;
    text = before.file.count > 0 ? before.file.at[0].at : "";
    change = settings_compare(text, settings, &reader, &what);
    *changes = settings_differences(text, settings);
    if (terms != NULL)
        settings_terms(text, terms);
    kept_files_release(&before);
    if (change != SETTINGS_FIXED)
        return EXIT_OK;
    free(*changes);
    *changes = NULL;
    error_set(
        err,
        "%s: these settings cannot change in a data directory: %.1000s; start with the former "
        "ones, or give these a data directory of their own",
        path, what.text);
    return EXIT_CONFIG;
}

/* Where the partition is read on from in the snapshot; NULL: it is in none, or had left. */
static const struct snapshot_stand *stand_of(const struct snapshot_content *begin, size_t part)
{
    for (uint32_t i = 0; begin->number > 0 && i < begin->facts.stand_count; i++)
        if (begin->facts.stands[i].part == part)
            return &begin->facts.stands[i];
    return NULL;
}

/* What left before the snapshot is in it, and is not read again. */
static bool leaves_behind(const struct journal_summary *past, const struct snapshot_content *begin)
{
    for (size_t i = 0; i < past->part_count; i++) {
        int64_t left_ms = past->parts[i].left_ms;
        if (left_ms != INT64_MIN && (begin->number == 0 || left_ms > begin->facts.at_ms ||
                                     (left_ms == begin->facts.at_ms && stand_of(begin, i) != NULL)))
            return true;
    }
    return false;
}

int past_check(const struct journal_summary *past, const struct snapshot_content *begin,
               const char *path, const char *blobs, const char *settings, char **changes,
               struct engine_terms *terms, struct error *err)
{
    *changes = NULL;
    if (!leaves_behind(past, begin))
        return check_settings(past, path, blobs, settings, changes, terms, err);
    error_set(err,
              "%s: a partition left the input while the journal was written, which a recovery "
              "cannot read again; give this run a data directory of its own",
              path);
    return EXIT_DATA;
}

/* Where the next record that the journal does not know stands at least. */
static uint64_t intake_known(const struct journal_summary *past,
                             const struct snapshot_content *begin)
{
    uint64_t known = 0;

    for (size_t i = 0; i < past->part_count; i++) {
        const struct journal_recalled_part *part = &past->parts[i];
        const struct snapshot_stand *stand = stand_of(begin, i);
        if (part->partition != INTAKE_PARTITION || strcmp(part->topic, INTAKE_TOPIC) != 0)
            continue;
        if (part->read > 0)
            known = (uint64_t)part->read;
        if (stand != NULL && stand->offset > 0 && (uint64_t)stand->offset > known)
            known = (uint64_t)stand->offset;
    }
    return known;
}

int past_check_intake(const struct journal_summary *past, const struct snapshot_content *begin,
                      const char *path, uint64_t next, bool unit, struct error *err)
{
    const uint64_t known = intake_known(past, begin);
    char end[64] = "it holds no record";

    if (next >= known)
        return EXIT_OK;
    if (next > 0)
        snprintf(end, sizeof(end), "it ends with record %" PRIu64, next - 1);
    error_set(err,
              "%.1000s/intake: %s, and the journal knows it up to record %" PRIu64
              ": what was pushed and answered is missing, and what is pushed now would be lost; "
              "%sput back intake/ as it was, or the whole directory from one copy (an older "
              "intake/ alone will not do), or give this run a data directory of its own, which "
              "knows nothing of what is open",
              path, end, known - 1,
              unit ? "start the daemon of the unit first whose directory has it, or " : "");
    return EXIT_DATA;
}

/* What a start would load is there, or is configured, and would be kept anew. */
static int check_kept(const struct data_look_known *known, const char *blobs, struct id128 rules,
                      const char *settings, struct error *err)
{
    const struct id128 now = hash128(settings, strlen(settings), 0);
    const struct journal_summary *past = &known->sum;
    const struct snapshot_facts *facts = &known->recalled.begin.facts;
    const uint32_t sets = known->recalled.begin.number > 0 ? facts->set_count : 0;
    struct id128 *ids = memory_alloc((past->rules_count * 2 + sets + 1) * sizeof(*ids));
    struct kept_counts counts;
    size_t count = 0;
    int rc;

    for (size_t i = 0; i < past->rules_count; i++) {
        if (!id128_equal(past->rules[i].set, rules))
            ids[count++] = past->rules[i].set;
        if (!id128_equal(past->rules[i].settings, now))
            ids[count++] = past->rules[i].settings;
    }
    for (uint32_t i = 0; i < sets; i++)
        if (!id128_equal(facts->sets[i], rules))
            ids[count++] = facts->sets[i];
    rc = kept_files_look(blobs, ids, count, false, &counts, err);
    free(ids);
    return rc == 0 ? EXIT_OK : rc == -ENOENT || rc == -EBADMSG ? EXIT_DATA : EXIT_IO;
}

int past_check_dir(const char *path, bool unit, struct id128 rules,
                   const struct engine_config *engine, char **changes, struct id128 *set,
                   struct engine_terms *terms, struct error *err)
{
    struct data_look_intake intake;
    struct data_look_known known;
    struct data_look look;
    char blobs[DATA_DIR_PATH_BYTES], *settings;
    int code = data_look_open(&look, path, err);

    *changes = NULL;
    *set = (struct id128){0, 0};
    *terms = engine_terms_of(engine);
    if (code == EXIT_NO_INPUT)
        return EXIT_OK;
    if (code == EXIT_OK)
        code = data_look_recall(&look, &known, err);
    if (code != EXIT_OK)
        return code;
    data_dir_folder(&look.dir, "blobs", blobs);
    settings = settings_text(engine);
    code = data_look_intake(&look, &intake, err);
    if (code == EXIT_OK)
        code = past_check_intake(&known.sum, &known.recalled.begin, look.dir.path, intake.next,
                                 unit, err);
    if (code == EXIT_OK)
        code = check_kept(&known, blobs, rules, settings, err);
    if (code == EXIT_OK)
        code = past_check(&known.sum, &known.recalled.begin, look.dir.path, blobs, settings,
                          changes, terms, err);
    free(settings);
    if (known.sum.rules_count > 0)
        *set = known.sum.rules[known.sum.rules_count - 1].set;
    snapshot_recalled_release(&known.recalled);
    return code;
}
