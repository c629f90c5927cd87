/*
 * sql_disk.h - the files of SQLite on the disk of the world: it reaches them by itself and not
 * through the host table, so it is given a door of its own.
 */
#ifndef TESTS_SIM_SQL_DISK_H
#define TESTS_SIM_SQL_DISK_H

/* From now on, in this process. */
void sql_disk_begin(void);

#endif
