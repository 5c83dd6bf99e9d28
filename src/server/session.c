/* SPDX-License-Identifier: MIT */
/*
 * Sessions of browsers.
 *
 * A browser sends its cookies with whatever a page of another site makes it ask for. Two things
 * keep such pages from acting in a user's name: a change needs the CSRF token in a header, which
 * only a page of ours can read from its cookie; and a request that the browser itself marks as
 * coming from elsewhere is refused. Cookies are SameSite=Lax besides.
 */
#include "server/session.h"

#include "fmt/hash.h"
#include "store/session.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEX "0123456789abcdef"

/* ------------------------------------------------------------------ life */

static void make_key(char out[VR_SESSION_HEX])
{
    vr_auto_free char *random = vr_random_hex(VR_SESSION_BYTES);

    snprintf(out, VR_SESSION_HEX, "%s", random);
}

char *vr_session_sha256(const char *session)
{
    char *hex = vr_alloc(VR_SHA256_HEX);

    vr_sha256_hex(session, strlen(session), hex);
    return hex;
}

int64_t vr_session_expiry_us(int64_t created_us, struct vr_wall now)
{
    int64_t idle = now.us + VR_SESSION_IDLE_S * VR_US_PER_S;
    int64_t last = created_us + VR_SESSION_MAX_S * VR_US_PER_S;

    return idle < last ? idle : last;
}

int vr_session_start(struct vr_tx *tx, int64_t user_id, const char *remote, struct vr_wall now,
                     struct vr_session_keys *out, struct vr_err *err)
{
    struct vr_session_keys keys;
    vr_auto_free char *sha256 = NULL;
    struct vr_session_row row = {.user_id = user_id,
                                 .csrf = keys.csrf,
                                 .remote = (char *)remote,
                                 .created_us = now.us,
                                 .seen_us = now.us,
                                 .expires_us = vr_session_expiry_us(now.us, now)};
    int64_t id;
    int r;

    make_key(keys.session);
    make_key(keys.csrf);
    sha256 = vr_session_sha256(keys.session);
    row.session_sha256 = sha256;
    r = vr_store_session_insert(tx, &row, &id, err);
    if (r == 0)
        *out = keys;
    return r;
}

/* ------------------------------------------------------------------ cookies */

/* The first cookie of a name: `a=1; vr_session=…; b=2`. */
static struct vr_str find_cookie(const char *header, const char *name)
{
    size_t n = strlen(name);

    while (header && *header) {
        size_t length = strcspn(header, ";");

        if (length > n && header[n] == '=' && !strncmp(header, name, n))
            return (struct vr_str){header + n + 1, length - n - 1};
        header += length;
        header += strspn(header, "; ");
    }
    return (struct vr_str){"", 0};
}

bool vr_session_cookie(const struct vr_http_req *req, char out[VR_SESSION_HEX])
{
    struct vr_str value = find_cookie(vr_http_req_header(req, "cookie"), VR_SESSION_COOKIE);

    if (value.n != VR_SESSION_HEX - 1 || strspn(value.p, HEX) < value.n)
        return false;
    memcpy(out, value.p, value.n);
    out[value.n] = '\0';
    return true;
}

static void set_cookie(struct vr_http_resp *resp, const char *name, const char *value,
                       const char *marks, bool is_tls)
{
    vr_auto_free char *text =
        vr_strf("%s=%s; Path=/; Max-Age=%d; SameSite=Lax%s%s", name, value,
                *value ? VR_SESSION_MAX_S : 0, marks, is_tls ? "; Secure" : "");

    vr_http_resp_header(resp, "Set-Cookie", text);
}

void vr_session_set_cookies(struct vr_http_resp *resp, const struct vr_session_keys *keys,
                            bool is_tls)
{
    set_cookie(resp, VR_SESSION_COOKIE, keys ? keys->session : "", "; HttpOnly", is_tls);
    set_cookie(resp, VR_SESSION_CSRF, keys ? keys->csrf : "", "", is_tls);
}

/* ------------------------------------------------------------------ other sites */

bool vr_session_has_csrf(const struct vr_http_req *req, const struct vr_who *who)
{
    const char *sent = vr_http_req_header(req, "x-csrftoken");
    size_t n = strlen(who->csrf);

    return sent && n && strlen(sent) == n && sodium_memcmp(sent, who->csrf, n) == 0;
}

bool vr_session_is_foreign(const struct vr_http_req *req)
{
    const char *site = vr_http_req_header(req, "sec-fetch-site");

    return (site && !strcasecmp(site, "cross-site")) || !vr_http_req_is_own_origin(req);
}
