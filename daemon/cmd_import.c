/*
 * cmd_import.c - `tocsin import`: rules of Sigma and of Alertmanager as a rule file, and a list of
 * what could not be carried over.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/plural.h"
#include "base/same_file.h"
#include "daemon/commands.h"
#include "daemon/import.h"
#include "daemon/line_writer.h"
#include "daemon/options.h"
#include "daemon/progress.h"
#include "rules/rule_set.h"
#include "rules/yaml_reader.h"

struct import_command {
    struct option_list files;
    int64_t from;
    const char *map, *output;
    bool is_json, progress;
};

static const struct option_row rows[] = {
    {"--from", OPTION_CHOICE, offsetof(struct import_command, from), "FORM", "auto",
     "Form of the files; auto tells it by their keys.", 0, 0, "auto sigma alertmanager"},
    {"--map", OPTION_TEXT, offsetof(struct import_command, map), "FILE", NULL,
     "Where the fields of the rules lie in events (docs/importing.md).", 0, 0, NULL},
    {"--output", OPTION_TEXT, offsetof(struct import_command, output), "FILE", "-",
     "Where the rule file goes; - is standard output. None of the files that are read.", 0, 0,
     NULL},
    {"--json", OPTION_FLAG, offsetof(struct import_command, is_json), NULL, NULL,
     "Prints what was and what was not carried over as one JSON object on standard output, with "
     "the rule file in it unless --output names a file.",
     0, 0, NULL},
    {"--progress", OPTION_FLAG, offsetof(struct import_command, progress), NULL, NULL,
     "Says on standard error how far it has come, also where that is no terminal.", 0, 0, NULL},
};

static const struct option_table table = {
    .command = "import",
    .usage = "[--from FORM] [--map FILE] [--output FILE] FILE...",
    .about = "Converts Sigma rules (detections and correlations) and configurations of Prometheus "
             "Alertmanager (routes, inhibitions, time intervals) into a tocsin rule file. What "
             "cannot be carried over is listed on standard error and at the head of the result, "
             "and nothing else is lost; the exit code is then 1. All files are one set: a Sigma "
             "correlation may refer to rules of another file.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_min = 1,
    .arguments_max = IMPORT_FILES_MAX,
    .arguments_offset = offsetof(struct import_command, files),
    .exits = "0 1 64 65 66 71 74",
};

static bool accept_rules(void *self, const char *text, size_t bytes,
                         const struct diagnostics_listener *whole, struct error *err)
{
    (void)self;
    return rule_set_check("converted", text, bytes, whole, err) == 0;
}

/* What the result would take the place of before anybody has seen what is not in it. */
static bool is_input(const struct import_command *command, const char *path)
{
    bool is_one = command->map != NULL && same_file(command->map, path);

    for (size_t i = 0; i < command->files.count; i++)
        is_one |= same_file(command->files.item[i], path);
    return is_one;
}

/* A file into memory that the caller frees. */
static bool read_file(const char *path, struct import_file *file, struct error *err)
{
    char *text = NULL;
    int rc = host_read_file(path, YAML_BYTES_MAX, &text, &file->bytes);

    file->name = strcmp(path, "-") == 0 ? "(standard input)" : path;
    file->text = text;
    if (rc == -EFBIG)
        error_set(err, "%s: the file is larger than %d MiB", path, YAML_BYTES_MAX >> 20);
    else if (rc != 0)
        error_set(err, "%s: %s", path, host_read_why(rc));
    return rc == 0;
}

/* ---- what is printed ---- */

static void print_findings(const struct import_result *result, const struct import_input *input)
{
    struct import_text line = {NULL, 0, 0};

    for (size_t i = 0; i < result->finding_count; i++) {
        import_finding_print(result, input, i, &line);
        fprintf(stderr, "%s\n", line.at);
        import_text_release(&line);
    }
    fprintf(stderr, "%zu carried over, %zu thing%s not or not quite\n", result->entry_count,
            result->finding_count, plural(result->finding_count));
}

static json_t *finding_json(const struct import_finding *finding, const struct import_input *input)
{
    return json_pack("{s:s, s:i, s:i, s:s, s:s, s:s}", "file", input->files[finding->file].name,
                     "line", (int)finding->place.line, "column", (int)finding->place.column,
                     "effect", import_effect_name(finding->effect), "construct", finding->construct,
                     "why", finding->why);
}

