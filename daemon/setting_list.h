/*
 * setting_list.h - `--set KEY=VALUE` of a command line as properties of a Kafka client.
 */
#ifndef DAEMON_SETTING_LIST_H
#define DAEMON_SETTING_LIST_H

#include <stddef.h>
#include "base/error.h"
#include "daemon/options.h"
#include "ingest/kafka_source.h"

/* Fills options[0 .. settings->count); values point into the settings.
 * Owner:  keys are the caller's, until setting_list_release(), also after an error.
 * Errors: -EINVAL or -ENOMEM with a sentence. */
int setting_list_split(const struct option_list *settings, struct kafka_option *options,
                       struct error *err);
void setting_list_release(struct kafka_option *options, size_t count);

#endif
