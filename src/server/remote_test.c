/* SPDX-License-Identifier: MIT */
#include "server/remote.h"

#include "core/tap.h"

/* The address that is found with these proxies trusted. */
static const char *find(const char *trusted, const char *peer, const char *forwarded)
{
    static char out[VR_REMOTE_BYTES];
    struct vr_cidr_list nets;

    if (vr_cidr_parse(trusted, &nets, NULL) < 0)
        return "?";
    vr_remote_find(&nets, peer, forwarded, out);
    return out;
}

TEST(remote__a_peer_that_is_not_trusted__is_who_asks)
{
    CHECK_STR(find("127.0.0.0/8", "10.0.0.5", "1.2.3.4"), "10.0.0.5");
    CHECK_STR(find("192.0.2.1", "127.0.0.1", "1.2.3.4"), "127.0.0.1");
    CHECK_STR(find("", "127.0.0.1", "1.2.3.4"), "127.0.0.1");
}

TEST(remote__a_trusted_proxy__says_who_asks)
{
    CHECK_STR(find("127.0.0.0/8,::1", "127.0.0.1", "1.2.3.4"), "1.2.3.4");
    CHECK_STR(find("127.0.0.0/8,::1", "::1", "2001:db8::7"), "2001:db8::7");
    CHECK_STR(find("127.0.0.1", "127.0.0.1", NULL), "127.0.0.1");
    CHECK_STR(find("127.0.0.1", "127.0.0.1", ""), "127.0.0.1");
}

TEST(remote__of_a_chain__the_last_that_is_no_proxy_counts)
{
    CHECK_STR(find("127.0.0.1, 10.0.0.0/8", "127.0.0.1", "6.6.6.6, 1.2.3.4, 10.1.2.3"), "1.2.3.4");
    CHECK_STR(find("10.0.0.0/8", "10.0.0.1", "10.0.0.2,10.0.0.3"), "10.0.0.2");
}

TEST(remote__what_is_no_address__ends_the_search)
{
    CHECK_STR(find("127.0.0.1", "127.0.0.1", "1.2.3.4, <script>"), "127.0.0.1");
    CHECK_STR(find("127.0.0.1", "127.0.0.1", "unknown"), "127.0.0.1");
    CHECK_STR(find("127.0.0.1", "127.0.0.1",
                   "1111111111111111111111111111111111111111111111111111111111111111"),
              "127.0.0.1");
}

TEST(remote__nets__count_bits)
{
    CHECK_STR(find("10.0.0.0/9", "10.127.0.1", "1.2.3.4"), "1.2.3.4");
    CHECK_STR(find("10.0.0.0/9", "10.128.0.1", "1.2.3.4"), "10.128.0.1");
    CHECK_STR(find("0.0.0.0/0", "9.9.9.9", "2001:db8::1"), "2001:db8::1");
    CHECK_STR(find("fd00::/8", "fd12::1", "1.2.3.4"), "1.2.3.4");
}
