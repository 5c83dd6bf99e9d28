/* SPDX-License-Identifier: MIT */
/* Names that are composed: of procs, swarms, releases, builds. Shown to people, never parsed. */
#ifndef VR_MODEL_LABEL_H
#define VR_MODEL_LABEL_H

#include <stdint.h>

/* All give a text on the heap; release with free(). */

/** `<app>-<version>-<config>-<hash>-<proc>-<port>`, the display name of a proc. */
char *vr_label_proc(const char *app, const char *version, const char *config, const char *hash,
                    const char *proc, int port);
/** `<app>-<version>-<proc>` */
char *vr_label_proc_short(const char *app, const char *version, const char *proc);
/** `<host>-<name>`, the contract's id of a proc. */
char *vr_label_proc_id(const char *host, const char *name);
/** The name with each `.` as `dot`, for element ids of old pages. */
char *vr_label_proc_js(const char *name);
/** `<host>:<port>` */
char *vr_label_node(const char *host, int port);
/** `vr-<proc_id>.<generation>`, the id of a container. */
char *vr_label_container(int64_t proc_id, int64_t generation);

/** `<app>-<version>-<config>-<hash>-<proc>`; a NULL or empty hash reads `None`. */
char *vr_label_swarm(const char *app, const char *version, const char *config, const char *hash,
                     const char *proc);
/** `<app>-<version>-<config>-<proc>` */
char *vr_label_swarm_short(const char *app, const char *version, const char *config,
                           const char *proc);
/** `<app>-<config>-<proc>`: what the command line calls a swarm. */
char *vr_label_swarm_cli(const char *app, const char *config, const char *proc);

/** `<app>-<tag>-<hash>`, compiled_name of a release; the hash may be NULL. */
char *vr_label_release(const char *app, const char *tag, const char *hash);
/** `<app>-<tag>` */
char *vr_label_build(const char *app, const char *tag);
/** `<app>-<version>-<md5>.squashfs` */
char *vr_label_build_file(const char *app, const char *version, const char *md5);
/** Last part of a buildpack's URL, without `#revision` and `.git`. */
char *vr_label_buildpack(const char *repo_url);
/** The part of a host's name before the first dot. */
char *vr_label_host_short(const char *host);
/** `RAM=<mem>/RAM+Swap=<memsw>`, of which either may be NULL; "" for none. */
char *vr_label_memory(const char *mem_limit, const char *memsw_limit);

#endif
