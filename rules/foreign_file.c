/* foreign_file.c - see foreign_file.h. */
#include "rules/foreign_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const char prometheus[] =
    "this is a rule file of Prometheus, which works it out itself: its alerts come to tocsin by "
    "Alertmanager (docs/events.md), whose configuration tocsin import takes";

/* Each is known by a key of its own. */
static const struct {
    const char *key, *sentence;
    bool beside_rules; /* though there is a key `rules` as well */
} other_files[] = {
    {"tests", "this is a file of tests: tocsin test runs it", true},
    {"input", "this is a configuration of tocsin: tocsin check --config reads it", true},
    {"sinks", "this is a configuration of tocsin: tocsin check --config reads it", true},
    {"engine", "this is a configuration of tocsin: tocsin check --config reads it", true},
    {"resource", "this is an event, and no rule file", false},
    {"detection", "this is a rule of Sigma: tocsin import makes a rule file of it", false},
    {"correlation", "this is a rule of Sigma: tocsin import makes a rule file of it", false},
    {"route", "this is a configuration of Alertmanager: tocsin import makes a rule file of it",
     false},
    {"inhibit_rules",
     "this is a configuration of Alertmanager: tocsin import makes a rule file of it", false},
    {"apiVersion", "this is an object of Kubernetes, and no rule file", false},
    {"where", "a rule file begins with \"rules:\"; a rule is an entry of that list: - id: ...",
     false},
};

const char *foreign_file_prometheus(const struct yaml_node *root, const struct yaml_node **at)
{
    static const char operated[] = "PrometheusRule"; /* its operator makes a rule file of it */

    *at = yaml_node_find(root, "kind");
    if (*at == NULL || (*at)->kind != YAML_SCALAR || strcmp((*at)->text.at, operated) != 0)
        *at = yaml_node_find(root, "groups");
    return *at != NULL ? prometheus : NULL;
}

const char *foreign_file_find(const struct yaml_node *root, const struct yaml_node **at)
{
    const bool has_rules = yaml_node_find(root, "rules") != NULL;
    const char *found = has_rules ? NULL : foreign_file_prometheus(root, at);

    for (size_t i = 0; found == NULL && i < sizeof(other_files) / sizeof(other_files[0]); i++) {
        *at = yaml_node_find(root, other_files[i].key);
        if (*at != NULL && (!has_rules || other_files[i].beside_rules))
            found = other_files[i].sentence;
    }
    return found;
}
