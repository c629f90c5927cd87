/* rules_shelf.c - see rules_shelf.h. */
#include "daemon/rules_shelf.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/incident.h"
#include "base/vector.h"
#include "daemon/terms_change.h"

enum shelf_state { ASKED, IN_FORCE, REPLACED };

struct shelved {
    struct id128 set;
    struct engine_terms terms;
    enum shelf_state state;
    int64_t from_ms;         /* INT64_MIN: from the start */
    uint64_t retired_ns;     /* REPLACED: since when */
    struct kept_files files; /* none: it was asked for last */
    uint64_t bytes;
};

struct rules_shelf {
    pthread_mutex_t lock;
    VECTOR_OF(struct shelved) item; /* in the order of being asked for */
};

static void release(struct shelved *item)
{
    kept_files_release(&item->files);
}

static void take_out(struct rules_shelf *shelf, size_t at, size_t count)
{
    for (size_t i = at; i < at + count; i++)
        release(&shelf->item.at[i]);
    shelf->item.count -= count;
    memmove(shelf->item.at + at, shelf->item.at + at + count,
            (shelf->item.count - at) * sizeof(shelf->item.at[0]));
}

/* What nobody may want any more, or is too much. */
static void tidy(struct rules_shelf *shelf, uint64_t now_ns)
{
    uint64_t bytes = 0;
    size_t replaced = 0, gone = 0;

    for (size_t i = 0; i < shelf->item.count; i++) {
        const struct shelved *item = &shelf->item.at[i];
        replaced += item->state == REPLACED;
        bytes += item->state == REPLACED ? item->bytes : 0;
    }
    while (gone < shelf->item.count && shelf->item.at[gone].state == REPLACED &&
           (replaced > RULES_SHELF_SETS_MAX || bytes > RULES_SHELF_BYTES_MAX ||
            now_ns - shelf->item.at[gone].retired_ns > RULES_SHELF_NS)) {
        replaced--;
        bytes -= shelf->item.at[gone++].bytes;
    }
    take_out(shelf, 0, gone);
}

struct rules_shelf *rules_shelf_create(struct id128 first, const struct engine_terms *terms)
{
    struct rules_shelf *shelf = calloc(1, sizeof(*shelf));

    if (shelf == NULL)
        return NULL;
    pthread_mutex_init(&shelf->lock, NULL);
    vector_add(&shelf->item) =
        (struct shelved){.set = first, .terms = *terms, .state = IN_FORCE, .from_ms = INT64_MIN};
    return shelf;
}

void rules_shelf_destroy(struct rules_shelf *shelf)
{
    if (shelf == NULL)
        return;
    take_out(shelf, 0, shelf->item.count);
    free(shelf->item.at);
    pthread_mutex_destroy(&shelf->lock);
    free(shelf);
}

void rules_shelf_ask(struct rules_shelf *shelf, struct id128 next, const struct engine_terms *terms,
                     struct kept_files *before)
{
    pthread_mutex_lock(&shelf->lock);
    struct shelved *last = &shelf->item.at[shelf->item.count - 1];
    last->files = *before;
    *before = (struct kept_files){{0}};
    for (size_t i = 0; i < last->files.file.count; i++)
        last->bytes += last->files.file.at[i].bytes;
    vector_add(&shelf->item) = (struct shelved){.set = next, .terms = *terms, .state = ASKED};
    pthread_mutex_unlock(&shelf->lock);
}

void rules_shelf_switched(struct rules_shelf *shelf, struct id128 set, int64_t at_ms,
                          uint64_t now_ns)
{
    size_t force, next;

    pthread_mutex_lock(&shelf->lock);
    for (force = 0; shelf->item.at[force].state != IN_FORCE;)
        force++;
    next = force + 1;
    while (next < shelf->item.count && !id128_equal(shelf->item.at[next].set, set))
        next++;
    if (next < shelf->item.count) {
        shelf->item.at[force].state = REPLACED;
        shelf->item.at[force].retired_ns = now_ns;
        shelf->item.at[next].state = IN_FORCE;
        shelf->item.at[next].from_ms = at_ms;
        take_out(shelf, force + 1, next - force - 1); /* asked for, and replaced before its time */
        tidy(shelf, now_ns);
    }
    pthread_mutex_unlock(&shelf->lock);
}

/* ---- as JSON, and back ---- */

