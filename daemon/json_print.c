/* json_print.c - see json_print.h. */
#include "daemon/json_print.h"

#include <stdlib.h>
#include "daemon/plain.h"

bool json_print(json_t *root, size_t flags, FILE *to)
{
    char *text = root != NULL ? json_dumps(root, flags) : NULL;

    json_decref(root);
    if (text == NULL)
        return false;
    fprintf(to, "%s\n", text);
    free(text);
    return true;
}

json_t *json_shown(const char *text)
{
    char *shown = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&shown, &bytes);
    json_t *value = NULL;

    if (to == NULL)
        return NULL;
    plain_print_utf8(text, to);
    if (fclose(to) == 0)
        value = json_stringn(shown, bytes);
    free(shown);
    return value;
}