static int print_json(const struct import_result *result, const struct import_input *input,
                      bool with_text)
{
    static const char *const sections[IMPORT_SECTIONS] = {"rules", "maintenance", "inhibit",
                                                          "enrich"};
    json_t *root = json_object(), *findings = json_array(), *ids[IMPORT_SECTIONS];
    char *text;

    for (int i = 0; i < IMPORT_SECTIONS; i++)
        ids[i] = json_array();
    for (size_t i = 0; i < result->entry_count; i++)
        json_array_append_new(ids[result->entries[i].section], json_string(result->entries[i].id));
    for (size_t i = 0; i < result->finding_count; i++)
        json_array_append_new(findings, finding_json(&result->findings[i], input));
    json_object_set_new(root, "from", json_string(import_format_name(result->format)));
    for (int i = 0; i < IMPORT_SECTIONS; i++)
        json_object_set_new(root, sections[i], ids[i]);      /* stolen */
    json_object_set_new(root, "not_carried_over", findings); /* stolen */
    if (with_text)
        json_object_set_new(root, "text", json_stringn(result->text, result->bytes));
    text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL) {
        fprintf(stderr, "tocsin import: out of memory\n");
        return EXIT_SYSTEM;
    }
    puts(text);
    free(text);
    return EXIT_OK;
}

static int write_text(const struct import_command *command, const struct import_result *result)
{
    struct error err = {""};
    struct line_writer *writer = line_writer_open(command->output, LINE_WRITER_TRUNCATE, &err);
    int rc;

    if (writer == NULL) {
        fprintf(stderr, "tocsin import: %s\n", err.text);
        return EXIT_IO;
    }
    /* The writer adds the last line end. */
    line_writer_add(writer, result->text, result->bytes - 1);
    rc = line_writer_close(writer);
    if (rc != 0)
        fprintf(stderr, "tocsin import: %s cannot be written: %s\n", command->output,
                strerror(-rc));
    return rc != 0 ? EXIT_IO : EXIT_OK;
}

static int tell(const struct import_command *command, const struct import_input *input,
                const struct import_result *result)
{
    bool is_file = strcmp(command->output, "-") != 0;
    int code = EXIT_OK;

    if (is_file || !command->is_json)
        code = write_text(command, result);
    if (code == EXIT_OK && command->is_json)
        code = print_json(result, input, !is_file);
    print_findings(result, input);
    if (code != EXIT_OK)
        return code;
    return result->finding_count > 0 ? EXIT_CHANGED : EXIT_OK;
}

/* ---- the command ---- */

static struct import_map *read_map(const char *path, int *code, struct error *err)
{
    struct import_file file = {NULL, NULL, 0};
    struct import_map *map = NULL;

    if (path == NULL)
        return import_map_create();
    *code = EXIT_NO_INPUT;
    if (read_file(path, &file, err)) {
        *code = EXIT_DATA;
        map = import_map_parse(file.name, file.text, file.bytes, err);
    }
    free((void *)(uintptr_t)file.text);
    return map;
}

static void show_progress(void *self, size_t done, size_t total)
{
    struct progress *progress = self;

    progress_show(progress, done, total);
}

static int run(const struct import_command *command, struct import_file *files)
{
    struct import_input input = {.files = files,
                                 .file_count = command->files.count,
                                 .format = (enum import_format)command->from,
                                 .accept = accept_rules,
                                 .progress = show_progress};
    struct progress progress;
    struct import_result result;
    struct import_map *map;
    struct error err = {""};
    int code = EXIT_NO_INPUT;

    if (strcmp(command->output, "-") != 0 && is_input(command, command->output)) {
        fprintf(stderr,
                "tocsin import: --output %s is one of the files that are read, and is not "
                "overwritten: name another\n",
                command->output);
        return EXIT_USAGE;
    }
    map = read_map(command->map, &code, &err);
    if (map == NULL)
        goto out;
    code = EXIT_NO_INPUT;
    for (size_t i = 0; i < command->files.count; i++)
        if (!read_file(command->files.item[i], &files[i], &err))
            goto out;
    input.map = map;
    progress_begin(&progress, "rules", command->progress, false);
    input.self = &progress;
    code = import_convert(&input, &result, &err) == 0 ? EXIT_OK : EXIT_DATA;
    progress_end(&progress);
    if (code != EXIT_OK)
        goto out;
    code = tell(command, &input, &result);
    import_result_release(&result);
out:
    if (err.text[0] != '\0')
        fprintf(stderr, "tocsin import: %s\n", err.text);
    import_map_destroy(map);
    return code;
}

int cmd_import(int argc, char **argv)
{
    struct import_command command = {.map = NULL};
    struct import_file files[IMPORT_FILES_MAX] = {{NULL, NULL, 0}};
    int code = EXIT_OK;

    if (!options_read(&table, argc, argv, &command, &code))
        return code;
    code = run(&command, files);
    for (size_t i = 0; i < IMPORT_FILES_MAX; i++)
        free((void *)(uintptr_t)files[i].text);
    return code;
}
