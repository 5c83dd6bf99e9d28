/* SPDX-License-Identifier: MIT */
/*
 * XML-RPC, the side that answers.
 *
 * expat gives the elements; they are kept as a small tree, which is then read as a call. The tree
 * lets the reading be as plain as the format: a value is its only child element, or text. White
 * space around elements means nothing, that inside a string does.
 */
#include "fmt/xmlrpc.h"

#include <expat.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES  24 /* longest name of an element: dateTime.iso8601 */
#define METHOD_MAX  200
#define ANSWER_MAX  (32u << 20)
#define REPLACEMENT "\xef\xbf\xbd"

struct node {
    char name[NAME_BYTES];
    struct vr_buf text;
    struct node *parent, *first, *last, *next;
};

struct reader {
    XML_Parser xml;
    struct node *root, *at;
    int depth, count;
    struct vr_err err;
    int r;
};

/* ------------------------------------------------------------------ the tree */

static struct node *node_free(struct node *node)
{
    if (!node)
        return NULL;
    for (struct node *child = node->first, *next; child; child = next) {
        next = child->next;
        node_free(child);
    }
    vr_buf_fini(&node->text);
    free(node);
    return NULL;
}
VR_DEFINE_OWNED(struct node, node_free)

static void stop(struct reader *reader, int r)
{
    if (reader->r == 0)
        reader->r = r;
    XML_StopParser(reader->xml, XML_FALSE);
}

static void on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *reader = user;
    struct node *node;

    if (++reader->depth > VR_XMLRPC_DEPTH || ++reader->count > VR_XMLRPC_NODES) {
        stop(reader,
             vr_fail(&reader->err, VR_LIMIT, "a call has at most %d elements, %d in each other",
                     VR_XMLRPC_NODES, VR_XMLRPC_DEPTH));
        return;
    }
    if (strlen(name) >= NAME_BYTES) {
        stop(reader, vr_fail(&reader->err, VR_PARSE, "element '%.40s' is none of XML-RPC", name));
        return;
    }
    node = vr_alloc(sizeof(*node));
    memcpy(node->name, name, strlen(name) + 1);
    node->text = VR_BUF(VR_XMLRPC_BYTES);
    node->parent = reader->at;
    if (!reader->at)
        reader->root = node;
    else if (reader->at->last)
        reader->at->last->next = node;
    else
        reader->at->first = node;
    if (reader->at)
        reader->at->last = node;
    reader->at = node;
}

static void on_end(void *user, const XML_Char *name)
{
    struct reader *reader = user;

    reader->depth--;
    reader->at = reader->at->parent;
}

static void on_text(void *user, const XML_Char *text, int n)
{
    struct reader *reader = user;

    if (reader->at)
        vr_buf_add_n(&reader->at->text, text, (size_t)n);
}

static void on_doctype(void *user, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public, int has_subset)
{
    struct reader *reader = user;

    stop(reader, vr_fail(&reader->err, VR_PARSE, "a call has no document type"));
}

static int read_tree(struct vr_str text, struct node **out, struct vr_err *err)
{
    struct reader reader = {.xml = XML_ParserCreate("UTF-8"), .err = VR_ERR_NULL};
    enum XML_Status status;

    if (!reader.xml)
        return vr_fail(err, VR_LIMIT, "no memory for XML");
    XML_SetUserData(reader.xml, &reader);
    XML_SetElementHandler(reader.xml, on_start, on_end);
    XML_SetCharacterDataHandler(reader.xml, on_text);
    XML_SetStartDoctypeDeclHandler(reader.xml, on_doctype);
    status = XML_Parse(reader.xml, text.p, (int)text.n, XML_TRUE);
    if (status != XML_STATUS_OK && reader.r == 0)
        reader.r = vr_fail(&reader.err, VR_PARSE, "line %lu: %s",
                           (unsigned long)XML_GetCurrentLineNumber(reader.xml),
                           XML_ErrorString(XML_GetErrorCode(reader.xml)));
    XML_ParserFree(reader.xml);
    if (reader.r < 0) {
        node_free(reader.root);
        if (err)
            *err = reader.err;
        return reader.r;
    }
    *out = reader.root;
    return 0;
}

/* ------------------------------------------------------------------ the call */

