/* choice.c - see choice.h. */
#include "daemon/choice.h"

#include <stdio.h>
#include <string.h>

int64_t choice_index(const char *choices, const char *word)
{
    size_t length = strlen(word);

    for (int64_t index = 0; *choices != '\0'; index++) {
        size_t span = strcspn(choices, " ");
        if (span == length && strncmp(choices, word, length) == 0)
            return index;
        choices += span;
        choices += *choices == ' ';
    }
    return -1;
}

const char *choice_word(const char *choices, int64_t index, char *to, size_t bytes)
{
    for (; index > 0 && *choices != '\0'; index--) {
        choices += strcspn(choices, " ");
        choices += *choices == ' ';
    }
    snprintf(to, bytes, "%.*s", (int)strcspn(choices, " "), choices);
    return to;
}

const char *choice_hint(const char *choices, const char *word, char hint[NEAREST_HINT_BYTES])
{
    enum { CHOICES_MAX = 16, CHOICE_BYTES = 32 };
    char text[CHOICES_MAX][CHOICE_BYTES];
    const char *names[CHOICES_MAX];
    size_t count = 0;

    for (; *choices != '\0' && count < CHOICES_MAX; count++) {
        names[count] = choice_word(choices, 0, text[count], CHOICE_BYTES);
        choices += strcspn(choices, " ");
        choices += *choices == ' ';
    }
    return nearest_hint((struct text){word, (uint32_t)strlen(word)}, names, count, hint);
}
