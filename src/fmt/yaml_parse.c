/* SPDX-License-Identifier: MIT */
/*
 * YAML to JSON values.
 *
 * libyaml, which is PyYAML's own scanner in C, is used as a parser of events only. The events are
 * read by recursive descent, plain scalars get their 1.1 meaning, and whatever an alias stands for
 * is copied and counted, so that the result is a plain tree whose size was bounded before it was
 * made. libfyaml is not used: its release 0.7.12 loses the text of a literal behind a tag, and
 * characters of quoted scalars with doubled quotes or an escaped backslash at the end of a line.
 *
 * A read_*() function finds the first event of its node in `event` and leaves the last one there.
 */
#include "fmt/yaml.h"

#include "fmt/utf8.h"
#include "fmt/yaml_scalar.h"

#include <yaml.h>

/* Bytes of all texts, keys and numbers when aliases are expanded. */
#define EXPANDED_BYTES (4 * VR_YAML_BYTES)

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    json_t *anchors;    /* name to value */
    size_t nodes;
    size_t bytes;
};

static void reader_init(struct reader *rd, struct vr_str text)
{
    memset(rd, 0, sizeof(*rd));
    rd->anchors = json_object();
    if (!yaml_parser_initialize(&rd->parser))
        abort();
    yaml_parser_set_encoding(&rd->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&rd->parser, (const unsigned char *)text.p, text.n);
}

static void reader_fini(struct reader *rd)
{
    yaml_event_delete(&rd->event);
    yaml_parser_delete(&rd->parser);
    json_decref(rd->anchors);
}

static int parser_failed(const struct reader *rd, struct vr_err *err)
{
    const yaml_parser_t *p = &rd->parser;

    if (p->error == YAML_MEMORY_ERROR)
        abort();
    return vr_fail(err, VR_PARSE, "line %zu, column %zu: %s%s%s", p->problem_mark.line + 1,
                   p->problem_mark.column + 1, p->context ? p->context : "", p->context ? ": " : "",
                   p->problem ? p->problem : "broken");
}

/* Go on to the next event. */
static int next(struct reader *rd, struct vr_err *err)
{
    yaml_event_delete(&rd->event);
    if (!yaml_parser_parse(&rd->parser, &rd->event))
        return parser_failed(rd, err);
    return 0;
}

/* Line of the current event, from 1. */
static size_t line_of(const struct reader *rd)
{
    return rd->event.start_mark.line + 1;
}

static struct vr_str scalar_text(const struct reader *rd)
{
    return (struct vr_str){(const char *)rd->event.data.scalar.value, rd->event.data.scalar.length};
}

/* A name of the current event that must survive it; NULL stays NULL. */
static char *copy_name(const yaml_char_t *name)
{
    return vr_strdup((const char *)name);
}

static int count(struct reader *rd, size_t nodes, size_t bytes, struct vr_err *err)
{
    rd->nodes += nodes;
    rd->bytes += bytes;
    if (rd->nodes > VR_YAML_NODES)
        return vr_fail(err, VR_LIMIT, "line %zu: more than %u values", line_of(rd), VR_YAML_NODES);
    if (rd->bytes > EXPANDED_BYTES)
        return vr_fail(err, VR_LIMIT, "line %zu: aliases expand to more than %u bytes", line_of(rd),
                       EXPANDED_BYTES);
    return 0;
}

/* Remember a finished node under its anchor, if it has one; a later one of that name wins. */
static void set_anchor(struct reader *rd, const char *anchor, json_t *value)
{
    if (anchor)
        vr_json_set(rd->anchors, anchor, json_incref(value));
}

static int read_alias(struct reader *rd, json_t **out, struct vr_err *err)
{
    vr_auto_free char *name = copy_name(rd->event.data.alias.anchor);
    const json_t *value = json_object_get(rd->anchors, name);
    int r;

    if (!value)
        return vr_fail(err, VR_PARSE, "line %zu: alias '*%.50s' without its anchor before it",
                       line_of(rd), name);
    r = count(rd, vr_json_count(value), vr_json_bytes(value), err);
    if (r < 0)
        return r;
    *out = json_deep_copy(value);
    return 0;
}

