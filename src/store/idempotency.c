/* SPDX-License-Identifier: MIT */
/* Rows of idempotency keys. */
#include "store/idempotency.h"

#include "store/row.h"

FIELDS(idempotency, "idempotency key", I(idempotency, user_id), T(idempotency, key),
       T(idempotency, request_sha256), I(idempotency, status), T(idempotency, location),
       T(idempotency, body), I(idempotency, created_us))

static int64_t oldest(int64_t now_us)
{
    return now_us - VR_IDEMPOTENCY_SECS * VR_US_PER_S;
}

int vr_store_idempotency_find(struct vr_tx *tx, int64_t user_id, const char *key,
                              struct vr_wall now, struct vr_idempotency_row *out,
                              struct vr_err *err)
{
    return vr_row_find(tx, &idempotency_type, key, out, err,
                       "SELECT user_id, key, request_sha256, status, location, body, created_us"
                       " FROM idempotency_keys WHERE user_id = $1 AND key = $2"
                       " AND created_us > $3",
                       VR_I(user_id), VR_T(key), VR_I(oldest(now.us)));
}

int vr_store_idempotency_add(struct vr_tx *tx, const struct vr_idempotency_row *row,
                             struct vr_err *err)
{
    int r = vr_db_exec(tx->db, NULL, err, "DELETE FROM idempotency_keys WHERE created_us <= $1",
                       VR_I(oldest(row->created_us)));

    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "INSERT INTO idempotency_keys (user_id, key, request_sha256, status,"
                       " location, body, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                       VR_I(row->user_id), VR_T(row->key), VR_T(row->request_sha256),
                       VR_I(row->status), VR_T(vr_row_or(row->location, "")),
                       VR_T(vr_row_or(row->body, "")), VR_I(row->created_us));
    return r;
}
