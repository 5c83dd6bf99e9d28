/* SPDX-License-Identifier: MIT */
/* Settings of the whole platform: cluster id, salts. */
#ifndef VR_STORE_SETTINGS_H
#define VR_STORE_SETTINGS_H

#include "store/store.h"

/** @out given; release with free(). -VR_NOT_FOUND. */
VR_MUST_USE
int vr_store_setting_find(struct vr_tx *tx, const char *name, char **out, struct vr_err *err);
VR_MUST_USE
int vr_store_setting_set(struct vr_tx *tx, const char *name, const char *value, struct vr_err *err);
/** The value, after setting it to `value` if there was none: made once, whoever comes first. */
VR_MUST_USE
int vr_store_setting_take(struct vr_tx *tx, const char *name, const char *value, char **out,
                          struct vr_err *err);

#endif
