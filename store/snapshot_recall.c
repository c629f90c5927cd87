/* snapshot_recall.c - see snapshot_recall.h. */
#include "store/snapshot_recall.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* The way out of a journal that is damaged, which a page may name to people who have no manual. */
static void say_way_out(bool may_cut, struct error *err)
{
    const struct error what = *err;

    error_set(err, "%.2500s; put back the files of a copy, with its snapshots, or %s", what.text,
              may_cut ? "run once with --accept-loss, which cuts the journal there and tells anew "
                        "what stood behind it (keep a copy of the directory first)"
                      : "give this run a data directory of its own, which knows nothing of what is "
                        "open");
}

/* Reads the journal behind what is known already. */
static int read_on(const struct snapshot_recall_config *config, struct snapshot_recalled *out,
                   const struct journal_place *known, enum segment_refusal *why, struct error *err)
{
    int rc = journal_reader_create(config->journal, &out->reader, why, err);

    out->lost.text[0] = '\0';
    if (rc != 0 && *why == SEGMENT_REFUSED_DAMAGED)
        say_way_out(false, err);
    if (rc != 0)
        return rc;
    journal_reader_skip(out->reader, known);
    rc =
        journal_recall_read(out->recall, out->reader, config->accept_loss ? &out->lost : NULL, err);
    *why = journal_reader_refusal(out->reader);
    if (rc != 0 && *why == SEGMENT_REFUSED_NOT) { /* records that make no sense together */
        error_prefix(err, "%.3000s: behind frame %" PRIu64 ": ", config->journal->folder,
                     journal_reader_place(out->reader).frame);
        *why = SEGMENT_REFUSED_DAMAGED;
        say_way_out(false, err);
    } else if (rc != 0 && *why == SEGMENT_REFUSED_DAMAGED) {
        say_way_out(!config->accept_loss, err);
    }
    return rc;
}

/* Is all that the snapshot rests on in the journal? */
static bool is_held(const struct snapshot_recalled *out)
{
    const struct snapshot_facts *facts = &out->begin.facts;
    struct journal_summary sum;

    journal_recall_summary(out->recall, &sum);
    return journal_reader_has_skipped(out->reader) &&
           journal_reader_end(out->reader)->next_frame > facts->frame &&
           facts->told >= out->begin_told && facts->told <= sum.changes + sum.ops_made;
}

/* Does it name the rules that were in force then? */
static bool names_rules(const struct snapshot_recalled *out)
{
    const struct snapshot_facts *facts = &out->begin.facts;
    struct journal_summary sum;
    size_t at = 0;

    journal_recall_summary(out->recall, &sum);
    while (at + 1 < sum.rules_count && sum.rules[at + 1].from_ms < facts->at_ms)
        at++;
    return at < sum.rules_count && facts->set_count > 0 &&
           id128_equal(sum.rules[at].set, facts->sets[0]);
}

static void let_go(struct snapshot_recalled *out)
{
    journal_reader_destroy(out->reader);
    journal_recall_destroy(out->recall);
    snapshot_content_release(&out->begin);
    out->reader = NULL;
    out->recall = NULL;
    out->begin = (struct snapshot_content){.number = 0};
}

static void pass_over(const struct snapshot_recall_config *config, struct snapshot_recalled *out,
                      uint64_t number, bool is_ahead, const char *why)
{
    let_go(out);
    if (number == out->newest)
        error_set(&out->newest_why, "%s", why);
    config->passed_over(config->self, number, is_ahead, why);
}

/* The whole file, with what the journal knew. */
static int load(const struct snapshot_recall_config *config, uint64_t number, const char *path,
                struct snapshot_recalled *out, struct error *err)
{
    struct snapshot_content *begin = &out->begin;
    enum snapshot_refusal refusal;
    int rc = snapshot_file_read(config->folder, number, begin, &refusal, err);

    if (rc != 0)
        return rc;
    rc = journal_recall_load(begin->known, begin->known_bytes, &out->recall, err);
    if (rc == 0 && config->look != NULL)
        rc = config->look(config->self, number, begin->image, begin->image_bytes, err);
    if (rc != 0)
        error_prefix(err, "%s: ", path);
    return rc;
}

