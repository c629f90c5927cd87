/* setting_list.c - see setting_list.h. */
#include "daemon/setting_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int setting_list_split(const struct option_list *settings, struct kafka_option *options,
                       struct error *err)
{
    for (size_t i = 0; i < settings->count; i++) {
        const char *equals = strchr(settings->item[i], '=');
        if (equals == NULL || equals == settings->item[i]) {
            error_set(err, "--set %s: a property is written KEY=VALUE", settings->item[i]);
            return -EINVAL;
        }
        options[i].key = strndup(settings->item[i], (size_t)(equals - settings->item[i]));
        options[i].value = equals + 1;
        if (options[i].key == NULL) {
            error_set(err, "out of memory");
            return -ENOMEM;
        }
    }
    return 0;
}

void setting_list_release(struct kafka_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((char *)options[i].key);
}
