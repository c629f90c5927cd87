/*
 * data_room.h - whether the disk has room for a data directory that is still to be made: its first
 * segments are made whole, so that later ones find room or wait for it.
 *
 * Thread: any.
 */
#ifndef DAEMON_DATA_ROOM_H
#define DAEMON_DATA_ROOM_H

#include "base/error.h"
#include "daemon/config.h"

/* Looks, and makes nothing. EXIT_OK also where there is no directory to be made, or nobody can
 * tell. Errors: EXIT_IO with a sentence of how much it needs and how much there is. */
int data_room_check(const struct config *config, struct error *err);

#endif
