/* json_print.c - see json_print.h. */
#include "daemon/json_print.h"

#include <stdlib.h>

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
