/* SPDX-License-Identifier: MIT */
/*
 * How long to wait after wrong passwords.
 *
 * One bounded table of names and addresses that failed lately. They are told apart by a digest,
 * so that what is typed into a log-in form, which may be a password in the wrong field, is not
 * kept. Whoever fills the table to get rid of an entry pays for each try with a password check,
 * and waits for their address meanwhile.
 */
#include "server/throttle.h"

#include "core/str.h"
#include "fmt/hash.h"

#include <pthread.h>
#include <string.h>

struct entry {
    char key[VR_SHA256_HEX]; /* "": free */
    int64_t failures;
    struct vr_mono failed; /* the last time */
    struct vr_mono until;  /* no password is looked at before */
};

struct vr_throttle {
    pthread_mutex_t lock;
    size_t count;                          /* entries in use are the first; under lock */
    struct entry entries[VR_THROTTLE_MAX]; /* under lock */
};

struct vr_throttle *vr_throttle_new(void)
{
    struct vr_throttle *throttle = vr_alloc(sizeof(*throttle));

    pthread_mutex_init(&throttle->lock, NULL);
    return throttle;
}

struct vr_throttle *vr_throttle_free(struct vr_throttle *throttle)
{
    if (!throttle)
        return NULL;
    pthread_mutex_destroy(&throttle->lock);
    free(throttle);
    return NULL;
}

/* ------------------------------------------------------------------ entries */

/* `kind` keeps a user apart whose name looks like an address. */
static void make_key(const char *kind, const char *text, char out[VR_SHA256_HEX])
{
    vr_auto_free char *whole = vr_strf("%s %s", kind, text);

    vr_sha256_hex(whole, strlen(whole), out);
}

static bool is_forgotten(const struct entry *entry, struct vr_mono now)
{
    return now.ns - entry->failed.ns > VR_THROTTLE_FORGOTTEN_S * VR_NS_PER_S;
}

static struct entry *find(struct vr_throttle *throttle, const char *key)
{
    for (size_t i = 0; i < throttle->count; i++)
        if (!strcmp(throttle->entries[i].key, key))
            return &throttle->entries[i];
    return NULL;
}

/* A new entry, in the place of the one that failed longest ago if there is no other. */
static struct entry *add(struct vr_throttle *throttle, const char *key)
{
    struct entry *entry = throttle->entries;

    if (throttle->count < VR_THROTTLE_MAX)
        entry = &throttle->entries[throttle->count++];
    else
        for (size_t i = 1; i < throttle->count; i++)
            if (throttle->entries[i].failed.ns < entry->failed.ns)
                entry = &throttle->entries[i];
    *entry = (struct entry){.failures = 0};
    memcpy(entry->key, key, sizeof(entry->key));
    return entry;
}

static void remove_entry(struct vr_throttle *throttle, const char *key)
{
    struct entry *entry = find(throttle, key);

    if (entry)
        *entry = throttle->entries[--throttle->count];
}

static int64_t wait_of(int64_t failures)
{
    int64_t wait_s = VR_THROTTLE_FIRST_S;

    if (failures < VR_THROTTLE_FAILURES)
        return 0;
    for (int64_t i = VR_THROTTLE_FAILURES; i < failures && wait_s < VR_THROTTLE_LONGEST_S; i++)
        wait_s *= 2;
    return wait_s < VR_THROTTLE_LONGEST_S ? wait_s : VR_THROTTLE_LONGEST_S;
}

/* ------------------------------------------------------------------ one name or address */

static int64_t wait_s(struct vr_throttle *throttle, const char *kind, const char *text,
                      struct vr_mono now)
{
    char key[VR_SHA256_HEX];
    const struct entry *entry;
    int64_t left_ns;

    make_key(kind, text, key);
    entry = find(throttle, key);
    left_ns = entry ? entry->until.ns - now.ns : 0;
    return left_ns > 0 ? (left_ns + VR_NS_PER_S - 1) / VR_NS_PER_S : 0;
}

static void failed(struct vr_throttle *throttle, const char *kind, const char *text,
                   struct vr_mono now)
{
    char key[VR_SHA256_HEX];
    struct entry *entry;

    make_key(kind, text, key);
    entry = find(throttle, key);
    if (!entry)
        entry = add(throttle, key);
    else if (is_forgotten(entry, now))
        entry->failures = 0;
    entry->failures++;
    entry->failed = now;
    entry->until = vr_mono_add_ms(now, wait_of(entry->failures) * 1000);
}

static void passed(struct vr_throttle *throttle, const char *kind, const char *text)
{
    char key[VR_SHA256_HEX];

    make_key(kind, text, key);
    remove_entry(throttle, key);
}

/* ------------------------------------------------------------------ both */

int64_t vr_throttle_wait_s(struct vr_throttle *throttle, const char *username, const char *address,
                           struct vr_mono now)
{
    int64_t by_name, by_address = 0;

    pthread_mutex_lock(&throttle->lock);
    by_name = wait_s(throttle, "user", username, now);
    if (*address)
        by_address = wait_s(throttle, "address", address, now);
    pthread_mutex_unlock(&throttle->lock);
    return by_name > by_address ? by_name : by_address;
}

void vr_throttle_failed(struct vr_throttle *throttle, const char *username, const char *address,
                        struct vr_mono now)
{
    pthread_mutex_lock(&throttle->lock);
    failed(throttle, "user", username, now);
    if (*address)
        failed(throttle, "address", address, now);
    pthread_mutex_unlock(&throttle->lock);
}

void vr_throttle_passed(struct vr_throttle *throttle, const char *username, const char *address)
{
    pthread_mutex_lock(&throttle->lock);
    passed(throttle, "user", username);
    if (*address)
        passed(throttle, "address", address);
    pthread_mutex_unlock(&throttle->lock);
}
