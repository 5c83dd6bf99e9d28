/* SPDX-License-Identifier: MIT */
/* References to secret values: what stands in a config or an environment instead of the value. */
#ifndef VR_MODEL_SECRET_H
#define VR_MODEL_SECRET_H

#include "fmt/json.h"

/*
 * A secret value has a row of its own (store/secret.h). Merged documents, frozen wishes and
 * releases hold {"$secret": <id>} where it belongs. Such a reference is the value of a top-level
 * key; users cannot write one, since no key of theirs may be "$secret" (model/field.h).
 *
 * An ingredient or swarm keeps its secrets apart from its plain dicts, as *entries*:
 *
 *   {"DB_PASSWORD": {"$secret": 12, "set": "2026-11-22T16:00:00Z", "by": "ann"}}
 */
#define VR_SECRET_KEY       "$secret"
#define VR_SECRET_MASK      "••••••••"  /* what is shown */
#define VR_SECRET_BYTES_MAX (64u << 10) /* of one value */
#define VR_SECRET_COUNT_MAX 100         /* of one dict of an ingredient or a swarm */
#define VR_SECRET_NAME_MAX  200         /* bytes of a name in a config */

/** The id of a reference or an entry, 0 for any other value. */
int64_t vr_secret_id(const json_t *value);

/** Is there a key "$secret" in it, however deep? */
bool vr_secret_is_mentioned(const json_t *value);

/** A copy of `plain` with `entries` as references; both may be NULL or null. Given. */
json_t *vr_secret_layer(const json_t *plain, const json_t *entries);

/** What stands for the secret `id`; NULL: nothing does. Given. */
typedef json_t *vr_secret_replace_fn(void *user, int64_t id);

/**
 * A copy of a dict with what `fn` gives in place of references. Given.
 * @out_missing  the id that nothing stands for, and NULL is returned; 0 if all were replaced.
 *               NULL: a key that nothing stands for is left out
 */
json_t *vr_secret_replace(const json_t *dict, vr_secret_replace_fn *fn, void *user,
                          int64_t *out_missing);

/** A copy with VR_SECRET_MASK in place of references. Given. */
json_t *vr_secret_masked(const json_t *dict);

/** vr_secret_masked() as YAML text, "" for an empty one. Given. */
char *vr_secret_masked_yaml(const json_t *dict);

/**
 * A URL whose credentials are masked: all of `user:token@` of http and https, since a token may be
 * either part; elsewhere what is behind the colon. The same text if there are none. Given.
 */
char *vr_secret_masked_url(const char *url);

#endif