/* 1: it is gone on from; 0: it is not good; a negative errno. */
static int begin_from(const struct snapshot_recall_config *config, uint64_t number,
                      struct snapshot_recalled *out, enum segment_refusal *why, struct error *err)
{
    char path[SNAPSHOT_PATH_BYTES];
    struct journal_summary sum;
    struct error text = {""};
    int rc;

    snapshot_file_path(config->folder, number, path);
    if (load(config, number, path, out, &text) != 0) {
        pass_over(config, out, number, false, text.text);
        return 0;
    }
    if (config->must_know)
        snapshot_content_release_image(&out->begin);
    journal_recall_summary(out->recall, &sum);
    out->begin_told = sum.changes + sum.ops_made;
    rc = read_on(config, out, &out->begin.facts.known, why, err);
    if (rc != 0)
        return rc;
    if (is_held(out) && names_rules(out))
        return 1;
    error_set(&text, "%.3000s: it is of a moment that the journal does not hold", path);
    pass_over(config, out, number, true, text.text);
    return 0;
}

/* No snapshot is good, and the journal has let go of its beginning. */
static void say_begin_is_gone(const struct snapshot_recall_config *config,
                              const struct snapshot_recalled *out, struct error *err)
{
    const char *folder = config->journal->folder;
    uint64_t begin = journal_reader_begin(out->reader);

    error_set(err,
              "%.1000s: it begins with frame %" PRIu64 ", and what was before is missing; put "
              "back the files of a copy, with its snapshots, or give this run a data directory "
              "of its own",
              folder, begin);
    if (out->count > 0)
        error_prefix(err, "%.1200s (of %d snapshots none is good); ", out->newest_why.text,
                     out->count);
}

/* A journal without a segment beside snapshots is no new directory: what was told is in none that
 * can be gone on from. */
static int judge_empty(const struct snapshot_recall_config *config, struct snapshot_recalled *out,
                       enum segment_refusal *why, struct error *err)
{
    struct error what;

    if (out->count == 0 || journal_reader_end(out->reader)->place_count > 0)
        return 0;
    error_set(&what,
              "%.1000s: no segment is there, and %.1000s holds %d snapshot%s that rest%s on them",
              config->journal->folder, config->folder->path, out->count, out->count == 1 ? "" : "s",
              out->count == 1 ? "s" : "");
    if (config->accept_loss) {
        out->lost = what;
        return 0;
    }
    error_set(err,
              "%s; put back the files of a copy, with its snapshots, or run once with "
              "--accept-loss, which tells all anew from the beginning",
              what.text);
    *why = SEGMENT_REFUSED_DAMAGED;
    return -EBADMSG;
}

int snapshot_recall(const struct snapshot_recall_config *config, struct snapshot_recalled *out,
                    enum segment_refusal *why, struct error *err)
{
    static const struct journal_place beginning = {0, 0};
    uint64_t number[SNAPSHOT_LIST_MAX];
    int rc;

    *out = (struct snapshot_recalled){.newest = 0};
    *why = SEGMENT_REFUSED_WORLD;
    out->count = snapshot_file_list(config->folder, number);
    if (out->count < 0) {
        error_set(err, "%.3000s: it cannot be read: %s", config->folder->path,
                  strerrordesc_np(-out->count));
        return out->count;
    }
    out->newest = out->count > 0 ? number[0] : 0;
    for (int i = 0; i < out->count; i++) {
        rc = begin_from(config, number[i], out, why, err);
        if (rc < 0)
            snapshot_recalled_release(out);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    out->recall = journal_recall_begin();
    if (out->recall == NULL) {
        error_set(err, "out of memory for what the journal knows");
        return -ENOMEM;
    }
    rc = read_on(config, out, &beginning, why, err);
    if (out->reader != NULL && journal_reader_begin(out->reader) > 1) {
        say_begin_is_gone(config, out, err);
        *why = SEGMENT_REFUSED_DAMAGED;
        rc = -EBADMSG;
    }
    if (rc == 0)
        rc = judge_empty(config, out, why, err);
    if (rc != 0)
        snapshot_recalled_release(out);
    return rc;
}

void snapshot_recalled_release(struct snapshot_recalled *recalled)
{
    let_go(recalled);
}
