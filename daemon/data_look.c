/*
 * data_look.c - see data_look.h.
 */
#include "daemon/data_look.h"

#include "daemon/command.h"

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
    return EXIT_OK;
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
static int on_passed_over(void *self, uint64_t number, bool is_ahead, const char *why,
                          struct error *err)
{
    struct data_look_known *known = self;

    (void)number, (void)is_ahead, (void)err;
    if (known->passed_over.text[0] == '\0')
        error_set(&known->passed_over, "%s", why);
    return 0;
}

int data_look_recall(const struct data_look *look, struct data_look_known *out, struct error *err)
{
    const struct snapshot_folder folder = data_look_snapshots(look);
    const struct snapshot_recall_config config = {.folder = &folder,
                                                  .journal = &look->segments,
                                                  .must_know = true,
                                                  .self = out,
                                                  .passed_over = on_passed_over};
    enum segment_refusal why;

    out->passed_over.text[0] = '\0';
    if (snapshot_recall(&config, &out->recalled, &why, err) != 0)
        return data_look_exit_code(why);
    journal_recall_summary(out->recalled.recall, &out->sum);
    return EXIT_OK;
}
