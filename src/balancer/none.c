/* SPDX-License-Identifier: MIT */
/* The driver without a balancer: somebody else routes, so whatever is wanted is true at once. */
#include "balancer/balancer_driver.h"

#include "balancer/options.h"

static int none_open(const struct vr_balancer_driver_spec *spec, void **out_self,
                     struct vr_err *err)
{
    int r = vr_options_check_names(spec->options, NULL, 0, err);

    if (r < 0)
        return r;
    *out_self = NULL;
    return 0;
}

static void none_close(void *self)
{
}

static int none_sync(void *self, struct vr_balancer_view *view, struct vr_err *err)
{
    for (size_t i = 0; i < view->pool_count; i++) {
        struct vr_balancer_pool_view *pool = &view->pools[i];

        view->changes += pool->applied != pool->generation;
        pool->applied = pool->confirmed = pool->generation;
    }
    return 0;
}

static int none_shutdown(void *self, struct vr_err *err)
{
    return 0;
}

const struct vr_balancer_driver vr_balancer_none = {
    .name = "none",
    .open = none_open,
    .close = none_close,
    .sync = none_sync,
    .shutdown = none_shutdown,
};
