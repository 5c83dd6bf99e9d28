/* SPDX-License-Identifier: MIT */
/* Whatever call is accepted can be answered with its own parameters. */
#include "fmt/xmlrpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vr_auto_xmlrpc struct vr_xmlrpc_call call = {0};
    vr_auto_free char *text = NULL;
    struct vr_err err = VR_ERR_NULL;

    if (vr_xmlrpc_parse_call((struct vr_str){(const char *)data, size}, &call, &err) < 0)
        return 0;
    if (!json_is_array(call.params) || !*call.method)
        abort();
    text = vr_xmlrpc_response(call.params);
    return 0;
}
