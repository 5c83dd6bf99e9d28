/* SPDX-License-Identifier: MIT */
/* YAML 1.1 as PyYAML's safe_load and safe_dump have it, under limits, to and from JSON values. */
#ifndef VR_FMT_YAML_H
#define VR_FMT_YAML_H

#include "fmt/json.h"

#define VR_YAML_BYTES (1u << 20) /* of text */
#define VR_YAML_NODES                                                                              \
    100000u /* scalars and collections, each alias counted as what it stands for */
#define VR_YAML_DEPTH VR_JSON_DEPTH

/**
 * Read one document. An empty text is null.
 *
 * Plain scalars mean what YAML 1.1 says: yes/no/on/off are booleans, 012 and 0x1f and 0b1 and
 * 1_000 and 1:30 are integers, a float needs a dot. Timestamps stay texts in ISO form. `<<`
 * merges mappings; anchors and aliases are expanded by value.
 * @out  given; release with json_decref()
 *
 * Returns 0, -VR_PARSE with line and column, or -VR_LIMIT. Refused as -VR_PARSE: duplicate keys
 * (named with their line), keys that are not texts ("dictionary key must be string"), a second
 * document, bytes that are not UTF-8, NUL in a text, integers beyond 64 bits, .inf and .nan, an
 * alias inside its own anchor, and tags other than the standard ones.
 */
VR_MUST_USE
int vr_yaml_parse(struct vr_str text, json_t **out, struct vr_err *err);

/**
 * Write as PyYAML's safe_dump(default_flow_style=False) does, byte for byte: block style, sorted
 * keys, folding at 80 columns, ASCII only. A plain value gives "null\n...\n". Given; free().
 */
char *vr_yaml_dump(const json_t *value);

/** Read one plain scalar as vr_yaml_parse() would: `yes` gives true, `1:30` gives 90. Given. */
VR_MUST_USE
int vr_yaml_resolve(struct vr_str scalar, json_t **out, struct vr_err *err);

#endif
