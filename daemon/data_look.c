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

int data_look_recall(const struct data_look *look, struct journal_recall **out,
                     struct segment_end *end, uint64_t *unfinished, struct error *err)
{
    struct journal_reader *reader;
    enum segment_refusal why;
    int code = EXIT_OK;

    if (journal_reader_create(&look->segments, &reader, &why, err) != 0)
        return data_look_exit_code(why);
    if (journal_recall_create(reader, NULL, out, err) != 0) {
        code = data_look_exit_code(journal_reader_refusal(reader));
    } else {
        if (end != NULL) {
            *end = *journal_reader_end(reader);
            end->places = NULL;
        }
        *unfinished = journal_reader_unfinished(reader);
    }
    journal_reader_destroy(reader);
    return code;
}
