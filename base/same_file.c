/*
 * same_file.c - see same_file.h.
 */
#include "base/same_file.h"

#include <string.h>
#include <sys/stat.h>

bool same_file(const char *one, const char *other)
{
    struct stat a, b;

    if (strcmp(one, other) == 0)
        return true;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

bool same_regular_file(const char *one, const char *other)
{
    struct stat a, b;

    if (stat(one, &a) != 0 || stat(other, &b) != 0)
        return strcmp(one, other) == 0;
    return S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}
