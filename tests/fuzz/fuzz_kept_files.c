/*
 * Aim: no list of kept files, however made, does more to its readers than a sentence, and what is
 * taken is what the list says. Method: the input is a list as it is; and it is the lines of one
 * with the head and the checksum that a hostile writer would give it, behind a line that is right.
 * Every content holds the input.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/incident.h"
#include "store/crc32c.h"
#include "store/kept_files.h"
#include "tests/memory_host.h"

enum { LIST_FD = 1, CONTENT_FD = 2, LINES_MAX = 256 };

static const struct id128 list_id = {1, 2};

static struct {
    const char *list, *content;
    size_t list_bytes, content_bytes;
} kept;

static int open_kept(void *self, const char *path, int flags, unsigned mode)
{
    (void)self, (void)flags, (void)mode;
    return strstr(path, ".files") != NULL ? LIST_FD : CONTENT_FD;
}

static void point_at(int fd)
{
    memory_host_file = fd == LIST_FD ? kept.list : kept.content;
    memory_host_bytes = fd == LIST_FD ? kept.list_bytes : kept.content_bytes;
}

static int64_t size_kept(void *self, int fd)
{
    point_at(fd);
    return memory_host_size(self, fd);
}

static ssize_t pread_kept(void *self, int fd, void *to, size_t bytes, int64_t at)
{
    point_at(fd);
    return memory_host_pread(self, fd, to, bytes, at);
}

/* The number of files, or -1 where it is refused. */
static int read_list(const char *list, size_t bytes)
{
    struct kept_counts counts;
    struct kept_files files;
    struct error err = {""};
    int found = -1, looked, loaded;

    kept.list = list;
    kept.list_bytes = bytes;
    looked = kept_files_look("blobs", &list_id, 1, false, &counts, &err);
    assert(looked == 0 || strlen(err.text) > 10);
    err.text[0] = '\0';
    loaded = kept_files_load("blobs", list_id, &files, &err);
    assert(loaded == 0 || strlen(err.text) > 10);
    if (loaded == 0) {
        assert(looked == 0);
        found = (int)files.file.count;
        assert(found <= KEPT_FILES_MAX && counts.contents <= (size_t)found);
        for (int i = 0; i < found; i++) {
            assert(files.file.at[i].bytes == kept.content_bytes);
            assert(memcmp(files.file.at[i].at, kept.content, kept.content_bytes) == 0);
            assert(strlen(files.file.at[i].name) <= bytes);
        }
        kept_files_release(&files);
    }
    return found;
}

/* The input as lines of a list that is whole otherwise; the first of them is right. */
static size_t list_make(const char *lines, size_t bytes, char *to)
{
    char hex[ID128_TEXT_BYTES], id[ID128_TEXT_BYTES];
    size_t at;

    id128_format(list_id, id);
    id128_format(hash128(kept.content, kept.content_bytes, 0), hex);
    at = (size_t)sprintf(to, "tocsin kept files 1\nid %s\nf %s %zu 5 a.txt\n", id, hex,
                         kept.content_bytes);
    memcpy(to + at, lines, bytes);
    at += bytes;
    return at + (size_t)sprintf(to + at, "checksum %08" PRIx32 "\n", crc32c(0, to, at));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *input = (const char *)data;
    char *list = malloc(bytes + LINES_MAX);
    struct host fake;

    memory_host_begin();
    fake = *host();
    fake.open = open_kept;
    fake.size = size_kept;
    fake.pread = pread_kept;
    host_set(&fake);
    kept.content = input;
    kept.content_bytes = bytes;
    read_list(input, bytes);
    assert(read_list(list, list_make(input, 0, list)) == 1);
    read_list(list, list_make(input, bytes, list));
    /* Contents that lines of the input can name: they are of nothing. */
    kept.content_bytes = 0;
    read_list(list, list_make(input, bytes, list));
    free(list);
    host_set(NULL);
    return 0;
}
