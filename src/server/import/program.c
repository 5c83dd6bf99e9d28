/* SPDX-License-Identifier: MIT */
/* `vr import`: a dump of the original becomes the database of a new platform. */
#include "server/config.h"
#include "server/first_start.h"
#include "server/import/import.h"
#include "server/main.h"
#include "store/import.h"
#include "sys/fs.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ARGS_MAX          64
#define SENTENCES_SHOWN   200
#define BUILDPACKS_BEHIND 100000 /* those that come with the program are asked last */

struct options {
    const char *dump, *files;
    bool plan;
    char *rest[ARGS_MAX]; /* those of `vr server` */
    int rest_count;
};

static void print_help(void)
{
    printf(
        "usage: vr import DUMP [--files DIR] [--plan] [options of vr server]\n\n"
        "Make the rows of the original's database, written by `pg_dump --format=plain`, those of "
        "a\n"
        "new platform: before its first start, or before anybody has made anything there.\n\n"
        "  --files DIR   folder of the original's stored files (builds/, provisioning_scripts/)\n"
        "  --plan        say what would be taken and what not, and change nothing\n\n"
        "The options of `vr server` say where the new database is: --config, --data-dir, "
        "--database.\n");
}

/* Returns 1 if help was printed. */
static int read_options(int argc, char **argv, struct options *out, struct vr_err *err)
{
    out->rest[out->rest_count++] = (char *)"server";
    for (int i = 1; i < argc; i++) {
        if (vr_streq(argv[i], "--help") || vr_streq(argv[i], "-h")) {
            print_help();
            return 1;
        }
        if (vr_streq(argv[i], "--plan")) {
            out->plan = true;
        } else if (vr_streq(argv[i], "--files") && i + 1 < argc) {
            out->files = argv[++i];
        } else if (vr_str_has_prefix(argv[i], "--files=")) {
            out->files = argv[i] + strlen("--files=");
        } else if (*argv[i] != '-') {
            if (out->dump)
                return vr_fail(err, VR_INVALID, "one dump, not '%s' and '%s'", out->dump, argv[i]);
            out->dump = argv[i];
        } else if (out->rest_count + 2 < ARGS_MAX) {
            out->rest[out->rest_count++] = argv[i];
            if (!strchr(argv[i], '=') && i + 1 < argc)
                out->rest[out->rest_count++] = argv[++i];
        }
    }
    return out->dump ? 0 : vr_fail(err, VR_INVALID, "name the file of the dump; -h tells more");
}

/* Files of the platform belong to its own account: root becomes whoever owns the data folder. */
static int become_owner(const char *data_dir, struct vr_err *err)
{
    struct stat st;

    if (geteuid() != 0 || stat(data_dir, &st) < 0 || st.st_uid == 0)
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(st.st_gid, st.st_gid, st.st_gid) < 0 ||
        setresuid(st.st_uid, st.st_uid, st.st_uid) < 0)
        return vr_fail_sys(err, "become the owner of '%s'", data_dir);
    return 0;
}

/* ------------------------------------------------------------------ the report */

static void print_sentences(const char *title, const json_t *list)
{
    size_t i;
    json_t *text;

    if (!json_array_size(list))
        return;
    printf("\n%s\n", title);
    json_array_foreach (list, i, text) {
        if (i == SENTENCES_SHOWN) {
            printf("  and %zu more\n", json_array_size(list) - i);
            break;
        }
        printf("  %s\n", json_string_value(text));
    }
}

static void print_report(const struct vr_import_report *report, bool plan)
{
    printf("%-24s %10s %10s\n", plan ? "would be taken" : "taken", "rows", "of");
    for (size_t i = 0; i < report->count_n; i++)
        if (report->counts[i].read)
            printf("%-24s %10" PRId64 " %10" PRId64 "\n", report->counts[i].title,
                   report->counts[i].taken, report->counts[i].read);
    print_sentences("not taken", report->left);
    print_sentences("to be looked at", report->notes);
    if (report->left_more)
        printf("\nand %" PRId64 " sentences more\n", report->left_more);
}

/* ------------------------------------------------------------------ the whole */

static int import_in(struct vr_tx *tx, struct vr_blobs *blobs, const struct options *options,
                     struct vr_err *err)
{
    struct vr_import_spec spec = {.dump = options->dump,
                                  .files = options->files,
                                  .tx = tx,
                                  .blobs = options->plan ? NULL : blobs,
                                  .now = vr_wall_now()};
    struct vr_import_report report = {0};
    int r = vr_store_import_begin(tx, err);

    if (r < 0)
        return r;
    r = vr_import_run(&spec, &report, err);
    if (r == 0)
        r = vr_first_buildpacks(tx, BUILDPACKS_BEHIND, err);
    if (r == 0)
        print_report(&report, options->plan);
    vr_import_report_fini(&report);
    return r;
}

static int run(const struct vr_server_config *config, const struct options *options,
               struct vr_err *err)
{
    VR_OWNED(vr_store_free) struct vr_store *store = NULL;
    VR_OWNED(vr_blobs_close) struct vr_blobs *blobs = NULL;
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = become_owner(config->data_dir, err);

    if (r == 0)
        r = vr_fs_mkdir_p(config->data_dir, 0700, err);
    if (r == 0)
        r = vr_store_open(config->database, NULL, &store, err);
    if (r == 0)
        r = vr_blobs_open(config->blobs, &blobs, err);
    if (r == 0)
        r = vr_store_begin(store, VR_DB_WRITE, &tx, err);
    if (r == 0)
        r = import_in(tx, blobs, options, err);
    if (r == 0 && !options->plan)
        r = vr_store_commit(tx, NULL, err);
    return r;
}

int vr_import_main(int argc, char **argv)
{
    struct options options = {0};
    struct vr_server_config config = {0};
    struct vr_err err = VR_ERR_NULL;
    int r = read_options(argc, argv, &options, &err);

    if (r == 0)
        r = vr_server_config_read(options.rest_count, options.rest, &config, &err);
    if (r < 0) {
        fprintf(stderr, "vr import: %s\n", err.msg);
        return 2;
    }
    if (r == 1)
        return 0;
    r = run(&config, &options, &err);
    vr_server_config_fini(&config);
    if (r < 0)
        fprintf(stderr, "vr import: %s\n", err.msg);
    else
        fprintf(stderr, options.plan
                            ? "nothing was changed\n"
                            : "done; `vr up` or `vr server` starts it. Hosts join by their "
                              "name, and nothing runs until it is swarmed.\n");
    return r < 0 ? (r == -VR_EXISTS ? 3 : 1) : 0;
}