static const struct node *child(const struct node *node, const char *name)
{
    for (const struct node *c = node ? node->first : NULL; c; c = c->next)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

/* A number or a name may have white space around it. */
static struct vr_str trimmed(const struct node *node)
{
    static const char spaces[] = " \t\r\n";
    struct vr_str text = vr_str(vr_buf_text(&node->text));

    while (text.n && strchr(spaces, *text.p))
        text = (struct vr_str){text.p + 1, text.n - 1};
    while (text.n && strchr(spaces, text.p[text.n - 1]))
        text.n--;
    return text;
}

static int read_value(const struct node *node, json_t **out, struct vr_err *err);

static int read_array(const struct node *node, json_t **out, struct vr_err *err)
{
    const struct node *data = child(node, "data");
    vr_auto_json json_t *list = json_array();

    if (!data)
        return vr_fail(err, VR_PARSE, "an array without data");
    for (const struct node *c = data->first; c; c = c->next) {
        json_t *value;
        int r = read_value(c, &value, err);

        if (r < 0)
            return r;
        json_array_append_new(list, value);
    }
    *out = vr_take(list);
    return 0;
}

static int read_struct(const struct node *node, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *object = json_object();

    for (const struct node *c = node->first; c; c = c->next) {
        const struct node *name = child(c, "name"), *value = child(c, "value");
        json_t *member;
        int r;

        if (strcmp(c->name, "member") != 0 || !name || !value)
            return vr_fail(err, VR_PARSE, "a struct has members with name and value only");
        r = read_value(value, &member, err);
        if (r < 0)
            return r;
        json_object_set_new(object, vr_buf_text(&name->text), member);
    }
    *out = vr_take(object);
    return 0;
}

static int read_double(struct vr_str text, json_t **out, struct vr_err *err)
{
    vr_auto_free char *copy = vr_strndup(text.p, text.n);
    char *end;
    double d = strtod(copy, &end);

    if (!*copy || *end || !isfinite(d))
        return vr_fail(err, VR_PARSE, "'%.40s' is no double", copy);
    *out = json_real(d);
    return 0;
}

static int read_scalar(const struct node *node, json_t **out, struct vr_err *err)
{
    static const char *const integers[] = {"i4", "int", "i8"};
    static const char *const texts[] = {"string", "dateTime.iso8601", "base64"};
    struct vr_str text = trimmed(node);

    for (size_t i = 0; i < VR_COUNT(integers); i++) {
        int64_t n = 0;
        int r = 0;

        if (strcmp(node->name, integers[i]) != 0)
            continue;
        if (text.n > 1 && *text.p == '+')
            text = (struct vr_str){text.p + 1, text.n - 1};
        r = vr_parse_i64(text, INT64_MIN, INT64_MAX, &n, err);
        *out = r < 0 ? NULL : json_integer(n);
        return r < 0 ? vr_fail_in(err, -VR_PARSE, "%s", node->name) : 0;
    }
    for (size_t i = 0; i < VR_COUNT(texts); i++) {
        if (!strcmp(node->name, texts[i])) {
            *out = vr_json_text(vr_buf_text(&node->text), node->text.len);
            return 0;
        }
    }
    if (!strcmp(node->name, "boolean") && text.n == 1 && (*text.p == '0' || *text.p == '1')) {
        *out = json_boolean(*text.p == '1');
        return 0;
    }
    if (!strcmp(node->name, "double"))
        return read_double(text, out, err);
    if (!strcmp(node->name, "nil")) {
        *out = json_null();
        return 0;
    }
    return vr_fail(err, VR_PARSE, "'%.*s' is no %s", (int)(text.n < 40 ? text.n : 40), text.p,
                   node->name);
}

static int read_value(const struct node *node, json_t **out, struct vr_err *err)
{
    const struct node *type = node->first;

    if (strcmp(node->name, "value") != 0 || (type && type->next))
        return vr_fail(err, VR_PARSE, "'%s' stands where one value was expected", node->name);
    if (!type) {
        *out = vr_json_text(vr_buf_text(&node->text), node->text.len);
        return 0;
    }
    if (!strcmp(type->name, "array"))
        return read_array(type, out, err);
    if (!strcmp(type->name, "struct"))
        return read_struct(type, out, err);
    return read_scalar(type, out, err);
}

static int read_params(const struct node *params, json_t *out, struct vr_err *err)
{
    for (const struct node *c = params ? params->first : NULL; c; c = c->next) {
        json_t *value;
        int r;

        if (strcmp(c->name, "param") != 0 || !c->first)
            return vr_fail(err, VR_PARSE, "params has a '%s', or one without a value", c->name);
        r = read_value(c->first, &value, err);
        if (r < 0)
            return r;
        json_array_append_new(out, value);
    }
    return 0;
}

int vr_xmlrpc_parse_call(struct vr_str text, struct vr_xmlrpc_call *out, struct vr_err *err)
{
    VR_OWNED(node_free) struct node *root = NULL;
    vr_auto_json json_t *params = json_array();
    const struct node *name;
    struct vr_str method;
    int r;

    if (text.n > VR_XMLRPC_BYTES)
        return vr_fail(err, VR_LIMIT, "call is longer than %u bytes", VR_XMLRPC_BYTES);
    r = read_tree(text, &root, err);
    if (r < 0)
        return r;
    name = child(root, "methodName");
    if (strcmp(root->name, "methodCall") != 0 || !name)
        return vr_fail(err, VR_PARSE, "'%s' is no methodCall with a methodName", root->name);
    method = trimmed(name);
    if (!method.n || method.n > METHOD_MAX)
        return vr_fail(err, VR_PARSE, "methodName has 1 to %d characters", METHOD_MAX);
    r = read_params(child(root, "params"), params, err);
    if (r < 0)
        return r;
    *out = (struct vr_xmlrpc_call){vr_strndup(method.p, method.n), vr_take(params)};
    return 0;
}

void vr_xmlrpc_call_fini(struct vr_xmlrpc_call *call)
{
    free(call->method);
    json_decref(call->params);
    *call = (struct vr_xmlrpc_call){0};
}

/* ------------------------------------------------------------------ answers */

/* U+FFFE and U+FFFF have no place in XML. */
static bool is_noncharacter(const char *text, size_t n)
{
    return n > 2 && !memcmp(text, "\xef\xbf", 2) && (unsigned char)text[2] >= 0xbe;
}

static void add_text(struct vr_buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '&')
            vr_buf_add(out, "&amp;");
        else if (c == '<')
            vr_buf_add(out, "&lt;");
        else if (c == '>')
            vr_buf_add(out, "&gt;");
        else if (c == '\r') /* a bare one would be read as a line feed */
            vr_buf_add(out, "&#13;");
        else if (c < ' ' && c != '\t' && c != '\n')
            vr_buf_add(out, REPLACEMENT);
        else if (is_noncharacter(text + i, n - i)) {
            vr_buf_add(out, REPLACEMENT);
            i += 2;
        } else
            vr_buf_addc(out, text[i]);
    }
}

