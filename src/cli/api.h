/* SPDX-License-Identifier: MIT */
/* The server as the commands see it: JSON in and out, one error with one exit code. */
#ifndef VR_CLI_API_H
#define VR_CLI_API_H

#include "cli/config.h"
#include "core/buf.h"
#include "net/http_client.h"

#include <jansson.h>

struct vr_api;

#define VR_API_LIST_LIMIT  1000u        /* objects asked for at once */
#define VR_API_OBJECTS_MAX 100000u      /* of one list */
#define VR_API_BODY_BYTES  (256u << 20) /* of one answer */
#define VR_API_TIMEOUT_MS  60000
#define VR_API_CONNECT_MS  10000
#define VR_API_TRIES       3   /* of a request whose answer was lost and that may be sent again */
#define VR_API_PAUSE_MS    250 /* before the second one; doubles */

/**
 * A session with the server that `config` names; nothing is sent yet.
 * @config  borrowed for this call; copied
 */
VR_MUST_USE
int vr_api_open(const struct vr_config *config, struct vr_api **out, struct vr_err *err);
struct vr_api *vr_api_close(struct vr_api *api);
VR_DEFINE_OWNED(struct vr_api, vr_api_close)

/** Show every request and its status on standard error. */
void vr_api_trace(struct vr_api *api);

#define VR_API_COMMENT_MAX 200 /* characters; the server takes no more */

/**
 * Say with every change that follows why it is made.
 * @text  copied; NULL: nothing is said
 * Returns -VR_INVALID if it is too long or has line ends or other control characters.
 */
VR_MUST_USE
int vr_api_comment(struct vr_api *api, const char *text, struct vr_err *err);

/** Give a request no longer than this; for what may rather fail than wait. */
void vr_api_limit(struct vr_api *api, int64_t timeout_ms);

/** The server's URL, ends in '/'; borrowed. */
const char *vr_api_url(const struct vr_api *api);

/** Fill in method, credentials and limits of a call; texts are borrowed from `api`. */
void vr_api_prepare(const struct vr_api *api, struct vr_http_call *call);

/** The absolute URL of a path; given, free(). */
char *vr_api_address(const struct vr_api *api, const char *path);

/** Turn an answer of 400 and more into its error; 0 for others. */
VR_MUST_USE
int vr_api_check(const struct vr_api *api, const struct vr_http_result *answer, struct vr_err *err);

/**
 * Send a request and take the answer. `path` begins with "/" and may have a query; values in it
 * are encoded already.
 * @body  borrowed, may be NULL
 * @out   given, json_decref(); NULL in it if the answer is empty; may be NULL itself
 *
 * Returns -code as the table in exit.h has it, with the sentence of the server, or -VR_BUSY if
 * there was no answer at all. A POST has an Idempotency-Key and is sent again when its answer was
 * lost; for tokens, which the server does not remember, it is not. Blocks.
 */
VR_MUST_USE
int vr_api_send(struct vr_api *api, const char *method, const char *path, const json_t *body,
                json_t **out, struct vr_err *err);
VR_MUST_USE
int vr_api_get(struct vr_api *api, const char *path, json_t **out, struct vr_err *err);

/** A request with more to it. Zeros are those of vr_api_send(). */
struct vr_api_request {
    const char *method;
    const char *path;
    const json_t *body; /* may be NULL */
    const void *raw;    /* bytes instead of `body`; may be NULL */
    size_t raw_bytes;
    int64_t if_version; /* > 0: If-Match, so that an object of another version is not changed */
    int *out_status;    /* of the answer, also of a refusal; may be NULL */
};

/** As vr_api_send(). */
VR_MUST_USE
int vr_api_request(struct vr_api *api, const struct vr_api_request *request, json_t **out,
                   struct vr_err *err);

/** POST to a list; *out_path (may be NULL) is the path of what was made, free(). */
VR_MUST_USE
int vr_api_create(struct vr_api *api, const char *path, const json_t *body, char **out_path,
                  struct vr_err *err);

/** All objects of a list, page by page; `query` may be NULL or "". *out is given, an array. */
VR_MUST_USE
int vr_api_list(struct vr_api *api, const char *path, const char *query, json_t **out,
                struct vr_err *err);

/** A piece of a text that grows, such as a build's log. */
struct vr_api_text {
    char *text; /* owned */
    size_t len;
    int64_t next; /* where the next piece begins */
    bool end;     /* this was the last one */
};

/** GET text; *out is given, vr_api_text_fini(). */
VR_MUST_USE
int vr_api_get_text(struct vr_api *api, const char *path, struct vr_api_text *out,
                    struct vr_err *err);
void vr_api_text_fini(struct vr_api_text *text);

#endif
