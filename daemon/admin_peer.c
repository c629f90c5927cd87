/* admin_peer.c - see admin_peer.h. */
#include "daemon/admin_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"
#include "base/text.h"
#include "daemon/command.h"
#include "daemon/config.h"
#include "sinks/sink_options.h"

#define USUAL_ADDRESS "127.0.0.1:9099"

enum { NAMES_BYTES = 256 };

static const char *named(const struct config_pairs *tokens, const char *as, struct error *err)
{
    const char **names = calloc(tokens->count + 1, sizeof(*names));
    const char *value = NULL;
    char hint[NEAREST_HINT_BYTES];

    for (size_t i = 0; names != NULL && i < tokens->count; i++) {
        names[i] = tokens->item[i].name;
        if (strcmp(names[i], as) == 0)
            value = tokens->item[i].value;
    }
    if (names == NULL)
        error_set(err, "out of memory");
    else if (value == NULL)
        error_set(err, "--as: admin.tokens has no %.80s%s", as,
                  nearest_hint(text_of(as), names, tokens->count, hint));
    free(names);
    return value;
}

/* The only one that can be read here. NULL with no error where there is none. */
static const char *only_one(const struct config_pairs *tokens, struct error *err, bool *is_many)
{
    const char *value = NULL;
    char names[NAMES_BYTES];
    size_t used = 0;

    *is_many = false;
    for (size_t i = 0; i < tokens->count; i++) {
        if (tokens->item[i].is_absent)
            continue;
        *is_many = value != NULL;
        value = tokens->item[i].value;
        if (used < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                     used > 0 ? ", " : "", tokens->item[i].name);
    }
    if (!*is_many)
        return value;
    error_set(err,
              "admin.tokens has more than one that can be read here: say whose is sent, --as "
              "one of %s",
              names);
    return NULL;
}

static int find_token(struct admin_peer *peer, struct error *err)
{
    const char *own = getenv("TOCSIN_TOKEN"), *value;
    bool is_many = false;

    if (peer->as != NULL && peer->config == NULL) {
        error_set(err, "--as is a name of admin.tokens: say --config FILE, too");
        return EXIT_USAGE;
    }
    if (peer->config == NULL || (peer->as == NULL && own != NULL && own[0] != '\0'))
        return EXIT_OK;
    const struct config_pairs *tokens = &peer->config->admin.tokens;
    value = peer->as != NULL ? named(tokens, peer->as, err) : only_one(tokens, err, &is_many);
    if (value == NULL)
        return peer->as != NULL || is_many ? EXIT_USAGE : EXIT_OK;
    if (sink_secret_read(value, &peer->token, err) == 0)
        return EXIT_OK;
    error_prefix(err, "admin.tokens: ");
    return EXIT_USAGE;
}

static int find(struct admin_peer *peer, bool wants_token, struct error *err)
{
    if (peer->config_path != NULL &&
        config_load(peer->config_path, CONFIG_SECRETS_MAY_BE_ABSENT, &peer->config, err) != 0)
        return EXIT_CONFIG;
    peer->address = peer->admin != NULL    ? peer->admin
                    : peer->config != NULL ? peer->config->admin.listen
                                           : USUAL_ADDRESS;
    if (strcmp(peer->address, "off") == 0) {
        error_set(err, "admin.listen is off: a daemon with this configuration cannot be asked");
        return EXIT_USAGE;
    }
    return wants_token ? find_token(peer, err) : EXIT_OK;
}

int admin_peer_find(struct admin_peer *peer, const char *command, bool wants_token)
{
    struct error err = {{0}};
    int code = find(peer, wants_token, &err);

    if (code == EXIT_OK)
        return code;
    fprintf(stderr, "tocsin %s: %s\n", command, err.text);
    admin_peer_release(peer);
    return code;
}

void admin_peer_release(struct admin_peer *peer)
{
    if (peer->token != NULL)
        explicit_bzero(peer->token, strlen(peer->token));
    free(peer->token);
    config_destroy(peer->config);
    peer->token = NULL;
    peer->config = NULL;
    peer->address = NULL;
}