static void add_value(struct vr_buf *out, const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    vr_buf_add(out, "<value>");
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        vr_buf_add(out, "<struct>");
        json_object_foreach ((json_t *)value, key, member) {
            vr_buf_add(out, "<member><name>");
            add_text(out, key, strlen(key));
            vr_buf_add(out, "</name>");
            add_value(out, member);
            vr_buf_add(out, "</member>");
        }
        vr_buf_add(out, "</struct>");
        break;
    case JSON_ARRAY:
        vr_buf_add(out, "<array><data>");
        json_array_foreach (value, i, member)
            add_value(out, member);
        vr_buf_add(out, "</data></array>");
        break;
    case JSON_STRING:
        vr_buf_add(out, "<string>");
        add_text(out, json_string_value(value), json_string_length(value));
        vr_buf_add(out, "</string>");
        break;
    case JSON_INTEGER:
        if (json_integer_value(value) >= INT32_MIN && json_integer_value(value) <= INT32_MAX)
            vr_buf_addf(out, "<int>%lld</int>", (long long)json_integer_value(value));
        else
            vr_buf_addf(out, "<string>%lld</string>", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        vr_buf_addf(out, "<double>%.17g</double>", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        vr_buf_addf(out, "<boolean>%d</boolean>", json_is_true(value));
        break;
    case JSON_NULL:
        vr_buf_add(out, "<nil/>");
        break;
    }
    vr_buf_add(out, "</value>");
}

#define PROLOG "<?xml version='1.0' encoding='UTF-8'?>\n<methodResponse>"

char *vr_xmlrpc_response(const json_t *value)
{
    vr_auto_buf struct vr_buf out = VR_BUF(ANSWER_MAX);
    char *text;

    vr_buf_add(&out, PROLOG "<params><param>");
    add_value(&out, value);
    vr_buf_add(&out, "</param></params></methodResponse>\n");
    if (vr_buf_finish(&out, &text, NULL) < 0)
        return vr_xmlrpc_fault(VR_LIMIT, "the answer is too long");
    return text;
}

char *vr_xmlrpc_fault(int code, const char *text)
{
    vr_auto_buf struct vr_buf out = VR_BUF(ANSWER_MAX);
    vr_auto_json json_t *fault =
        json_pack("{s:i, s:o}", "faultCode", code, "faultString", vr_json_text(text, strlen(text)));

    vr_buf_add(&out, PROLOG "<fault>");
    add_value(&out, fault);
    vr_buf_add(&out, "</fault></methodResponse>\n");
    return vr_strdup(vr_buf_text(&out));
}
