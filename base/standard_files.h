/*
 * standard_files.h - standard input, output and error are there, or fail in words.
 *
 * Who starts a program with one of them closed (`tocsin replay ... >&-`) would have the first file
 * that it opens take the place: what is printed then goes into that file, and nobody is told.
 *
 * Thread: before the first file is opened.
 */
#ifndef BASE_STANDARD_FILES_H
#define BASE_STANDARD_FILES_H

/* Holds the places that are free by /dev/null, opened so that reading standard input and writing
 * to the others fails as it does for what is closed. */
void standard_files_hold(void);

#endif
