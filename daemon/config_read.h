/*
 * config_read.h - the reading half of daemon/config.h: from nodes of YAML to fields.
 */
#ifndef DAEMON_CONFIG_READ_H
#define DAEMON_CONFIG_READ_H

#include "daemon/config.h"
#include "rules/yaml_reader.h"

struct config_reader {
    struct config *config;
    struct diagnostics *diag;
    enum config_secrets secrets;
    const char *folder; /* of the file, "" for the working directory */
    /* Where the value of each row was last read, for checks between keys; key NULL: not given. */
    const struct yaml_node **place;
};

/* Sets every field that `row` names from its default; `base` is the config or an item.
 * False when memory is short. */
bool config_read_defaults(struct config_reader *reader, const char *prefix, void *base);

/* Reads a map whose keys are rows beginning with `prefix`. Mistakes go to the diagnostics. */
void config_read_map(struct config_reader *reader, const struct yaml_node *map, const char *prefix,
                     void *base);

#endif