/*
 * The kind that a tag asks for. With `!!int` and its like the text must have a form of that kind,
 * quoted or not; `!!str` makes a text of anything.
 */
static int tagged_kind(const char *tag, struct vr_str text, enum vr_yaml_kind *out,
                       struct vr_err *err)
{
    static const struct {
        const char *tag;
        enum vr_yaml_kind kind;
    } tags[] = {
        {YAML_STR_TAG, VR_YAML_STR},     {YAML_NULL_TAG, VR_YAML_NULL},
        {YAML_BOOL_TAG, VR_YAML_BOOL},   {YAML_INT_TAG, VR_YAML_INT},
        {YAML_FLOAT_TAG, VR_YAML_FLOAT}, {YAML_TIMESTAMP_TAG, VR_YAML_TIMESTAMP},
    };
    enum vr_yaml_kind has = vr_yaml_kind(text);

    for (size_t i = 0; i < VR_COUNT(tags); i++) {
        enum vr_yaml_kind want = tags[i].kind;

        if (!vr_streq(tag, tags[i].tag))
            continue;
        if (want != VR_YAML_STR && want != has && !(want == VR_YAML_FLOAT && has == VR_YAML_INT))
            return vr_fail(err, VR_PARSE, "'%.*s' is not %s", (int)(text.n > 40 ? 40 : text.n),
                           text.p, vr_yaml_kind_title(want));
        *out = want;
        return 0;
    }
    return vr_fail(err, VR_PARSE, "the tag '%.60s' is not known here", tag);
}

/* `!` is the tag that says nothing; with it a quoted scalar is read as a plain one. */
static int scalar_kind(const struct reader *rd, enum vr_yaml_kind *out, struct vr_err *err)
{
    const char *tag = (const char *)rd->event.data.scalar.tag;
    bool plain = rd->event.data.scalar.plain_implicit || vr_streq(tag, "!");

    if (tag && !plain)
        return tagged_kind(tag, scalar_text(rd), out, err);
    *out = plain ? vr_yaml_kind(scalar_text(rd)) : VR_YAML_STR;
    return 0;
}

static int read_scalar(struct reader *rd, json_t **out, struct vr_err *err)
{
    struct vr_str text = scalar_text(rd);
    vr_auto_free char *anchor = copy_name(rd->event.data.scalar.anchor);
    enum vr_yaml_kind kind;
    int r;

    r = count(rd, 1, text.n, err);
    if (r < 0)
        return r;
    r = scalar_kind(rd, &kind, err);
    if (r == 0)
        r = vr_yaml_construct(kind, text, out, err);
    if (r < 0)
        return vr_fail_in(err, r, "line %zu", line_of(rd));
    set_anchor(rd, anchor, *out);
    return 0;
}

static int read_node(struct reader *rd, size_t depth, json_t **out, struct vr_err *err);

/* What begins a collection: a level, and a tag that may only say what it is anyway. */
static int begin_collection(struct reader *rd, size_t depth, const yaml_char_t *tag,
                            const char *standard, struct vr_err *err)
{
    const char *text = (const char *)tag;

    if (depth >= VR_YAML_DEPTH)
        return vr_fail(err, VR_LIMIT, "line %zu: nests deeper than %d levels", line_of(rd),
                       VR_YAML_DEPTH);
    if (text && !vr_streq(text, "!") && !vr_streq(text, standard))
        return vr_fail(err, VR_PARSE, "line %zu: the tag '%.60s' is not known here", line_of(rd),
                       text);
    return count(rd, 1, 2, err);
}

