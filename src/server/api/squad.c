/* SPDX-License-Identifier: MIT */
/* Writing squads and hosts. */
#include "store/squad.h"
#include "server/api/noun_history.h"
#include "store/host.h"
#include "store/version.h"

#include <arpa/inet.h>

/* ------------------------------------------------------------------ squads */

static const struct vr_noun_field squad_fields[] = {
    {"name", VR_NOUN_NAME, offsetof(struct vr_squad_row, name), true, VR_NAME_SQUAD},
};

VR_NOUN_STORE(squad)
VR_NOUN_UPDATE(squad)
VR_NOUN_FIND_NAME(squad)

static char *squad_label(const void *row)
{
    const struct vr_squad_row *squad = row;

    return vr_strdup(squad->name);
}

/* `hosts`, if it is given, is the whole list: whoever is not in it leaves. */
static int set_hosts(struct vr_write *w, const void *row, const json_t *body, struct vr_err *err)
{
    const struct vr_squad_row *squad = row;
    const json_t *hosts = json_object_get(body, "hosts");
    vr_auto_free int64_t *ids = NULL;
    size_t n;
    int r;

    if (!hosts)
        return 0;
    w->field = "hosts";
    r = vr_ref_find_all(w->tx, VR_RES_HOSTS, hosts, &ids, &n, err);
    if (r < 0)
        return r;
    w->field = NULL;
    vr_write_note(w, "hosts", NULL, NULL);
    return vr_store_squad_set_hosts(w->tx, squad->id, ids, n, err);
}

static const struct vr_noun_list squad_lists[] = {
    {"hosts", VR_RES_HOSTS, vr_store_version_hosts},
    {NULL, VR_RES_COUNT, NULL, NULL},
};

static const struct vr_noun squad_noun = {
    .resource = VR_RES_SQUADS,
    .title = "squad",
    .fields = squad_fields,
    .field_count = VR_COUNT(squad_fields),
    .lists = squad_lists,
    .page = "/squads/",
    .is_keyed_by_name = true,
    .row_bytes = sizeof(struct vr_squad_row),
    .id_offset = offsetof(struct vr_squad_row, id),
    .version_offset = offsetof(struct vr_squad_row, row_version),
    .find = squad_find,
    .insert = squad_insert,
    .update = squad_update,
    .remove = squad_remove,
    .fini = squad_fini,
    .label = squad_label,
    .stored = set_hosts,
};

VR_NOUN_HANDLER(squad, create)
VR_NOUN_HANDLER(squad, replace)
VR_NOUN_HANDLER(squad, patch)
VR_NOUN_HANDLER(squad, patch_list)
VR_NOUN_HANDLER(squad, delete)
VR_NOUN_HISTORY(squad)

/* Most hosts of the squad are gone for good: the engine need not suspect itself any longer. */
static int accept_loss(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(squad) squad = {0};
    int r = vr_store_squad_find(w->tx, w->call->args[0], &squad, err);

    if (r == 0)
        r = vr_store_squad_ack_loss(w->tx, squad.id, w->call->now, err);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){
                              .action = "accept loss",
                              .object = squad.name,
                              .page = "/squads/",
                              .resource = vr_resource_name(VR_RES_SQUADS),
                              .object_id = squad.id,
                          },
                          err);
    return r < 0 ? r : vr_write_answer(w, 202, NULL, NULL);
}

static int squad_accept_loss(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, accept_loss, NULL, err);
}

/* ------------------------------------------------------------------ hosts */

/* An operator's override of what the host says of itself. */
static int read_address(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_host_row *host = row;
    const char *text = json_string_value(value);
    unsigned char bytes[sizeof(struct in6_addr)];

    if (!text ||
        (*text && inet_pton(AF_INET, text, bytes) != 1 && inet_pton(AF_INET6, text, bytes) != 1))
        return vr_fail(err, VR_INVALID, "host address '%s' is no IP address", text ? text : "");
    vr_noun_set(&host->address, text);
    return 0;
}

