/* SPDX-License-Identifier: MIT */
/* What the agent wrote into shim.conf. */
#include "shim/conf.h"
#include "shim/io.h"
#include "shim/protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, NUMBER };

struct field {
    const char *key;
    enum kind kind;
    size_t at;
    const char *otherwise; /* NULL: the file must have it */
};

#define FIELD(kind, name, otherwise)                                                               \
    {                                                                                              \
#name, kind, offsetof(struct conf, name), otherwise                                        \
    }

static const struct field fields[] = {
    FIELD(TEXT, id, NULL),
    FIELD(TEXT, bundle, NULL),
    FIELD(TEXT, runtime, NULL),
    FIELD(TEXT, runtime_root, NULL),
    FIELD(TEXT, cgroup, "/velociraptor/procs"),
    FIELD(TEXT, shims_cgroup, "/velociraptor/shims"),
    FIELD(TEXT, log, "log"),
    FIELD(TEXT, user, "65534:65534"),
    FIELD(TEXT, lower, NULL),
    FIELD(TEXT, upper, NULL),
    FIELD(TEXT, work, NULL),
    FIELD(TEXT, root, NULL),
    FIELD(NUMBER, crun, "1"),
    FIELD(NUMBER, one_shot, "0"),
    FIELD(NUMBER, host_uid, "65534"),
    FIELD(NUMBER, max_restarts, "5"),
    FIELD(NUMBER, restart_window_ms, "60000"),
    FIELD(NUMBER, backoff_max_ms, "30000"),
    FIELD(NUMBER, log_max_bytes, "10000000"),
    FIELD(NUMBER, log_backups, "1"),
    FIELD(NUMBER, log_rate_bytes, "4194304"),
};

/* The value of `key`, cut out of the text in place; NULL if absent. */
static char *find(char *text, const char *key)
{
    size_t key_len = strlen(key);

    for (char *line = text; *line; line += strlen(line) + 1)
        if (!strncmp(line, key, key_len) && line[key_len] == '=')
            return line + key_len + 1;
    return NULL;
}

static int fill(struct conf *conf, const struct field *f)
{
    char *value = find(conf->text, f->key);
    char *at = (char *)conf + f->at;

    if (!value)
        value = (char *)f->otherwise;
    if (!value) {
        complain(VR_SHIM_CONF ": no %s", f->key);
        return -1;
    }
    if (f->kind == TEXT) {
        memcpy(at, &value, sizeof(value));
        return 0;
    }
    if (!number_parse(value, (int64_t *)(void *)at)) {
        complain(VR_SHIM_CONF ": %s: '%s' is no number", f->key, value);
        return -1;
    }
    return 0;
}

int conf_load(struct conf *out)
{
    ssize_t n;

    /* One NUL more than the text ends the list of lines; the program keeps it to its end. */
    out->text = calloc(1, CONF_BYTES + 1);
    if (!out->text)
        return -1;
    n = file_read(VR_SHIM_CONF, out->text, CONF_BYTES);
    if (n < 0) {
        complain(VR_SHIM_CONF ": %s", strerror(errno));
        return -1;
    }
    for (char *p = out->text; p < out->text + n; p++)
        if (*p == '\n')
            *p = '\0';
    for (size_t i = 0; i < COUNT(fields); i++)
        if (fill(out, &fields[i]) < 0)
            return -1;
    return 0;
}
