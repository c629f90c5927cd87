/*
 * Any bytes as a configuration: an error with a place, or settings that can be shown, filled into
 * the engine and the outbox, and written down as the text that a data directory keeps of them,
 * which read again says the same; never a crash, never more than a second. Files that it names are
 * not there, but for time zones.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/config.h"
#include "daemon/settings_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* As in fuzz_rules.c: libfyaml 0.7.12 loses memory on a few malformed texts. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

static int no_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self, (void)path, (void)flags, (void)mode;
    return -ENOENT;
}

static void look(void *self, const struct config_key *key, const char *path, const char *value)
{
    size_t *bytes = self;

    if (key == NULL)
        abort();
    *bytes += strlen(path) + strlen(value);
}

static void ask(struct config *config)
{
    struct engine_config engine;
    struct outbox_config outbox = {0};
    size_t bytes = 0;

    engine_config_init(&engine);
    config_walk(config, look, &bytes);
    (void)config_fill_outbox(config, &outbox);
    if (config_fill_engine(config, &engine) != 0)
        return;
    struct engine_terms terms = config_terms(config), again = {.alerts_max = 0};
    char *text = settings_text(&engine);
    char *same = text != NULL ? settings_text_with(text, &terms) : NULL;
    if (text != NULL && same != NULL) {
        settings_terms(same, &again);
        if (!engine_terms_equal(&again, &terms))
            abort(); /* written and read again they are others */
        free(settings_differences(text, same));
    }
    free(text);
    free(same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct host bare;
    struct config *config = NULL;
    struct error err = {""};
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    host_set(NULL);
    bare = *host();
    bare.open = no_open;
    host_set(&bare);
    int rc = config_parse("fuzz.yaml", text, size, CONFIG_SECRETS_MAY_BE_ABSENT, &config, &err);
    if (rc == 0)
        ask(config);
    else if (strncmp(err.text, "fuzz.yaml:", 10) != 0 && rc != -ENOMEM)
        abort(); /* an error without a place */
    host_set(NULL);
    config_destroy(config);
    free(text);
    return 0;
}
