/* SPDX-License-Identifier: MIT */
/* The query string of a URI as an ordered list of decoded keys and values. */
#include "fmt/query.h"

#include "fmt/uri.h"

struct pair {
    char *key;
    char *value;
};

struct vr_query {
    struct pair *pairs; /* room for VR_QUERY_PAIRS or fewer: as many as there are pieces */
    size_t count;
};

struct vr_query *vr_query_free(struct vr_query *query)
{
    if (!query)
        return NULL;
    for (size_t i = 0; i < query->count; i++) {
        free(query->pairs[i].key);
        free(query->pairs[i].value);
    }
    free(query->pairs);
    free(query);
    return NULL;
}

static size_t count_pieces(struct vr_str text)
{
    size_t count = 1;

    for (size_t i = 0; i < text.n; i++)
        count += text.p[i] == '&';
    return count;
}

static int add_piece(struct vr_query *query, struct vr_str piece, struct vr_err *err)
{
    const char *eq = memchr(piece.p, '=', piece.n);
    struct vr_str key = {piece.p, eq ? (size_t)(eq - piece.p) : piece.n};
    struct vr_str value = eq ? (struct vr_str){eq + 1, piece.n - key.n - 1} : vr_str("");
    struct pair *pair = &query->pairs[query->count];
    vr_auto_free char *k = NULL, *v = NULL;
    int r;

    r = vr_uri_decode(key, true, &k, err);
    if (r < 0)
        return r;
    r = vr_uri_decode(value, true, &v, err);
    if (r < 0)
        return vr_fail_in(err, r, "parameter '%.40s'", k);
    pair->key = vr_take(k);
    pair->value = vr_take(v);
    query->count++;
    return 0;
}

int vr_query_parse(struct vr_str text, struct vr_query **out, struct vr_err *err)
{
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    size_t pieces = count_pieces(text);

    if (text.n > VR_QUERY_BYTES)
        return vr_fail(err, VR_LIMIT, "query string is longer than %u bytes", VR_QUERY_BYTES);
    if (pieces > VR_QUERY_PAIRS)
        return vr_fail(err, VR_LIMIT, "query string has more than %u parameters", VR_QUERY_PAIRS);
    query = vr_alloc(sizeof(*query));
    query->pairs = vr_alloc_array(pieces, sizeof(*query->pairs));
    for (size_t at = 0; at < text.n;) {
        const char *amp = memchr(text.p + at, '&', text.n - at);
        size_t n = amp ? (size_t)(amp - text.p) - at : text.n - at;

        if (n) {
            int r = add_piece(query, (struct vr_str){text.p + at, n}, err);

            if (r < 0)
                return r;
        }
        at += n + 1;
    }
    *out = vr_take(query);
    return 0;
}

size_t vr_query_count(const struct vr_query *query)
{
    return query->count;
}

const char *vr_query_key(const struct vr_query *query, size_t i)
{
    return query->pairs[i].key;
}

const char *vr_query_value(const struct vr_query *query, size_t i)
{
    return query->pairs[i].value;
}

const char *vr_query_find(const struct vr_query *query, const char *key)
{
    for (size_t i = 0; i < query->count; i++) {
        if (vr_streq(query->pairs[i].key, key))
            return query->pairs[i].value;
    }
    return NULL;
}
