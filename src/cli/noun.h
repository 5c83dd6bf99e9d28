/* SPDX-License-Identifier: MIT */
/* The nouns of the API as tables: where they are, what their fields are called, what is shown. */
#ifndef VR_CLI_NOUN_H
#define VR_CLI_NOUN_H

#include "cli/command.h"
#include "core/clock.h"

#include <jansson.h>

struct vr_api;

enum vr_field_type {
    VR_FIELD_TEXT,
    VR_FIELD_INT,
    VR_FIELD_BOOL,    /* yes or no */
    VR_FIELD_YAML,    /* YAML text; the option names a file, `-` is standard input */
    VR_FIELD_REF,     /* one object of another noun, by name or id */
    VR_FIELD_REFS,    /* several, separated by commas */
    VR_FIELD_VOLUMES, /* FROM:TO, separated by commas */
};

struct vr_field {
    const char *name;   /* in the API; also the option, with dashes */
    const char *option; /* NULL: as `name` */
    enum vr_field_type type;
    const char *ref; /* of VR_FIELD_REF and _REFS: the noun */
    const char *value;
    const char *help;
};

struct vr_column {
    const char *title;
    const char *field; /* a dot leads into an object; a URI shows its last part */
    bool wide;         /* only with -o wide */
    bool state;
};

struct vr_cli_noun {
    const char *name;  /* "app" */
    const char *about; /* one line for the help; NULL: its own command has one */
    const char *path;  /* "/api/v1/apps/" */
    const char *key;   /* in its URI: "name" or "id" */
    const char *label; /* the field that people call it by; the key if there is no other */
    const char *added; /* how it is made: fields of the arguments, "app config_name"; NULL: not */
    const struct vr_field *fields;
    size_t field_count;
    const struct vr_column *columns;
    size_t column_count;
};

#define VR_CLI_NOUN_FIELDS_MAX 32u

extern const struct vr_cli_noun vr_cli_nouns[];
extern const size_t vr_cli_noun_count;

/** The noun of a name, NULL if there is none. */
const struct vr_cli_noun *vr_cli_noun_find(const char *name);

/** The field of a name (as the API or the options have it), NULL if there is none. */
const struct vr_field *vr_cli_noun_field(const struct vr_cli_noun *noun, const char *name);

/**
 * Find one object by key, label, URI, or for swarms `<app>-<config>-<proc>`.
 * Returns -VR_NOT_FOUND with the noun and the name, -VR_EXISTS if several have that label.
 */
VR_MUST_USE
int vr_cli_noun_get(struct vr_api *api, const struct vr_cli_noun *noun, const char *name,
                    json_t **out, struct vr_err *err);

/** The URI of an object by name; given, free(). One of a noun keyed by name is not looked up. */
VR_MUST_USE
int vr_cli_noun_uri(struct vr_api *api, const struct vr_cli_noun *noun, const char *name,
                    char **out, struct vr_err *err);

/**
 * A time as people give it: `2026-01-31`, `2026-01-31T12:00:00Z`, or so long from now as in `30d`,
 * `12h`, `5m`, `2w`.
 * @sign  1: the span is to come, -1: it is past
 */
VR_MUST_USE
int vr_cli_time_parse(const char *text, int sign, struct vr_wall *out, struct vr_err *err);

/** What people call an object: its label or key; given. */
char *vr_cli_noun_label(const struct vr_cli_noun *noun, const json_t *object);

/** The text of a field for a table cell, times as local ones; given, "" if it is absent. */
char *vr_cli_noun_cell(const json_t *object, const char *field);

/**
 * Turn the text of an assignment into the value that the API wants: numbers, references looked up,
 * YAML from text.
 */
VR_MUST_USE
int vr_cli_noun_value(struct vr_api *api, const struct vr_field *field, const char *text,
                      json_t **out, struct vr_err *err);

#endif
