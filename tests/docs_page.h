/*
 * docs_page.h - for tests: a table in docs/ that is made from rows of the code is the one that the
 * code prints.
 */
#ifndef TESTS_DOCS_PAGE_H
#define TESTS_DOCS_PAGE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"

/* `command` prints the same for whoever has to mend the page. */
static inline void assert_page_holds(const char *page_name, void (*print)(FILE *to),
                                     const char *command)
{
    char path[512], *made = NULL, *page = NULL;
    size_t made_bytes, page_bytes;
    FILE *to = open_memstream(&made, &made_bytes);

    assert_non_null(to);
    print(to);
    fclose(to);
    snprintf(path, sizeof(path), "%s/../docs/%s", TESTS_DIR, page_name);
    assert_int_equal(host_read_file(path, 1 << 20, &page, &page_bytes), 0);
    if (strstr(page, made) == NULL)
        fail_msg("put the output of `%s` into docs/%s", command, page_name);
    free(made);
    free(page);
}

#endif