static int read_sequence(struct reader *rd, size_t depth, json_t **out, struct vr_err *err)
{
    vr_auto_free char *anchor = copy_name(rd->event.data.sequence_start.anchor);
    vr_auto_json json_t *array = json_array();
    int r;

    r = begin_collection(rd, depth, rd->event.data.sequence_start.tag, YAML_SEQ_TAG, err);
    if (r < 0)
        return r;
    for (;;) {
        json_t *item = NULL;

        r = next(rd, err);
        if (r < 0)
            return r;
        if (rd->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        r = read_node(rd, depth + 1, &item, err);
        if (r < 0)
            return r;
        vr_json_push(array, item);
    }
    set_anchor(rd, anchor, array);
    *out = vr_take(array);
    return 0;
}

/* Is the current event the key `<<`, written plain? */
static bool is_merge_key(const struct reader *rd)
{
    enum vr_yaml_kind kind;

    return rd->event.type == YAML_SCALAR_EVENT && scalar_kind(rd, &kind, NULL) == 0 &&
           kind == VR_YAML_MERGE;
}

/* The key that the current event is: given as a text of JSON. */
static int read_key(struct reader *rd, json_t **out, struct vr_err *err)
{
    size_t line = line_of(rd);
    enum vr_yaml_kind kind = VR_YAML_STR;
    vr_auto_json json_t *key = NULL;
    int r;

    if (rd->event.type != YAML_SCALAR_EVENT && rd->event.type != YAML_ALIAS_EVENT)
        return vr_fail(err, VR_PARSE, "line %zu: dictionary key must be string", line);
    if (rd->event.type == YAML_SCALAR_EVENT && scalar_kind(rd, &kind, NULL) == 0 &&
        (kind == VR_YAML_NULL || kind == VR_YAML_BOOL || kind == VR_YAML_INT ||
         kind == VR_YAML_FLOAT)) {
        struct vr_str text = scalar_text(rd);

        return vr_fail(err, VR_PARSE,
                       "line %zu: dictionary key must be string: '%.*s' means %s here; quote it",
                       line, (int)(text.n > 60 ? 60 : text.n), text.p, vr_yaml_kind_title(kind));
    }
    r = read_node(rd, VR_YAML_DEPTH, &key, err);
    if (r < 0)
        return r;
    if (!json_is_string(key))
        return vr_fail(err, VR_PARSE, "line %zu: dictionary key must be string", line);
    *out = vr_take(key);
    return 0;
}

/* Values of `from` for the keys that `into` does not have. */
static void fill_missing(json_t *into, const json_t *from)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)from, key, value) {
        if (!json_object_get(into, key))
            vr_json_set(into, key, json_incref(value));
    }
}

/* The value of `<<`: a mapping, or a sequence of them of which earlier ones win. */
static int read_merge(struct reader *rd, size_t depth, json_t *merged, struct vr_err *err)
{
    size_t line = line_of(rd);
    vr_auto_json json_t *value = NULL;
    json_t *item;
    size_t i;
    int r;

    r = read_node(rd, depth + 1, &value, err);
    if (r < 0)
        return r;
    if (json_is_object(value)) {
        fill_missing(merged, value);
        return 0;
    }
    if (!json_is_array(value))
        return vr_fail(err, VR_PARSE, "line %zu: '<<' takes a mapping or a list of them", line);
    json_array_foreach (value, i, item) {
        if (!json_is_object(item))
            return vr_fail(err, VR_PARSE, "line %zu: '<<' takes a mapping or a list of them", line);
        fill_missing(merged, item);
    }
    return 0;
}

static int read_pair(struct reader *rd, size_t depth, json_t *object, struct vr_err *err)
{
    vr_auto_json json_t *key = NULL, *value = NULL;
    size_t line = line_of(rd);
    int r;

    r = read_key(rd, &key, err);
    if (r < 0)
        return r;
    if (json_object_get(object, json_string_value(key)))
        return vr_fail(err, VR_PARSE, "line %zu: duplicate key '%.80s'", line,
                       json_string_value(key));
    r = next(rd, err);
    if (r < 0)
        return r;
    r = read_node(rd, depth + 1, &value, err);
    if (r < 0)
        return r;
    vr_json_set(object, json_string_value(key), vr_take(value));
    return 0;
}

