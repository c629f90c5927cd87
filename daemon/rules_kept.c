/*
 * rules_kept.c - see rules_kept.h.
 *
 * Three kinds of entries: what was read; a path that was to be loaded and is a file; one that is a
 * folder, with the names in it, a zero byte behind each. The latter two are, in their order, what
 * rule_set_load() was given.
 */
#include "daemon/rules_kept.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/incident.h"
#include "base/vector.h"

enum { KIND_READ = 'f', KIND_PATH = 'p', KIND_FOLDER = 'd' };

static const struct kept_file *find(const struct kept_files *files, const char *name, bool is_read)
{
    for (size_t i = 0; i < files->file.count; i++)
        if ((files->file.at[i].kind == KIND_READ) == is_read &&
            strcmp(files->file.at[i].name, name) == 0)
            return &files->file.at[i];
    return NULL;
}

/* ---- noting ---- */

static int note_file(void *self, const char *path, size_t bytes_max, char **out, size_t *bytes)
{
    struct kept_files *files = self;
    int rc = host_read_file(path, bytes_max, out, bytes);

    if (rc == 0 && find(files, path, true) == NULL)
        kept_files_add(files, KIND_READ, path, *out, *bytes);
    return rc;
}

struct noting {
    void (*take)(void *user, const char *name);
    void *user;
    VECTOR_OF(char) names;
};

static void note_name(void *self, const char *name)
{
    struct noting *noting = self;
    size_t bytes = strlen(name) + 1;

    vector_reserve(&noting->names, bytes);
    memcpy(noting->names.at + noting->names.count, name, bytes);
    noting->names.count += bytes;
    noting->take(noting->user, name);
}

static int note_folder(void *self, const char *path, void (*take)(void *user, const char *name),
                       void *user)
{
    struct kept_files *files = self;
    struct noting noting = {.take = take, .user = user};
    int rc = host_list(path, note_name, &noting);

    if (rc == 0)
        kept_files_add(files, KIND_FOLDER, path, noting.names.count > 0 ? noting.names.at : "",
                       noting.names.count);
    else if (rc == -ENOTDIR)
        kept_files_add(files, KIND_PATH, path, "", 0);
    free(noting.names.at);
    return rc;
}

void rules_read_begin(struct rules_read *read)
{
    *read = (struct rules_read){
        .reading = {.self = &read->files, .file = note_file, .folder = note_folder}};
    host_read_through(&read->reading);
}

void rules_read_end(struct rules_read *read)
{
    (void)read;
    host_read_through(NULL);
}

void rules_read_release(struct rules_read *read)
{
    kept_files_release(&read->files);
}

int rules_kept_save(const char *folder, struct id128 set, const struct rules_read *read,
                    struct error *err)
{
    return kept_files_save(folder, set, &read->files, err);
}

/* ---- answering ---- */

static int answer_file(void *self, const char *path, size_t bytes_max, char **out, size_t *bytes)
{
    const struct kept_file *file = find(self, path, true);
    char *copy;

    if (file == NULL)
        return -ENOENT;
    if (file->bytes > bytes_max)
        return -EFBIG;
    copy = malloc(file->bytes + 1);
    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, file->at, file->bytes + 1);
    *out = copy;
    *bytes = file->bytes;
    return 0;
}

static int answer_folder(void *self, const char *path, void (*take)(void *user, const char *name),
                         void *user)
{
    const struct kept_file *file = find(self, path, false);

    if (file == NULL)
        return -ENOENT;
    if (file->kind == KIND_PATH)
        return -ENOTDIR;
    for (size_t at = 0; at < file->bytes; at += strlen(file->at + at) + 1)
        take(user, file->at + at);
    return 0;
}

static int load_kept(struct kept_files *files, enum rules_judging judging, struct rule_set **out,
                     struct error *err)
{
    const struct host_reading reading = {
        .self = files, .file = answer_file, .folder = answer_folder};
    const char **paths = calloc(files->file.count + 1, sizeof(*paths));
    size_t count = 0;
    int rc;

    if (paths == NULL) {
        error_set(err, "out of memory for %zu rule files", files->file.count);
        return -ENOMEM;
    }
    for (size_t i = 0; i < files->file.count; i++)
        if (files->file.at[i].kind != KIND_READ)
            paths[count++] = files->file.at[i].name;
    host_read_through(&reading);
    rc = (judging == RULES_OF_PAST ? rule_set_load_past : rule_set_load)(paths, count, out, err);
    host_read_through(NULL);
    free(paths);
    return rc;
}

int rules_kept_with(const struct rules_read *base, const char *name, const char *text,
                    enum rules_judging judging, struct rule_set **out, struct rules_read *read,
                    struct error *err)
{
    *read = (struct rules_read){.files = {{0}}};
    for (size_t i = 0; i < base->files.file.count; i++) {
        const struct kept_file *file = &base->files.file.at[i];
        if (strcmp(file->name, name) != 0)
            kept_files_add(&read->files, file->kind, file->name, file->at, file->bytes);
    }
    if (text[0] != '\0') {
        kept_files_add(&read->files, KIND_PATH, name, "", 0);
        kept_files_add(&read->files, KIND_READ, name, text, strlen(text));
    }
    return load_kept(&read->files, judging, out, err);
}

int rules_kept_add(struct rule_set **rules, struct rules_read *read, const char *name,
                   const char *text, struct error *err)
{
    struct rules_read more;
    struct rule_set *set = NULL;
    int rc = rules_kept_with(read, name, text, RULES_OF_PAST, &set, &more, err);

    if (rc != 0) {
        rules_read_release(&more);
        return rc;
    }
    rule_set_destroy(*rules);
    rules_read_release(read);
    *rules = set;
    *read = more;
    return 0;
}

int rules_kept_load(const char *folder, struct id128 set, struct rule_set **out, struct error *err)
{
    struct kept_files files;
    struct error why = {""};
    char hex[ID128_TEXT_BYTES];
    int rc = kept_files_load(folder, set, &files, err);

    if (rc != 0)
        return rc;
    id128_format(set, hex);
    rc = load_kept(&files, RULES_OF_PAST, out, &why);
    if (rc == 0 && !id128_equal(rule_set_hash(*out), set)) {
        rule_set_destroy(*out);
        *out = NULL;
        error_set(&why, "this tocsin reads another rule set out of them");
        rc = -EBADMSG;
    }
    if (rc != 0)
        error_set(
            err,
            "%s/%s.files: the rules of then cannot be put in force: %.1500s; start the tocsin "
            "that wrote them, or give this one a data directory of its own",
            folder, hex, why.text);
    kept_files_release(&files);
    return rc;
}
