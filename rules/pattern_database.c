/* pattern_database.c - see pattern_database.h. */
#include "rules/pattern_database.h"

#include <assert.h>
#include <hs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "rules/pattern_soundness.h"

struct pattern_database {
    hs_database_t *hs;
    struct id128 key;
    uint32_t users;
    struct pattern_database *next;
};

/* ---- sources ---- */

bool pattern_sources_create(struct pattern_sources *sources, uint32_t count, struct arena *arena)
{
    sources->text = arena_alloc_many(arena, count, sizeof(*sources->text));
    sources->flags = arena_alloc_many(arena, count, sizeof(*sources->flags));
    sources->ids = arena_alloc_many(arena, count, sizeof(*sources->ids));
    sources->span = arena_alloc_many(arena, count, sizeof(*sources->span));
    return sources->text != NULL && sources->flags != NULL && sources->ids != NULL &&
           sources->span != NULL;
}

/* Once per scan and pattern is enough. A dot is any character, the reader has seen to the rest. */
static unsigned flags_of(bool is_wide)
{
    return HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | HS_FLAG_DOTALL |
           (is_wide ? HS_FLAG_UTF8 : 0u);
}

void pattern_sources_put(struct pattern_sources *sources, uint32_t position, const char *text,
                         bool is_wide, struct span span)
{
    sources->text[position] = text;
    sources->flags[position] = flags_of(is_wide);
    sources->ids[position] = position;
    sources->span[position] = span;
}

static struct id128 sources_key(const struct pattern_sources *sources, uint32_t count)
{
    struct id128 key = {count, 0};

    for (uint32_t i = 0; i < count; i++)
        key = hash128(sources->text[i], strlen(sources->text[i]) + 1,
                      hash_mix(key.hi + sources->flags[i]) ^ key.lo);
    return key;
}

/* ---- the shelf ---- */

static pthread_mutex_t shelf_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pattern_database *shelf; /* under shelf_lock, as are next and users */

static struct pattern_database *shelf_find(struct id128 key)
{
    struct pattern_database *database;

    pthread_mutex_lock(&shelf_lock);
    database = shelf;
    while (database != NULL && !id128_equal(database->key, key))
        database = database->next;
    if (database != NULL)
        database->users++;
    pthread_mutex_unlock(&shelf_lock);
    return database;
}

/* Takes `hs`. */
static struct pattern_database *shelf_keep(hs_database_t *hs, struct id128 key)
{
    struct pattern_database *database = calloc(1, sizeof(*database));

    if (database == NULL) {
        hs_free_database(hs);
        return NULL;
    }
    database->hs = hs;
    database->key = key;
    database->users = 1;
    pthread_mutex_lock(&shelf_lock);
    database->next = shelf;
    shelf = database;
    pthread_mutex_unlock(&shelf_lock);
    return database;
}

void pattern_database_put(struct pattern_database *database)
{
    struct pattern_database **at = &shelf;

    if (database == NULL)
        return;
    pthread_mutex_lock(&shelf_lock);
    if (--database->users > 0) {
        database = NULL;
    } else {
        while (*at != database)
            at = &(*at)->next;
        *at = database->next;
    }
    pthread_mutex_unlock(&shelf_lock);
    if (database == NULL)
        return;
    hs_free_database(database->hs);
    free(database);
}

/* ---- building ---- */

/* What came of the look; nothing yet after one for which memory was short. */
static pthread_mutex_t look_lock = PTHREAD_MUTEX_INITIALIZER;
static bool has_looked;
static char fault[256]; /* "": none */

static bool look(void)
{
    enum pattern_soundness soundness = PATTERN_SOUND;

    if (hs_valid_platform() != HS_SUCCESS)
        snprintf(fault, sizeof(fault),
                 "text patterns need a processor with SSE 4.2, which this one lacks");
    else
        soundness = pattern_library_soundness();
    if (soundness == PATTERN_UNSOUND)
        snprintf(fault, sizeof(fault),
                 "the pattern library of this machine, libhs %.*s, does not find all that is there "
                 "on this processor; install another one: Debian's libhyperscan5 in place of "
                 "libvectorscan5",
                 (int)strcspn(pattern_database_version(), " "), pattern_database_version());
    return soundness != PATTERN_NO_MEMORY;
}

bool pattern_database_fault(const char **why)
{
    pthread_mutex_lock(&look_lock);
    has_looked = has_looked || look();
    bool is_fine = has_looked && fault[0] == '\0';
    *why = has_looked ? fault : NULL;
    pthread_mutex_unlock(&look_lock);
    return !is_fine;
}

const char *pattern_database_version(void)
{
    return hs_version();
}

bool pattern_database_accepts(const char *text, bool is_wide)
{
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *error = NULL;
    bool is_accepted = hs_expression_info(text, flags_of(is_wide), &info, &error) == HS_SUCCESS;

    hs_free_compile_error(error);
    free(info);
    return is_accepted;
}

/* "... at index 5." means places in the new form, of which nobody knows. */
static void diagnose_build(struct diagnostics *diag, const struct pattern_sources *sources,
                           const hs_compile_error_t *error)
{
    struct span span = sources->span[error->expression >= 0 ? error->expression : 0];
    const char *end = strstr(error->message, " at index");
    int bytes = (int)(end != NULL ? (size_t)(end - error->message) : strlen(error->message));

    if (bytes > 0 && error->message[bytes - 1] == '.')
        bytes--;
    diagnose(diag, span, "the pattern cannot be built: %.*s", bytes, error->message);
}

struct pattern_database *pattern_database_take(const struct pattern_sources *sources,
                                               uint32_t count, struct diagnostics *diag)
{
    struct id128 key = sources_key(sources, count);
    struct pattern_database *database = shelf_find(key);
    hs_database_t *hs = NULL;
    hs_compile_error_t *error = NULL;

    if (database != NULL)
        return database;
    switch (hs_compile_multi(sources->text, sources->flags, sources->ids, count, HS_MODE_BLOCK,
                             NULL, &hs, &error)) {
    case HS_SUCCESS:
        database = shelf_keep(hs, key);
        return database != NULL ? database : diagnose_memory(diag);
    case HS_COMPILER_ERROR:
        diagnose_build(diag, sources, error);
        hs_free_compile_error(error);
        return NULL;
    default:
        return diagnose_memory(diag);
    }
}

/* ---- scratch and scanning ---- */

bool pattern_scratch_fit(struct hs_scratch **scratch, const struct pattern_database *database)
{
    return hs_alloc_scratch(database->hs, scratch) == HS_SUCCESS;
}

struct hs_scratch *pattern_scratch_clone(const struct hs_scratch *scratch)
{
    hs_scratch_t *clone = NULL;

    return hs_clone_scratch(scratch, &clone) == HS_SUCCESS ? clone : NULL;
}

void pattern_scratch_free(struct hs_scratch *scratch)
{
    hs_free_scratch(scratch);
}

void pattern_database_scan(const struct pattern_database *database, struct text text,
                           struct hs_scratch *scratch, pattern_found_fn found, void *self)
{
    hs_error_t rc =
        hs_scan(database->hs, text.len > 0 ? text.at : "", text.len, 0, scratch, found, self);

    assert(rc == HS_SUCCESS);
    (void)rc;
}