static int read_mapping(struct reader *rd, size_t depth, json_t **out, struct vr_err *err)
{
    vr_auto_free char *anchor = copy_name(rd->event.data.mapping_start.anchor);
    vr_auto_json json_t *object = json_object(), *merged = NULL;
    int r;

    r = begin_collection(rd, depth, rd->event.data.mapping_start.tag, YAML_MAP_TAG, err);
    while (r == 0 && (r = next(rd, err)) == 0 && rd->event.type != YAML_MAPPING_END_EVENT) {
        if (!is_merge_key(rd)) {
            r = read_pair(rd, depth, object, err);
            continue;
        }
        if (merged)
            return vr_fail(err, VR_PARSE, "line %zu: duplicate key '<<'", line_of(rd));
        merged = json_object();
        r = next(rd, err);
        if (r == 0)
            r = read_merge(rd, depth, merged, err);
    }
    if (r < 0)
        return r;
    if (merged)
        fill_missing(object, merged);
    set_anchor(rd, anchor, object);
    *out = vr_take(object);
    return 0;
}

static int read_node(struct reader *rd, size_t depth, json_t **out, struct vr_err *err)
{
    switch (rd->event.type) {
    case YAML_ALIAS_EVENT:
        return read_alias(rd, out, err);
    case YAML_SCALAR_EVENT:
        return read_scalar(rd, out, err);
    case YAML_SEQUENCE_START_EVENT:
        return read_sequence(rd, depth, out, err);
    case YAML_MAPPING_START_EVENT:
        return read_mapping(rd, depth, out, err);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        break;
    }
    return vr_fail(err, VR_PARSE, "line %zu: a value is missing", line_of(rd));
}

/* The only document of the stream, or null when there is none. */
static int read_stream(struct reader *rd, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *value = NULL;
    int r;

    do {
        r = next(rd, err);
        if (r < 0)
            return r;
    } while (rd->event.type == YAML_STREAM_START_EVENT ||
             rd->event.type == YAML_DOCUMENT_START_EVENT);
    if (rd->event.type == YAML_STREAM_END_EVENT) {
        *out = json_null();
        return 0;
    }
    r = read_node(rd, 0, &value, err);
    if (r < 0)
        return r;
    do {
        r = next(rd, err);
        if (r < 0)
            return r;
    } while (rd->event.type == YAML_DOCUMENT_END_EVENT);
    if (rd->event.type != YAML_STREAM_END_EVENT)
        return vr_fail(err, VR_PARSE, "line %zu: more than one document", line_of(rd));
    *out = vr_take(value);
    return 0;
}

/* The characters that YAML 1.1 calls printable. */
static bool is_printable(uint32_t c)
{
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0x7e) || c == 0x85 ||
           (c >= 0xa0 && c <= 0xfffd) || (c >= 0x10000 && c <= 0x10ffff);
}

static int check_characters(struct vr_str text, struct vr_err *err)
{
    size_t line = 1;

    for (size_t at = 0; at < text.n;) {
        uint32_t code;
        size_t n = vr_utf8_next((struct vr_str){text.p + at, text.n - at}, &code);

        if (!n)
            return vr_fail(err, VR_PARSE, "line %zu: not UTF-8", line);
        if (!is_printable(code))
            return vr_fail(err, VR_PARSE, "line %zu: control character U+%04X", line,
                           (unsigned)code);
        line += code == '\n';
        at += n;
    }
    return 0;
}

int vr_yaml_parse(struct vr_str text, json_t **out, struct vr_err *err)
{
    struct reader rd;
    int r;

    if (text.n > VR_YAML_BYTES)
        return vr_fail(err, VR_LIMIT, "YAML of %zu bytes is longer than %u", text.n, VR_YAML_BYTES);
    r = check_characters(text, err);
    if (r < 0)
        return r;
    reader_init(&rd, text.n ? text : vr_str(""));
    r = read_stream(&rd, out, err);
    reader_fini(&rd);
    return r;
}

int vr_yaml_resolve(struct vr_str scalar, json_t **out, struct vr_err *err)
{
    return vr_yaml_construct(vr_yaml_kind(scalar), scalar, out, err);
}
