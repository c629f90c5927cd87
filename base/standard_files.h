/*
 * standard_files.h - standard input, output and error are there, or fail in words.
 *
 * Who starts a program with one of them closed (`tocsin replay ... >&-`) would have the first file
 * that it opens take the place: what is printed then goes into that file, and nobody is told.
 *
 */
#ifndef BASE_STANDARD_FILES_H
#define BASE_STANDARD_FILES_H

#include <stdbool.h>

/* Holds the places that are free by /dev/null, opened so that reading standard input and writing
 * to the others fails as it does for what is closed.
 * Thread: before the first file is opened. */
void standard_files_hold(void);

/* Standard input gives what it holds once, so one thing alone may be read from it: true for the
 * first who asks. Two readers would share its lines by chance, or the second find it empty.
 * Thread: any. */
bool standard_input_take(void);

/* What is said to the others. */
#define STANDARD_INPUT_TAKEN "standard input is read for something else already: name a file"

#endif
