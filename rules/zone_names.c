/* zone_names.c - see zone_names.h. */
#include "rules/zone_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/text.h"
#include "base/nearest.h"
#include "rules/zone.h"

enum {
    NAMES_MAX = 2000,
    DEPTH_MAX = 3, /* America/Argentina/Salta */
    PATH_BYTES = sizeof(ZONE_FOLDER) + 1 + ZONE_NAME_BYTES_MAX + 1,
};

struct zone_names {
    char name[NAMES_MAX][ZONE_NAME_BYTES_MAX + 1];
    size_t count;
    char folder[ZONE_NAME_BYTES_MAX + 1]; /* that is listed: "America/", or "" */
};

/* Zones and their folders begin with a capital letter, unlike the other files there. */
static void take_name(void *user, const char *name)
{
    struct zone_names *names = user;
    int bytes;

    if (name[0] < 'A' || name[0] > 'Z' || names->count == NAMES_MAX)
        return;
    bytes =
        snprintf(names->name[names->count], sizeof(names->name[0]), "%s%s", names->folder, name);
    names->count += bytes > 0 && (size_t)bytes < sizeof(names->name[0]);
}

static int list(struct zone_names *names, const char *of)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%s/%s", ZONE_FOLDER, of);
    return host()->list(host()->self, path, take_name, names);
}

/* What is in a folder of the list is added to its end; the folder's own name is no zone. */
static void gather(struct zone_names *names)
{
    size_t from = 0, end;

    list(names, "");
    for (int depth = 1; depth < DEPTH_MAX; depth++, from = end) {
        end = names->count;
        for (size_t i = from; i < end; i++) {
            snprintf(names->folder, sizeof(names->folder), "%.*s/", ZONE_NAME_BYTES_MAX - 1,
                     names->name[i]);
            if (list(names, names->name[i]) == 0)
                names->name[i][0] = '\0';
        }
    }
}

/* Short ones first: UTC before Etc/UTC. A folder lists its names in any order. */
static int compare(const void *a, const void *b)
{
    int by_folder = (strchr(a, '/') != NULL) - (strchr(b, '/') != NULL);

    return by_folder != 0 ? by_folder : strcmp(a, b);
}

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash != NULL ? slash + 1 : name;
}

/* By the whole name, or by the city alone. */
static const char *nearest(const struct zone_names *names, struct text name, bool is_whole)
{
    const char *candidate[NAMES_MAX];
    const char *found;
    size_t first = 0;

    while (first < names->count && names->name[first][0] == '\0')
        first++;
    for (size_t i = first; i < names->count; i++)
        candidate[i] = is_whole ? names->name[i] : last_part(names->name[i]);
    found = nearest_name(name, candidate + first, names->count - first);
    for (size_t i = first; found != NULL && i < names->count; i++)
        if (candidate[i] == found)
            return names->name[i];
    return NULL;
}

void zone_hint(struct text name, struct error *err)
{
    struct zone_names *names;
    const char *found = NULL;
    uint32_t city = name.len;
    size_t used = strlen(err->text);

    if (name.len == 0 || name.len > ZONE_NAME_BYTES_MAX || (names = malloc(sizeof(*names))) == NULL)
        return;
    names->count = 0;
    names->folder[0] = '\0';
    gather(names);
    qsort(names->name, names->count, sizeof(names->name[0]), compare);
    while (city > 0 && name.at[city - 1] != '/')
        city--;
    if (city > 0)
        found = nearest(names, name, true);
    if (found == NULL)
        found = nearest(names, (struct text){name.at + city, name.len - city}, false);
    if (found != NULL)
        snprintf(err->text + used, sizeof(err->text) - used, "; did you mean \"%s\"?", found);
    free(names);
}
