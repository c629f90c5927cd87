/*
 * same_file.h - do two paths name one file?
 *
 * Thread: any.
 */
#ifndef BASE_SAME_FILE_H
#define BASE_SAME_FILE_H

#include <stdbool.h>

/* True for equal paths, and for what is one file by another name, a link for example. */
bool same_file(const char *one, const char *other);

/* The same of regular files, for what is about to be written: writing to the terminal that is read,
 * or to /dev/null twice, does no harm. Also true for equal paths of what is not there yet. */
bool same_regular_file(const char *one, const char *other);

#endif
