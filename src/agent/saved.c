/* SPDX-License-Identifier: MIT */
/*
 * What the agent keeps over restarts.
 *
 * A file is a nonce and a libsodium secretbox of the compact JSON. The key lies beside it: sealing
 * does not keep root of this host out, it keeps secrets out of backups and copies of single files.
 */
#include "agent/saved.h"

#include "fmt/json.h"
#include "sys/fs.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static int read_key(const char *dir, unsigned char key[crypto_secretbox_KEYBYTES],
                    struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/key", dir);
    vr_auto_free char *raw = NULL;
    size_t n = 0;
    int r;

    r = vr_fs_read(path, crypto_secretbox_KEYBYTES, &raw, &n, err);
    if (r == -VR_NOT_FOUND) {
        vr_random(key, crypto_secretbox_KEYBYTES);
        return vr_fs_replace(path, key, crypto_secretbox_KEYBYTES, 0600, err);
    }
    if (r < 0)
        return r;
    if (n != crypto_secretbox_KEYBYTES)
        return vr_fail(err, VR_PARSE, "'%s' has %zu bytes instead of %u", path, n,
                       crypto_secretbox_KEYBYTES);
    memcpy(key, raw, n);
    sodium_memzero(raw, n);
    return 0;
}

static int unseal(const char *dir, const char *raw, size_t n, json_t **out, struct vr_err *err)
{
    const size_t head = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    unsigned char key[crypto_secretbox_KEYBYTES];
    vr_auto_free unsigned char *plain = NULL;
    int r;

    if (n < head)
        return vr_fail(err, VR_PARSE, "it is cut short");
    r = read_key(dir, key, err);
    if (r < 0)
        return r;
    plain = vr_alloc(n);
    r = crypto_secretbox_open_easy(plain, (const unsigned char *)raw + crypto_secretbox_NONCEBYTES,
                                   n - crypto_secretbox_NONCEBYTES, (const unsigned char *)raw,
                                   key);
    sodium_memzero(key, sizeof(key));
    if (r != 0)
        return vr_fail(err, VR_PARSE, "it was not sealed with this host's key");
    r = vr_json_parse((struct vr_str){(const char *)plain, n - head}, VR_SAVED_BYTES, out, err);
    sodium_memzero(plain, n);
    return r;
}

int vr_saved_read(const char *dir, const char *name, const struct vr_log *log, json_t **out,
                  struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/%s", dir, name);
    vr_auto_free char *aside = vr_strf("%s.damaged", path);
    vr_auto_free char *raw = NULL;
    struct vr_err why;
    size_t n = 0;
    int r;

    r = vr_fs_read(path, VR_SAVED_BYTES, &raw, &n, err);
    if (r < 0)
        return r;
    r = unseal(dir, raw, n, out, &why);
    if (r < 0 && r != -VR_PARSE)
        return vr_fail(err, why.code, "'%s': %s", path, why.msg);
    if (r < 0) {
        vr_error(log,
                 "'%s' is damaged (%s): set aside as '%s', rebuilt from what runs and the server",
                 path, why.msg, aside);
        vr_ignore(rename(path, aside), "it is replaced by the next write");
        return vr_fail(err, VR_PARSE, "'%s' is damaged", path);
    }
    return 0;
}

int vr_saved_write(const char *dir, const char *name, const json_t *doc, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/%s", dir, name);
    vr_auto_free char *text = vr_json_dump(doc);
    size_t n = strlen(text);
    size_t total = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + n;
    vr_auto_free unsigned char *sealed = vr_alloc(total);
    unsigned char key[crypto_secretbox_KEYBYTES];
    int r;

    r = read_key(dir, key, err);
    if (r < 0)
        return r;
    vr_random(sealed, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, (const unsigned char *)text, n,
                          sealed, key);
    sodium_memzero(key, sizeof(key));
    sodium_memzero(text, n);
    return vr_fs_replace(path, sealed, total, 0600, err);
}