static int read_roles(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    static const char *const known[] = {"app", "build", "balancer"};
    struct vr_host_row *host = row;
    char *text;
    json_t *role;
    size_t i;

    if (!json_is_array(value))
        return vr_fail(err, VR_INVALID, "field 'roles' is not a list");
    json_array_foreach (value, i, role) {
        const char *name = json_string_value(role);
        bool found = false;

        for (size_t k = 0; k < VR_COUNT(known); k++)
            found = found || vr_streq(known[k], name);
        if (!found || i >= VR_COUNT(known))
            return vr_fail(err, VR_INVALID, "roles of a host are app, build, balancer");
    }
    text = vr_json_dump(value);
    free(host->roles);
    host->roles = text;
    return 0;
}

static const struct vr_noun_field host_fields[] = {
    {"name", VR_NOUN_NAME, offsetof(struct vr_host_row, name), true, VR_NAME_HOST},
    {"active", VR_NOUN_BOOL, offsetof(struct vr_host_row, active)},
    {"squad", VR_NOUN_REF_NULL, offsetof(struct vr_host_row, squad_id), .resource = VR_RES_SQUADS},
    {"address", VR_NOUN_OWN, offsetof(struct vr_host_row, address), .read = read_address},
    {"roles", VR_NOUN_OWN, offsetof(struct vr_host_row, roles), .read = read_roles,
     .form = VR_FORM_JSON},
};

VR_NOUN_STORE(host)
VR_NOUN_UPDATE(host)
VR_NOUN_FIND_NAME(host)

static char *host_label(const void *row)
{
    const struct vr_host_row *host = row;

    return vr_strdup(host->name);
}

static void host_preset(const struct vr_write *w, void *row)
{
    struct vr_host_row *host = row;

    host->active = true;
    host->address = vr_strdup("");
    host->roles = vr_strdup("[\"app\"]");
}

static const struct vr_noun host_noun = {
    .resource = VR_RES_HOSTS,
    .title = "host",
    .fields = host_fields,
    .field_count = VR_COUNT(host_fields),
    .page = "/hosts/",
    .is_keyed_by_name = true,
    .row_bytes = sizeof(struct vr_host_row),
    .id_offset = offsetof(struct vr_host_row, id),
    .version_offset = offsetof(struct vr_host_row, row_version),
    .find = host_find,
    .insert = host_insert,
    .update = host_update,
    .remove = host_remove,
    .fini = host_fini,
    .label = host_label,
    .preset = host_preset,
};

VR_NOUN_HANDLER(host, create)
VR_NOUN_HANDLER(host, replace)
VR_NOUN_HANDLER(host, patch)
VR_NOUN_HANDLER(host, patch_list)
VR_NOUN_HANDLER(host, delete)
VR_NOUN_HISTORY(host)

const struct vr_route vr_routes_squad[] = {
    {"POST", "squads", VR_ROLE_ADMIN, squad_create},
    {"PUT", "squads/*", VR_ROLE_ADMIN, squad_replace},
    {"PATCH", "squads/*", VR_ROLE_ADMIN, squad_patch},
    {"PATCH", "squads", VR_ROLE_ADMIN, squad_patch_list},
    {"DELETE", "squads/*", VR_ROLE_ADMIN, squad_delete},
    {"POST", "squads/*/accept-loss", VR_ROLE_ADMIN, squad_accept_loss},
    {"POST", "hosts", VR_ROLE_ADMIN, host_create},
    {"PUT", "hosts/*", VR_ROLE_ADMIN, host_replace},
    {"PATCH", "hosts/*", VR_ROLE_ADMIN, host_patch},
    {"PATCH", "hosts", VR_ROLE_ADMIN, host_patch_list},
    {"DELETE", "hosts/*", VR_ROLE_ADMIN, host_delete},
    VR_NOUN_HISTORY_ROUTES(squad, "squads", VR_ROLE_VIEWER, VR_ROLE_ADMIN, VR_SCOPE_PLATFORM),
    VR_NOUN_HISTORY_ROUTES(host, "hosts", VR_ROLE_VIEWER, VR_ROLE_ADMIN, VR_SCOPE_PLATFORM),
    {NULL},
};
