/* SPDX-License-Identifier: MIT */
/* Opening the store, and transactions that know what they touched. */

/*
 * A transaction collects which hosts and swarms it changed, and its events. The commit writes
 * them last: first `rev` of the hosts, then the events, whose ids come from one counter row. On a
 * database with concurrent writers that row is the only place where they queue, and they hold it
 * for the shortest time; so the order of ids is the order of commits, which lets a stream replay
 * by "id greater than the last I saw".
 */
#include "core/buf.h"
#include "db/migrate.h"
#include "store/keyring.h"
#include "store/row.h"

extern const struct vr_embed vr_store_migrations[];
extern const size_t vr_store_migrations_count;

struct vr_store {
    struct vr_db *db;
    struct vr_told_objects *told;
    struct vr_port_range ports;
    int64_t keep_releases;
    struct vr_keyring *keyring; /* NULL: none was opened */
};

int vr_port_range_parse(const char *text, struct vr_port_range *out, struct vr_err *err)
{
    const char *dash = strchr(text, '-');
    struct vr_port_range range;

    if (!dash ||
        vr_parse_i64((struct vr_str){text, (size_t)(dash - text)}, 1024, 65535, &range.first,
                     NULL) < 0 ||
        vr_parse_i64(vr_str(dash + 1), range.first, 65535, &range.last, NULL) < 0)
        return vr_fail(err, VR_INVALID, "'%.40s' is not a range of ports such as 5000-5999", text);
    if (range.last - range.first >= VR_PORT_RANGE_MAX)
        return vr_fail(err, VR_LIMIT, "a range of ports has at most %d", VR_PORT_RANGE_MAX);
    *out = range;
    return 0;
}

void vr_store_set_ports(struct vr_store *store, struct vr_port_range range)
{
    store->ports = range;
}

void vr_store_set_keyring(struct vr_store *store, struct vr_keyring *ring)
{
    vr_keyring_free(store->keyring);
    store->keyring = ring;
}

struct vr_keyring *vr_store_keyring(const struct vr_store *store)
{
    return store->keyring;
}

void vr_store_set_keep_releases(struct vr_store *store, int64_t count)
{
    store->keep_releases = count;
}

struct vr_port_range vr_store_ports(const struct vr_tx *tx)
{
    return tx->ports;
}

int vr_store_open(const char *url, const struct vr_db_options *options, struct vr_store **out,
                  struct vr_err *err)
{
    VR_OWNED(vr_store_free) struct vr_store *store = vr_alloc(sizeof(*store));
    int r;

    store->told = vr_told_objects_new();
    r = vr_db_open(url, options, &store->db, err);

    if (r == 0)
        r = vr_db_migrate(store->db, vr_store_migrations, vr_store_migrations_count, NULL, err);
    if (r < 0)
        return r;
    store->ports = (struct vr_port_range){VR_PORT_FIRST, VR_PORT_LAST};
    store->keep_releases = VR_KEEP_RELEASES;
    *out = vr_take(store);
    return 0;
}

struct vr_store *vr_store_free(struct vr_store *store)
{
    if (!store)
        return NULL;
    vr_told_objects_free(store->told);
    vr_db_free(store->db);
    vr_keyring_free(store->keyring);
    free(store);
    return NULL;
}

int vr_store_begin(struct vr_store *store, enum vr_db_mode mode, struct vr_tx **out,
                   struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = vr_alloc(sizeof(*tx));
    int r = vr_db_begin(store->db, mode, &tx->db, err);

    if (r < 0)
        return r;
    tx->ports = store->ports;
    tx->keep_releases = store->keep_releases;
    tx->store_told = store->told;
    tx->keyring = store->keyring;
    *out = vr_take(tx);
    return 0;
}

struct vr_tx *vr_tx_free(struct vr_tx *tx)
{
    if (!tx)
        return NULL;
    vr_event_drop(tx);
    free(tx->hosts.v);
    free(tx->swarms.v);
    for (int i = 0; i < VR_OBJECT_COUNT; i++)
        free(tx->changed[i].v);
    free(tx->told);
    vr_db_tx_free(tx->db);
    free(tx);
    return NULL;
}

/* A set as a sorted array: a transaction touches few, and often the same one again. */
static void idset_add(struct vr_idset *set, int64_t id)
{
    size_t low = 0, high = set->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->v[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    if ((low < set->n && set->v[low] == id) || set->n == VR_TOUCHED_MAX)
        return;
    if (set->n == set->cap) {
        set->cap = set->cap ? set->cap * 2 : 16;
        set->v = vr_realloc_array(set->v, set->cap, sizeof(*set->v));
    }
    memmove(set->v + low + 1, set->v + low, (set->n - low) * sizeof(*set->v));
    set->v[low] = id;
    set->n++;
}

void vr_store_changed(struct vr_tx *tx, enum vr_object kind, int64_t id)
{
    if (id)
        idset_add(&tx->changed[kind], id);
}

void vr_store_touch_host(struct vr_tx *tx, int64_t host_id)
{
    if (host_id)
        idset_add(&tx->hosts, host_id);
}

void vr_store_touch_swarm(struct vr_tx *tx, int64_t swarm_id)
{
    if (swarm_id)
        idset_add(&tx->swarms, swarm_id);
}

static int raise_revs(struct vr_tx *tx, struct vr_err *err)
{
    vr_auto_free char *ids = NULL;

    if (!tx->hosts.n)
        return 0;
    ids = vr_row_ids_text(tx->hosts.v, tx->hosts.n);
    return vr_db_exec(tx->db, NULL, err, "UPDATE hosts SET rev = rev + 1 WHERE id IN @IDS($1)@",
                      VR_T(ids));
}

int vr_store_commit(struct vr_tx *tx, struct vr_touched *out_touched, struct vr_err *err)
{
    int64_t first = 0, last = 0;
    int r = raise_revs(tx, err);

    if (r == 0)
        r = vr_overview_tell(tx, err);
    if (r == 0)
        r = vr_event_flush(tx, &first, &last, err);
    if (r == 0)
        r = vr_db_commit(tx->db, err);
    if (r < 0)
        return r;
    vr_told_objects_commit(tx->store_told, tx);
    if (out_touched) {
        *out_touched = (struct vr_touched){.hosts = vr_take(tx->hosts.v),
                                           .host_count = tx->hosts.n,
                                           .swarms = vr_take(tx->swarms.v),
                                           .swarm_count = tx->swarms.n,
                                           .first_event = first,
                                           .last_event = last};
    }
    return 0;
}

void vr_touched_fini(struct vr_touched *touched)
{
    free(touched->hosts);
    free(touched->swarms);
    *touched = (struct vr_touched){0};
}
