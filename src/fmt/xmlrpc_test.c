/* SPDX-License-Identifier: MIT */
/* Tests of fmt/xmlrpc. */
#include "fmt/xmlrpc.h"

#include "core/tap.h"

#define CALL(params)                                                                               \
    "<?xml version='1.0'?><methodCall><methodName>a.b</methodName>" params "</methodCall>"
#define VALUE(value) CALL("<params><param><value>" value "</value></param></params>")

static int parse(const char *text, struct vr_xmlrpc_call *out, struct vr_err *err)
{
    *err = (struct vr_err)VR_ERR_NULL;
    *out = (struct vr_xmlrpc_call){0};
    return vr_xmlrpc_parse_call(vr_str(text), out, err);
}

static void check_params(const char *text, const char *json)
{
    vr_auto_xmlrpc struct vr_xmlrpc_call call;
    vr_auto_free char *found = NULL;
    struct vr_err err;

    CHECK(parse(text, &call, &err) == 0);
    found = vr_json_dump_sorted(call.params);
    CHECK_STR(found, json);
}

TEST(xmlrpc_parse_call__what_supervisorctl_sends__is_read)
{
    vr_auto_xmlrpc struct vr_xmlrpc_call call;
    struct vr_err err;

    CHECK(
        parse(
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>supervisor.stopProcess</methodName>\n"
            "<params>\n<param>\n<value><string>a-b</string></value>\n</param>\n</params>\n"
            "</methodCall>\n",
            &call, &err) == 0);
    CHECK_STR(call.method, "supervisor.stopProcess");
    CHECK(json_array_size(call.params) == 1);
    CHECK_STR(json_string_value(json_array_get(call.params, 0)), "a-b");
}

TEST(xmlrpc_parse_call__every_type__becomes_its_value)
{
    check_params(VALUE("<int> -7 </int>"), "[-7]");
    check_params(VALUE("<i4>+7</i4>"), "[7]");
    check_params(VALUE("<i8>9223372036854775807</i8>"), "[9223372036854775807]");
    check_params(VALUE("<boolean>1</boolean>"), "[true]");
    check_params(VALUE("<double>-1.5</double>"), "[-1.5]");
    check_params(VALUE(" a &amp; b "), "[\" a & b \"]");
    check_params(VALUE("<string/>"), "[\"\"]");
    check_params(VALUE("<nil/>"), "[null]");
    check_params(VALUE("<array><data><value>x</value><value><int>1</int></value></data></array>"),
                 "[[\"x\",1]]");
    check_params(VALUE("<struct><member><name>k</name><value>v</value></member></struct>"),
                 "[{\"k\":\"v\"}]");
    check_params(CALL(""), "[]");
    check_params(CALL("<params/>"), "[]");
}

TEST(xmlrpc_parse_call__what_is_none__is_refused)
{
    static const char *const bad[] = {
        "",
        "text",
        "<methodCall>",
        "<methodCall/>",
        "<call><methodName>a</methodName></call>",
        "<methodCall><methodName> </methodName></methodCall>",
        VALUE("<int>x</int>"),
        VALUE("<int>99999999999999999999</int>"),
        VALUE("<boolean>true</boolean>"),
        VALUE("<double>inf</double>"),
        VALUE("<double>1.5x</double>"),
        VALUE("<unheardof>1</unheardof>"),
        VALUE("<aNameThatIsLongerThanAnyOfTheFormat/>"),
        VALUE("<int>1</int><int>2</int>"),
        VALUE("<array/>"),
        VALUE("<struct><member><name>k</name></member></struct>"),
        CALL("<params><param/></params>"),
        CALL("<params><value/></params>"),
        "<!DOCTYPE x [<!ENTITY a 'b'>]>" CALL(""),
    };

    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        struct vr_xmlrpc_call call;
        struct vr_err err;

        CHECK(parse(bad[i], &call, &err) == -VR_PARSE);
        CHECK(*err.msg);
    }
}

TEST(xmlrpc_parse_call__deeper_and_longer_than_allowed__is_refused)
{
    vr_auto_buf struct vr_buf deep = VR_BUF(VR_XMLRPC_BYTES);
    vr_auto_buf struct vr_buf wide = VR_BUF(VR_XMLRPC_BYTES);
    vr_auto_free char *large = vr_alloc(VR_XMLRPC_BYTES + 2);
    struct vr_xmlrpc_call call;
    struct vr_err err;

    for (int i = 0; i < 1000; i++)
        vr_buf_add(&deep, "<value><array><data>");
    for (int i = 0; i < VR_XMLRPC_NODES + 1; i++)
        vr_buf_add(&wide, i ? "<a/>" : "<r>");
    memset(large, ' ', VR_XMLRPC_BYTES + 1);
    CHECK(parse(vr_buf_text(&deep), &call, &err) == -VR_LIMIT);
    CHECK(parse(vr_buf_text(&wide), &call, &err) == -VR_LIMIT);
    CHECK(parse(large, &call, &err) == -VR_LIMIT);
}

TEST(xmlrpc_response__every_type__is_written_as_old_tools_read_it)
{
    vr_auto_json json_t *value = json_pack("[i, I, b, f, n, s#, {s:[]}]", 1, (json_int_t)5000000000,
                                           1, 0.5, "a<&>\x01\r", 6, "k");
    vr_auto_free char *text = vr_xmlrpc_response(value);

    CHECK(strstr(text, "<value><int>1</int></value>"));
    CHECK(strstr(text, "<value><string>5000000000</string></value>"));
    CHECK(strstr(text, "<value><boolean>1</boolean></value>"));
    CHECK(strstr(text, "<value><double>0.5</double></value>"));
    CHECK(strstr(text, "<value><nil/></value>"));
    CHECK(strstr(text, "<string>a&lt;&amp;&gt;\xef\xbf\xbd&#13;</string>"));
    CHECK(
        strstr(text, "<member><name>k</name><value><array><data></data></array></value></member>"));
}

TEST(xmlrpc_fault__code_and_text__are_a_struct)
{
    vr_auto_free char *text = vr_xmlrpc_fault(10, "BAD_NAME");

    CHECK(strstr(text, "<fault><value><struct><member><name>faultCode</name><value><int>10</int>"));
    CHECK(strstr(text, "<name>faultString</name><value><string>BAD_NAME</string>"));
}
