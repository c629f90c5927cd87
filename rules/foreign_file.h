/*
 * foreign_file.h - files that are given in the place of rules now and then, and what to do with
 * them instead.
 *
 * Thread: any.
 */
#ifndef RULES_FOREIGN_FILE_H
#define RULES_FOREIGN_FILE_H

#include "rules/yaml_reader.h"

/* What a document is that is no rule file, and what takes it: a sentence. *at is the key by which
 * it is known. NULL: it is none that is known. Borrowed: `root` has *at. */
const char *foreign_file_find(const struct yaml_node *root, const struct yaml_node **at);

/* The same of rule files of Prometheus alone, also as objects of Kubernetes. */
const char *foreign_file_prometheus(const struct yaml_node *root, const struct yaml_node **at);

#endif
