/* SPDX-License-Identifier: MIT */
/* The files of a container that start the app: proc.sh, env.sh, settings.yaml, passwd, group. */
#ifndef VR_RUNTIME_START_FILES_H
#define VR_RUNTIME_START_FILES_H

#include "runtime/bundle.h"

/** The text of /proc.sh: the order in which the environment is made is a contract. Given. */
char *vr_start_proc_sh(const char *command, uint16_t port);

/** Write the start files into spec->run_dir, readable by root and the app's group only. */
VR_MUST_USE
int vr_start_files_write(const struct vr_bundle_spec *spec, uid_t host_uid, gid_t host_gid,
                         struct vr_err *err);

/** Write passwd and group of the `host` stack into the upper layer. */
VR_MUST_USE
int vr_start_accounts_write(const struct vr_bundle_spec *spec, const char *upper, uid_t root_owner,
                            struct vr_err *err);

#endif
