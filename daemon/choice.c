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