json_t *rules_shelf_list(struct rules_shelf *shelf, uint64_t now_ns)
{
    json_t *root = json_object(), *list = json_array();
    char hex[ID128_TEXT_BYTES];

    pthread_mutex_lock(&shelf->lock);
    tidy(shelf, now_ns);
    for (size_t i = 0; i < shelf->item.count; i++) {
        const struct shelved *item = &shelf->item.at[i];
        if (item->state == ASKED)
            continue;
        id128_format(item->set, hex);
        json_array_append_new(
            list, json_pack("{s:s,s:o,s:o}", "set", hex, "from",
                            item->from_ms == INT64_MIN ? json_null() : json_integer(item->from_ms),
                            "engine", terms_json(&item->terms)));
    }
    pthread_mutex_unlock(&shelf->lock);
    json_object_set_new(root, "sets", list);
    return root;
}

/* A zone is no text. */
static json_t *hex_of(const char *at, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * bytes + 1);
    json_t *json;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < bytes; i++) {
        text[2 * i] = digits[(unsigned char)at[i] >> 4];
        text[2 * i + 1] = digits[(unsigned char)at[i] & 15];
    }
    text[2 * bytes] = '\0';
    json = json_string(text);
    free(text);
    return json;
}

static json_t *file_json(const struct kept_file *file)
{
    const char kind[] = {file->kind, '\0'};
    json_t *text = memchr(file->at, '\0', file->bytes) == NULL
                       ? json_stringn(file->at, file->bytes) /* NULL: not of UTF-8 */
                       : NULL;
    bool is_text = text != NULL;

    return json_pack("{s:s,s:s,s:o}", "kind", kind, "name", file->name, is_text ? "text" : "hex",
                     is_text ? text : hex_of(file->at, file->bytes));
}

json_t *rules_shelf_files(struct rules_shelf *shelf, struct id128 set,
                          const struct kept_files *newest, struct error *err)
{
    const struct kept_files *files = NULL;
    json_t *list = json_array();

    pthread_mutex_lock(&shelf->lock);
    for (size_t i = 0; i < shelf->item.count; i++)
        if (id128_equal(shelf->item.at[i].set, set))
            files = i + 1 == shelf->item.count ? newest : &shelf->item.at[i].files;
    for (size_t i = 0; files != NULL && i < files->file.count; i++)
        json_array_append_new(list, file_json(&files->file.at[i]));
    pthread_mutex_unlock(&shelf->lock);
    if (files != NULL)
        return json_pack("{s:o}", "files", list);
    json_decref(list);
    error_set(err, "the daemon does not hold the files of this set any more");
    return NULL;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false when these are no pairs of digits. */
static bool unhex(char *text, size_t *bytes)
{
    size_t count = 0;

    for (size_t i = 0; text[i] != '\0'; i += 2) {
        int high = digit(text[i]), low = text[i + 1] != '\0' ? digit(text[i + 1]) : -1;
        if (high < 0 || low < 0)
            return false;
        text[count++] = (char)(high * 16 + low);
    }
    *bytes = count;
    return true;
}

static bool read_file(const json_t *one, struct kept_files *out)
{
    const char *kind = json_string_value(json_object_get(one, "kind"));
    const char *name = json_string_value(json_object_get(one, "name"));
    const json_t *text = json_object_get(one, "text");
    const char *hex = json_string_value(json_object_get(one, "hex"));
    bool is_good = kind != NULL && kind[0] != '\0' && name != NULL;
    char *copy;
    size_t bytes;

    if (is_good && json_is_string(text)) {
        kept_files_add(out, kind[0], name, json_string_value(text), json_string_length(text));
        return true;
    }
    if (!is_good || hex == NULL || (copy = strdup(hex)) == NULL)
        return false;
    is_good = unhex(copy, &bytes);
    if (is_good)
        kept_files_add(out, kind[0], name, copy, bytes);
    free(copy);
    return is_good;
}

int rules_shelf_read_files(const json_t *answer, struct kept_files *out, struct error *err)
{
    const json_t *list = json_object_get(answer, "files"), *one;
    bool is_good = json_is_array(list);
    size_t i;

    *out = (struct kept_files){{0}};
    json_array_foreach (list, i, one)
        is_good = is_good && read_file(one, out);
    if (is_good)
        return 0;
    kept_files_release(out);
    error_set(err, "the daemon's answer is not the files of a rule set");
    return -EBADMSG;
}
