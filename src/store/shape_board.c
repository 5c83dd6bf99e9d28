/* SPDX-License-Identifier: MIT */
/* Shapes of dashboards and of what users prefer. */
#include "store/shape.h"

#define TABLES(f, g)                                                                               \
    .fields = (f), .field_count = VR_COUNT(f), .filters = (g), .filter_count = VR_COUNT(g)

/* --- dashboards --- */

static const struct vr_shape_field dashboard_fields[] = {
    {"id", "d.id", vr_write_int},
    {"name", "d.name", vr_write_text},
    {"slug", "d.slug", vr_write_text},
    {"apps", .children = &vr_shape_dashboard_apps, .link = "x.dashboard_id"},
    {"resource_uri", "'/api/v1/dashboard/' || d.id || '/'", vr_write_text},
    {"row_version", "d.row_version", vr_write_int},
};

#define APPS_OF_DASHBOARD                                                                          \
    "EXISTS (SELECT 1 FROM dashboard_apps fx JOIN apps fa ON fa.id = fx.app_id"                    \
    " WHERE fx.dashboard_id = d.id AND "

static const struct vr_shape_filter dashboard_filters[] = {
    {"id", VR_FILTER_INT, "d.id"},
    {"name", VR_FILTER_TEXT, "d.name"},
    {"slug", VR_FILTER_TEXT, "d.slug"},
    {"apps", VR_FILTER_ID, "fa.id", APPS_OF_DASHBOARD, ")"},
    {"apps__id", VR_FILTER_INT, "fa.id", APPS_OF_DASHBOARD, ")"},
    {"apps__name", VR_FILTER_TEXT, "fa.name", APPS_OF_DASHBOARD, ")"},
};

const struct vr_shape vr_shape_dashboards = {
    .from = "dashboards d",
    .id = "d.id",
    .order = "d.name, d.id",
    TABLES(dashboard_fields, dashboard_filters),
};

/* --- profiles --- */

static const struct vr_shape_field quick_fields[] = {
    {"", "'/api/v1/dashboard/' || x.dashboard_id || '/'", vr_write_text},
};

static const struct vr_shape quick_uris = {
    .from = "profile_dashboards x JOIN dashboards d ON d.id = x.dashboard_id",
    .id = "x.dashboard_id",
    .order = "d.name, d.id",
    .fields = quick_fields,
    .field_count = VR_COUNT(quick_fields),
};

static const struct vr_shape_field profile_fields[] = {
    {"id", "f.id", vr_write_int},
    {"default_dashboard", "'/api/v1/dashboard/' || f.default_dashboard_id || '/'", vr_write_text},
    {"quick_dashboards", .children = &quick_uris, .link = "x.profile_id"},
    {"resource_uri", "'/api/v1/profile/' || f.id || '/'", vr_write_text},
    {"row_version", "f.row_version", vr_write_int},
};

static const struct vr_shape_filter profile_filters[] = {
    {"id", VR_FILTER_INT, "f.id"},
    {"default_dashboard", VR_FILTER_ID, "f.default_dashboard_id"},
};

const struct vr_shape vr_shape_profiles = {
    .from = "profiles f",
    .id = "f.id",
    .owner = "f.user_id",
    .order = "f.id",
    TABLES(profile_fields, profile_filters),
};
