/* SPDX-License-Identifier: MIT */
/* XML-RPC: calls read into JSON values, answers written from them (http://xmlrpc.com/spec.md). */
#ifndef VR_FMT_XMLRPC_H
#define VR_FMT_XMLRPC_H

#include "fmt/json.h"

#define VR_XMLRPC_BYTES (64u << 10) /* of a call */
#define VR_XMLRPC_DEPTH 64          /* of its elements: about 20 arrays in each other */
#define VR_XMLRPC_NODES 4096        /* of its elements */

struct vr_xmlrpc_call {
    char *method;
    json_t *params; /* an array */
};

void vr_xmlrpc_call_fini(struct vr_xmlrpc_call *call);
#define vr_auto_xmlrpc __attribute__((cleanup(vr_xmlrpc_call_fini)))

/**
 * Parse a methodCall. i4, int and i8 become integers, boolean, double, nil and string what they
 * say; dateTime.iso8601 and base64 stay text. A document type is refused: nothing here needs
 * entities.
 * @out  filled on success, release with vr_xmlrpc_call_fini()
 *
 * Returns -VR_PARSE with the place, -VR_LIMIT.
 */
VR_MUST_USE
int vr_xmlrpc_parse_call(struct vr_str text, struct vr_xmlrpc_call *out, struct vr_err *err);

/**
 * The methodResponse with one value; given, release with free(). Integers beyond 32 bits are
 * written as strings, null as nil, characters that XML has no place for as U+FFFD.
 */
char *vr_xmlrpc_response(const json_t *value);

/** The methodResponse of a fault; given. */
char *vr_xmlrpc_fault(int code, const char *text);

#endif
