/* SPDX-License-Identifier: MIT */
/* Passwords and their hashes; those of PBKDF2 were made by Python's hashlib.pbkdf2_hmac(). */
#include "server/password.h"

#include "core/str.h"
#include "core/tap.h"

#include <sodium.h>
#include <string.h>

static const struct {
    const char *password;
    const char *hash;
} python[] = {
    {"password", "pbkdf2_sha256$1$seasalt$YQUqaoGGIdcjQtCPUVvu1oIcyb7WgPW9b7k/hvRudOk="},
    {"password", "pbkdf2_sha256$10000$seasalt2$7Uini1AkM6AXI8Pnsicpdz4JqTPSxyrHJspWLGtbqxU="},
    {"correct horse",
     "pbkdf2_sha256$20000$a1b2c3d4e5f6$WAryKknLfFFWnSemkwaDKW06lsPXzBjiLrZluRN2c1Q="},
    {"pässwörd ☃", "pbkdf2_sha256$12345$NaCl$1gOj2n4mtHygE7/EYPiCqF2JEt5fa+8H6qPserX6X30="},
    {"short", "pbkdf2_sha256$1000$x$JfDfp7IqubojR0R0YbA04NsJfjvDA8qCxV4ReOI9DzY="},
};

TEST(password_fits__imported_hashes__by_their_password_alone)
{
    for (size_t i = 0; i < VR_COUNT(python); i++) {
        CHECK(vr_password_is_old(python[i].hash));
        CHECK(vr_password_fits(python[i].hash, python[i].password));
        CHECK(!vr_password_fits(python[i].hash, "another"));
        CHECK(!vr_password_fits(python[i].hash, ""));
    }
}

TEST(password_fits__what_is_no_hash__fits_nothing)
{
    static const char *const bad[] = {
        "",
        "!",
        "pbkdf2_sha256$",
        "pbkdf2_sha256$1$",
        "pbkdf2_sha256$1$seasalt",
        "pbkdf2_sha256$1$seasalt$",
        "pbkdf2_sha256$1$seasalt$***",
        "pbkdf2_sha256$1$seasalt$YQUq",
        "pbkdf2_sha256$0$seasalt$YQUqaoGGIdcjQtCPUVvu1oIcyb7WgPW9b7k/hvRudOk=",
        "pbkdf2_sha256$-1$seasalt$YQUqaoGGIdcjQtCPUVvu1oIcyb7WgPW9b7k/hvRudOk=",
        "pbkdf2_sha256$99999999999999999999$seasalt$YQUqaoGGIdcjQtCPUVvu1oIcyb7WgPW9b7k/hvRudOk=",
        "pbkdf2_sha256$2147483647$seasalt$YQUqaoGGIdcjQtCPUVvu1oIcyb7WgPW9b7k/hvRudOk=",
        "pbkdf2_sha1$1$seasalt$YQUqaoGGIdcjQtCPUVvu1oIcyb7WgPW9b7k/hvRudOk=",
        "sha1$seasalt$cff36ea83f5706ce9aa7454e63e431fc726b2dc8",
        "$argon2id$v=19$m=65536",
    };

    CHECK(sodium_init() >= 0);
    for (size_t i = 0; i < VR_COUNT(bad); i++)
        CHECK(!vr_password_fits(bad[i], "password"));
}

TEST(password_upgrade__of_an_imported_one__fits_the_same_even_if_it_is_short)
{
    vr_auto_free char *hash = NULL;

    CHECK(sodium_init() >= 0);
    CHECK(vr_password_upgrade("short", &hash, NULL) == 0);
    CHECK(vr_str_has_prefix(hash, "$argon2id$"));
    CHECK(!vr_password_is_old(hash));
    CHECK(vr_password_fits(hash, "short"));
    CHECK(!vr_password_fits(hash, "Short"));
}

TEST(password_hash__too_short_or_long__is_refused)
{
    char text[VR_PASSWORD_MAX + 2];
    vr_auto_free char *hash = NULL;

    memset(text, 'x', sizeof(text));
    text[VR_PASSWORD_MAX + 1] = '\0';
    CHECK(vr_password_hash(text, &hash, NULL) == -VR_INVALID);
    CHECK(!vr_password_fits(python[0].hash, text));
    text[VR_PASSWORD_MIN - 1] = '\0';
    CHECK(vr_password_hash(text, &hash, NULL) == -VR_INVALID);
    CHECK(hash == NULL);
}
