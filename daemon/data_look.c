/*
 * data_look.c - see data_look.h.
 */
#include "daemon/data_look.h"

#include <errno.h>
#include "base/host.h"
#include "daemon/command.h"

enum { TRIES_MAX = 10 };

static void see_name(void *user, const char *name)
{
    uint64_t *oldest = user, sequence;

    if (segment_name_read(name, &sequence) && (*oldest == 0 || sequence < *oldest))
        *oldest = sequence;
}

/* A folder that cannot be listed says so to who reads it. */
static void see(struct data_look *look)
{
    const struct snapshot_folder folder = data_look_snapshots(look);
    uint64_t number[SNAPSHOT_LIST_MAX];

    look->oldest = 0;
    host()->list(host()->self, look->folder, see_name, &look->oldest);
    look->newest = snapshot_file_list(&folder, number) > 0 ? number[0] : 0;
}

int data_look_open(struct data_look *look, const char *path, struct error *err)
{
    enum data_dir_refusal why;

    if (data_dir_open(&look->dir, path, DATA_DIR_LOOK, &why, err) != 0)
        return why == DATA_DIR_MISSING ? EXIT_NO_INPUT
               : why == DATA_DIR_WORLD ? EXIT_IO
                                       : EXIT_DATA;
    data_dir_folder(&look->dir, "journal", look->folder);
    data_dir_folder(&look->dir, "snapshots", look->snapshots);
    look->segments = (struct segment_config){.folder = look->folder,
                                             .kind = "journal",
                                             .directory = look->dir.id,
                                             .segment_bytes = SEGMENT_BYTES_DEFAULT};
    look->tries = 0;
    see(look);
    return EXIT_OK;
}

bool data_look_again(struct data_look *look)
{
    uint64_t oldest = look->oldest, newest = look->newest;

    see(look);
    return look->tries++ < TRIES_MAX && (look->oldest != oldest || look->newest != newest);
}

static int begin_read(const struct data_look *look, struct data_look_begin *out, struct error *err)
{
    struct journal_reader *reader;
    struct journal_record record;
    enum segment_refusal why;
    int rc = journal_reader_create(&look->segments, &reader, &why, err);

    if (rc != 0)
        return data_look_exit_code(why);
    *out = (struct data_look_begin){.frame = journal_reader_begin(reader), .n_ms = INT64_MIN};
    /* Behind a start there are groups of ops alone, which have no clock. */
    while (out->n_ms == INT64_MIN && (rc = journal_reader_next(reader, &record, NULL, err)) == 1)
        if (record.kind == JOURNAL_GROUP && journal_group_has_step(&record.group))
            out->n_ms = record.group.n_ms;
    why = journal_reader_refusal(reader);
    journal_reader_destroy(reader);
    return rc >= 0 ? EXIT_OK : data_look_exit_code(why);
}

int data_look_begin(struct data_look *look, struct data_look_begin *out, struct error *err)
{
    int code;

    do
        code = begin_read(look, out, err);
    while (code != EXIT_OK && data_look_again(look));
    return code;
}

/* ---- the intake log ---- */

static void count_record(void *self, const struct intake_record *record)
{
    struct data_look_intake *counts = self;

    if (!counts->has_any) {
        counts->first = record->position;
        counts->first_wall_ms = record->wall_ms;
    }
    counts->has_any = true;
    counts->next = record->position + 1;
    counts->of[record->kind]++;
}

int data_look_intake(const struct data_look *look, struct data_look_intake *out, struct error *err)
{
    char folder[DATA_DIR_PATH_BYTES];
    const struct segment_config segments = {.folder = folder,
                                            .kind = "intake",
                                            .directory = look->dir.id,
                                            .segment_bytes = INTAKE_SEGMENT_BYTES};
    uint64_t oldest = 0, before;
    enum segment_refusal why;
    unsigned tries = 0;
    int rc;

    data_dir_folder(&look->dir, "intake", folder);
    host()->list(host()->self, folder, see_name, &oldest);
    do { /* a daemon may let go of its oldest segments meanwhile */
        before = oldest;
        *out = (struct data_look_intake){.next = 0};
        rc = intake_log_read(&segments, count_record, out, &out->end, &why, err);
        oldest = 0;
        host()->list(host()->self, folder, see_name, &oldest);
    } while (rc != 0 && oldest != before && tries++ < TRIES_MAX);
    if (rc == 0)
        return EXIT_OK;
    if (why != SEGMENT_REFUSED_WORLD && why != SEGMENT_REFUSED_NOT)
        intake_log_way_out(err);
    return data_look_exit_code(why);
}

int data_look_exit_code(enum segment_refusal why)
{
    return why == SEGMENT_REFUSED_WORLD ? EXIT_IO : EXIT_DATA;
}

struct snapshot_folder data_look_snapshots(const struct data_look *look)
{
    return (struct snapshot_folder){look->snapshots, look->dir.id};
}

/* The daemon may have removed it meanwhile. */
static void on_passed_over(void *self, uint64_t number, bool is_ahead, const char *why)
{
    struct data_look_known *known = self;

    (void)number, (void)is_ahead;
    if (known->passed_over.text[0] == '\0')
        error_set(&known->passed_over, "%s", why);
}

int data_look_recall(struct data_look *look, struct data_look_known *out, struct error *err)
{
    const struct snapshot_folder folder = data_look_snapshots(look);
    const struct snapshot_recall_config config = {.folder = &folder,
                                                  .journal = &look->segments,
                                                  .must_know = true,
                                                  .self = out,
                                                  .passed_over = on_passed_over};
    enum segment_refusal why;
    int rc;

    do {
        out->passed_over.text[0] = '\0';
        rc = snapshot_recall(&config, &out->recalled, &why, err);
        if (rc == 0 && out->passed_over.text[0] != '\0' && data_look_again(look)) {
            snapshot_recalled_release(&out->recalled);
            rc = -EAGAIN;
        }
    } while (rc == -EAGAIN || (rc != 0 && data_look_again(look)));
    if (rc != 0)
        return data_look_exit_code(why);
    out->begin = journal_reader_begin(out->recalled.reader);
    journal_recall_summary(out->recalled.recall, &out->sum);
    return EXIT_OK;
}
