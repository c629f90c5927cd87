/*
 * mirror_open.c - open incidents on their way into the store, for everyone to read: see mirror.h.
 *
 * Each frame of the journal takes along what it changes of them. A store that begins later than the
 * journal of the unit did is told first of those that were open by the newest image:
 *
 *   ours    | let go of | 7 8 9 (image: knows up to 9) 10 11
 *   store   begun behind 7, open by 9, 8 9 10 11, image
 *
 * Frames that the image knows come behind that, and each incident ends as its last change has it:
 * what they open and close again comes and goes, and what changed by them is put as it was and then
 * as it is.
 */
#include "store/mirror_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "store/journal_open.h"
#include "store/snapshot_file.h"

enum { PUT_INCIDENTS = 200, PUT_BYTES = 256 << 10 }; /* in one step, of about a millisecond */

/* ---- changes ---- */

void mirror_changes_begin(struct changes *changes)
{
    changes->open.count = changes->at.count = changes->records.bytes.count = 0;
}

void mirror_changes_add(struct mirror *mirror, const struct incident *incident)
{
    struct changes *changes = &mirror->changes;

    vector_add(&changes->at) = changes->records.bytes.count;
    if (!incident_is_over(incident))
        mirror->config.write(mirror->config.self, incident, &changes->records);
    vector_add(&changes->open) = (struct shared_open){.id = incident->id};
}

/* The buffer grows no more: records have their places. */
void mirror_changes_end(struct changes *changes)
{
    for (size_t i = 0; i < changes->open.count; i++) {
        size_t end =
            i + 1 < changes->at.count ? changes->at.at[i + 1] : changes->records.bytes.count;
        changes->open.at[i].record = (struct text){changes->records.bytes.at + changes->at.at[i],
                                                   (uint32_t)(end - changes->at.at[i])};
    }
}

void mirror_changes_release(struct changes *changes)
{
    free(changes->open.at);
    free(changes->at.at);
    free(changes->records.bytes.at);
}

/* ---- of before the journal ---- */

/* A snapshot that is older than what the store begins with knows the rest by our journal, which
 * begins with it. */
static int read_on(struct mirror *mirror, struct journal_recall *recall,
                   const struct journal_place *known, struct error *err)
{
    const struct journal_span span = {.from = *known, .to = mirror->ends.of[SHARED_JOURNAL].number};
    struct journal_reader *reader;
    int rc;

    if (span.to <= known->frame)
        return 0;
    rc = journal_reader_create_span(mirror->config.log[SHARED_JOURNAL], &span, &reader, err);
    if (rc != 0)
        return rc;
    rc = journal_recall_read(recall, reader, NULL, err);
    journal_reader_destroy(reader);
    return rc;
}

static int recall_newest(struct mirror *mirror, struct journal_recall **out, struct error *err)
{
    char folder[SNAPSHOT_PATH_BYTES];
    const struct snapshot_folder from = {folder, mirror->config.log[SHARED_JOURNAL]->directory};
    struct snapshot_content content;
    enum snapshot_refusal why;
    uint64_t number;
    int rc;

    pthread_mutex_lock(&mirror->lock);
    snprintf(folder, sizeof(folder), "%s", mirror->told.path);
    number = mirror->told.number;
    pthread_mutex_unlock(&mirror->lock);
    if (strrchr(folder, '/') != NULL)
        *strrchr(folder, '/') = '\0';
    rc = snapshot_file_read_known(&from, number, &content, &why, err);
    if (rc != 0)
        return rc;
    rc = journal_recall_load(content.known, content.known_bytes, out, err);
    if (rc == 0 && (rc = read_on(mirror, *out, &content.facts.known, err)) != 0)
        journal_recall_destroy(*out);
    snapshot_content_release(&content);
    return rc;
}

void mirror_listing_begin(struct mirror *mirror)
{
    struct error err = {""};

    mirror_listing_end(mirror);
    if (recall_newest(mirror, &mirror->listing.recall, &err) == 0)
        return;
    mirror->listing.recall = NULL;
    mirror->config.changed(mirror->config.self, MIRROR_CHANGE_UNLISTED, err.text);
}

enum shared_verdict mirror_listing_put(struct mirror *mirror, struct error *err)
{
    struct listing *listing = &mirror->listing;
    struct changes *changes = &mirror->changes;
    enum shared_verdict verdict = SHARED_FINE;
    struct journal_summary sum;
    size_t next = listing->next;

    journal_recall_summary(listing->recall, &sum);
    mirror_changes_begin(changes);
    while (next < sum.open_count && changes->open.count < PUT_INCIDENTS &&
           changes->records.bytes.count < PUT_BYTES)
        mirror_changes_add(mirror, sum.open[next++]);
    mirror_changes_end(changes);
    if (changes->open.count > 0)
        verdict = shared_store_put_open(mirror->store, changes->open.at, changes->open.count, err);
    if (verdict != SHARED_FINE)
        return verdict;
    listing->next = next;
    pthread_mutex_lock(&mirror->lock);
    mirror->counters.open += changes->open.count;
    pthread_mutex_unlock(&mirror->lock);
    if (next == sum.open_count)
        mirror_listing_end(mirror);
    return SHARED_FINE;
}

void mirror_listing_end(struct mirror *mirror)
{
    journal_recall_destroy(mirror->listing.recall);
    mirror->listing = (struct listing){.recall = NULL};
}
