/* pattern_soundness.c - see pattern_soundness.h. */
#include "rules/pattern_soundness.h"

#include <stdbool.h>
#include <string.h>
#include "rules/pattern_database.h"

enum { BEFORE_MAX = 140, TEXT_BYTES = 320, PATTERNS_MAX = 4 };

/* All patterns are looked for at once; the last one is asked about. The text is `word`, with up to
 * BEFORE_MAX times the letter b before it, and some more behind. */
static const struct question {
    const char *pattern[PATTERNS_MAX];
    const char *word;
    bool is_there; /* with at least one b before it */
} questions[] = {
    {{"k"}, "k", true},
    {{"%"}, "%", true},
    {{"(?i)k"}, "K", true},
    {{"k|zz"}, "k", true},
    {{"k\\B"}, "kb", true},
    {{"\\bk"}, "k", false},
    {{"k"}, "j", false},
    {{"kz"}, "kz", true},
    {{"kz"}, "kb", false},
    {{"[kx][yz]"}, "ky", true},
    {{"[kx][yz]"}, "kb", false},
    {{"[a-z]+[0-9]"}, "7", true},
    {{"k.*z"}, "kbbz", true},
    {{"^b+k"}, "k", true},
    {{"[^b]"}, "k", true},
    {{"error", "failed", "timeout", "%"}, "%", true},
    {{"error", "failed", "timeout", "%"}, "", false},
    {{"error", "%", "k", "failed"}, "failed", true},
    {{"k", "z", "y", "x"}, "x", true},
};

struct search {
    struct pattern_database *database;
    struct hs_scratch *scratch;
    unsigned asked; /* about this position */
    bool is_found;
};

static int on_found(unsigned position, unsigned long long from, unsigned long long to,
                    unsigned flags, void *self)
{
    struct search *search = self;

    (void)from, (void)to, (void)flags;
    search->is_found |= position == search->asked;
    return 0;
}

static bool answers(struct search *search, const struct question *question)
{
    static const size_t behind[] = {0, 1, 70};
    char text[TEXT_BYTES];
    size_t bytes = strlen(question->word);

    memset(text, 'b', sizeof(text));
    for (size_t before = 1; before < BEFORE_MAX; before++) {
        memcpy(text + before, question->word, bytes);
        for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
            search->is_found = false;
            pattern_database_scan(search->database,
                                  (struct text){text, (uint32_t)(before + bytes + behind[i])},
                                  search->scratch, on_found, search);
            if (search->is_found != question->is_there)
                return false;
        }
        text[before] = 'b';
        if (bytes > 1)
            memset(text + before, 'b', bytes);
    }
    return true;
}

static enum pattern_soundness ask(const struct question *question, struct arena *arena)
{
    enum pattern_soundness soundness = PATTERN_NO_MEMORY;
    struct search search = {.scratch = NULL};
    struct pattern_sources sources;
    struct diagnostics diag;
    uint32_t count = 0;

    diagnostics_init(&diag, NULL);
    if (!pattern_sources_create(&sources, PATTERNS_MAX, arena))
        return soundness;
    for (; count < PATTERNS_MAX && question->pattern[count] != NULL; count++)
        pattern_sources_put(&sources, count, question->pattern[count], false,
                            (struct span){.script = NULL});
    search.asked = count - 1;
    search.database = pattern_database_take(&sources, count, &diag);
    if (search.database != NULL && pattern_scratch_fit(&search.scratch, search.database))
        soundness = answers(&search, question) ? PATTERN_SOUND : PATTERN_UNSOUND;
    else if (!diag.out_of_memory && search.database == NULL)
        soundness = PATTERN_UNSOUND; /* it does not take what every library takes */
    pattern_scratch_free(search.scratch);
    pattern_database_put(search.database);
    return soundness;
}

enum pattern_soundness pattern_library_soundness(void)
{
    struct arena *arena = arena_create(64 << 10);
    enum pattern_soundness soundness = arena != NULL ? PATTERN_SOUND : PATTERN_NO_MEMORY;

    for (size_t i = 0; soundness == PATTERN_SOUND && i < sizeof(questions) / sizeof(questions[0]);
         i++)
        soundness = ask(&questions[i], arena);
    arena_destroy(arena);
    return soundness;
}
