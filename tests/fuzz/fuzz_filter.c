/* SPDX-License-Identifier: MIT */
/*
 * Whatever query a client sends to a list: it is refused with a sentence, or the SQL made of it
 * runs. The first byte chooses the resource.
 */
#include "store/resource.h"
#include "sys/fs.h"

#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_US INT64_C(1790000000000000)

/* As long as the process: opening it costs more than a run. */
static struct vr_store *store;
static char folder[] = "/tmp/vr-fuzz-XXXXXX";

static void remove_store(void)
{
    vr_store_free(store);
    vr_ignore(vr_fs_remove_tree(folder, NULL), "nothing can be done about it");
}

static struct vr_tx *open_empty(void)
{
    struct vr_tx *tx = NULL;

    if (!store) {
        vr_auto_free char *url = NULL;

        if (!mkdtemp(folder))
            abort();
        url = vr_strf("sqlite:%s/db", folder);
        if (vr_store_open(url, NULL, &store, NULL) < 0 || atexit(remove_store))
            abort();
    }
    if (vr_store_begin(store, VR_DB_READ, &tx, NULL) < 0)
        abort();
    return tx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_list struct vr_list list = {0};
    struct vr_list_spec spec = {.limit = 10, .now = {NOW_US}};
    struct vr_err err = VR_ERR_NULL;
    int r;

    if (!size ||
        vr_query_parse((struct vr_str){(const char *)data + 1, size - 1}, &query, NULL) < 0)
        return 0;
    tx = open_empty();
    spec.resource = (enum vr_resource)(data[0] % VR_RES_COUNT);
    spec.query = query;
    r = vr_store_list(tx, &spec, &list, &err);
    if (r < 0 && r != -VR_INVALID && r != -VR_LIMIT)
        abort();
    if (r < 0 && !*err.msg)
        abort();
    return 0;
}
