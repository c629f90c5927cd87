/*
 * durable_begin.c - the snapshot that a start goes on from (store/snapshot_recall.h), and what the
 * engine gets of it. See durable.h.
 */
#include "daemon/durable_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/command.h"
#include "daemon/log.h"

const struct snapshot_stand *durable_stand(const struct durable *durable, size_t part)
{
    const struct snapshot_facts *facts = &durable->snapshots.begin.facts;

    for (uint32_t i = 0; durable->snapshots.begin.number > 0 && i < facts->stand_count; i++)
        if (facts->stands[i].part == part)
            return &facts->stands[i];
    return NULL;
}

struct journal_span durable_span(const struct durable *durable, uint64_t to)
{
    const struct snapshot_facts *facts = &durable->snapshots.begin.facts;

    if (durable->snapshots.begin.number == 0)
        return (struct journal_span){.to = to};
    return (struct journal_span){
        .from = facts->known, .skip = facts->told - durable->snapshots.begin_told, .to = to};
}

static void on_passed_over(void *self, uint64_t number, bool is_ahead, const char *why)
{
    struct durable *durable = self;

    durable->snapshots.counters.passed_over++;
    log_event(LOG_ERROR, "snapshot_passed_over", log_text("why", why),
              log_text("next", "the one before it, or the beginning, is gone on from"));
    if (is_ahead)
        vector_add(&durable->snapshots.ahead) = number;
}

/* Of those that could not be loaded before, the last one's sentence is known. */
static int look_at_image(void *self, uint64_t number, const void *image, size_t bytes,
                         struct error *err)
{
    const struct durable *durable = self;
    const struct durable_refused *refused = durable->options.refused;

    for (size_t i = 0; refused != NULL && i < refused->count; i++)
        if (number == refused->number[i]) {
            error_set(err, "%s",
                      i + 1 == refused->count ? refused->why.text
                                              : "its image could not be loaded");
            return -EINVAL;
        }
    return engine_look_image(image, bytes, err);
}

int durable_remove_ahead(struct durable *durable, struct error *err)
{
    struct durable_snapshots *snapshots = &durable->snapshots;

    for (size_t i = 0; i < snapshots->ahead.count; i++) {
        uint64_t number = snapshots->ahead.at[i];
        int rc = snapshot_file_remove(&snapshots->folder, number, true);
        if (rc == 0)
            continue;
        error_set(err,
                  "%.1500s: snapshot %" PRIu64 " is of a moment that the journal does not hold; it "
                  "has to go, and cannot be removed: %s",
                  snapshots->folder_path, number, strerrordesc_np(-rc));
        return EXIT_IO;
    }
    return EXIT_OK;
}

int durable_read(struct durable *durable, struct journal_reader **reader, struct error *lost,
                 struct error *err)
{
    struct durable_snapshots *snapshots = &durable->snapshots;
    const struct snapshot_recall_config config = {.folder = &snapshots->folder,
                                                  .journal = &durable->segments,
                                                  .accept_loss = durable->options.accept_loss,
                                                  .self = durable,
                                                  .look = look_at_image,
                                                  .passed_over = on_passed_over};
    struct snapshot_recalled found;
    enum segment_refusal why;

    if (snapshot_recall(&config, &found, &why, err) != 0)
        return durable_exit_of_segment(why);
    snapshots->begin = found.begin;
    snapshots->begin_told = found.begin_told;
    snapshots->last_number = found.newest;
    durable->recall = found.recall;
    *reader = found.reader;
    *lost = found.lost;
    if (found.begin.number > 0)
        snapshot_file_path(&snapshots->folder, found.begin.number, snapshots->path);
    return EXIT_OK;
}

/* ---- the engine goes on from it ---- */

static void refuse(struct durable *durable, uint64_t number, const struct error *why)
{
    struct durable_refused *refused = &durable->refused;

    if (durable->options.refused != NULL)
        *refused = *durable->options.refused;
    if (refused->count == DURABLE_REFUSED_MAX) {
        refused->count = 0; /* and a person has to look */
        return;
    }
    refused->number[refused->count++] = number;
    refused->why = *why;
}

int durable_load_image(struct durable *durable, struct engine *engine, struct rule_set *rules,
                       struct error *err)
{
    struct snapshot_content *begin = &durable->snapshots.begin;
    struct rule_set **sets;
    struct error why = {""};
    int code = EXIT_OK;
    uint32_t count = 0;

    if (begin->number == 0)
        return EXIT_OK;
    sets = memory_alloc((begin->facts.set_count + 1) * sizeof(struct rule_set *));
    for (sets[count++] = rules; code == EXIT_OK && count < begin->facts.set_count;) {
        int rc = rules_kept_load(durable->blobs, begin->facts.sets[count], &sets[count], err);
        code = rc == 0 ? EXIT_OK : rc == -ENOMEM ? EXIT_SYSTEM : EXIT_DATA;
        count += rc == 0;
    }
    if (code != EXIT_OK) {
        while (count > 1)
            rule_set_destroy(sets[--count]);
    } else if (engine_load_image(engine, begin->image, begin->image_bytes, sets, count, &why) !=
               0) {
        error_set(err, "%.1000s: %.800s; without this file a start goes on from the one before",
                  durable->snapshots.path, why.text);
        refuse(durable, begin->number, &why);
        code = EXIT_DATA;
    }
    free(sets);
    snapshot_content_release_image(begin);
    return code;
}

bool durable_refused_image(const struct durable *durable, struct durable_refused *out)
{
    if (durable->refused.count == 0)
        return false;
    *out = durable->refused;
    return true;
}
