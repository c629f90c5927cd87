/*
 * input.h - the `input` section of the configuration as a Kafka source.
 */
#ifndef DAEMON_INPUT_H
#define DAEMON_INPUT_H

#include "daemon/config.h"
#include "ingest/source.h"

/* 0 when a source could be opened with `config`; -EINVAL with a sentence otherwise. */
int input_check(const struct config *config, struct error *err);

/* Starts to read; what the source has to say goes to the log. Returns before a
 * broker has answered. Owner: the caller, until source->ops->close(). */
int input_open(const struct config *config, struct source **out, struct error *err);

#endif
