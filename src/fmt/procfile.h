/* SPDX-License-Identifier: MIT */
/* The Procfile of an app: names of procs and their command lines, in the order of the file. */
#ifndef VR_FMT_PROCFILE_H
#define VR_FMT_PROCFILE_H

#include "core/str.h"

#define VR_PROCFILE_BYTES   (64u << 10)
#define VR_PROCFILE_ENTRIES 200u

struct vr_procfile;

/** An empty one, to be filled by vr_procfile_add(). */
struct vr_procfile *vr_procfile_new(void);
struct vr_procfile *vr_procfile_free(struct vr_procfile *pf);
VR_DEFINE_OWNED(struct vr_procfile, vr_procfile_free)

/**
 * Parse the text: a YAML mapping of texts first; when YAML rejects it, line by line as Heroku
 * does, `^([A-Za-z0-9_-]+):\s*(.+)$`, with empty lines and `#` comments skipped.
 * @out  given; release with vr_procfile_free()
 *
 * Returns -VR_PARSE naming the line, or -VR_LIMIT. An empty file is a Procfile without entries.
 */
VR_MUST_USE
int vr_procfile_parse(struct vr_str text, struct vr_procfile **out, struct vr_err *err);

/** Add an entry unless the name is there: the buildpack's default_process_types come last. */
VR_MUST_USE
int vr_procfile_add(struct vr_procfile *pf, const char *name, const char *command,
                    struct vr_err *err);

size_t vr_procfile_count(const struct vr_procfile *pf);
/** Borrowed; i < count. */
const char *vr_procfile_name(const struct vr_procfile *pf, size_t i);
const char *vr_procfile_command(const struct vr_procfile *pf, size_t i);

/**
 * The command of a proc; borrowed. Returns -VR_NOT_FOUND with the list of those there are:
 * "no proc 'wbe' in the Procfile; it has: web, worker".
 */
VR_MUST_USE
int vr_procfile_get(const struct vr_procfile *pf, const char *name, const char **out_command,
                    struct vr_err *err);

#endif
