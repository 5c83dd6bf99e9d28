/* SPDX-License-Identifier: MIT */
/* The program of one build job: a JSON spec on standard input, JSON lines on standard output. */
#ifndef VR_BUILD_JOB_H
#define VR_BUILD_JOB_H

/**
 * The main of `vr build-job` (argv[0] is that word), started by the agent as root, once per job.
 *
 * Reads one JSON object until the end of standard input:
 *   kind          "resolve" | "build"
 *   app           name of the app
 *   repo_url, repo_type ("git" | "hg"), tag; commit (build only; absent: the tag is resolved)
 *   buildpacks    [{"url": "builtin:python" | "https://…[#rev]", "type", "commit"?}], in order
 *   stack         "host"
 *   work_dir      root's, on disk, enterable by the build user: mirrors, caches, scratch folders
 *   out_dir       where slug.squashfs and build.log go (build only)
 *   builtin_dir   folder of the built-in buildpacks
 *   user          the unprivileged account, default "velociraptor-build"
 *   limits        {memory_bytes, pids, cpu (in CPUs), build_secs, resolve_secs, file_bytes,
 *                  disk_bytes (free space to start with), disk_reserve_bytes (free space to keep)}
 *   env           {name: value}: the files of compile's ENV_DIR
 *   no_cache      true: start with an empty cache
 *
 * Writes one JSON object a line:
 *   {"log": "text"}      any number; also kept in <out_dir>/build.log
 *   {"phase": "fetch" | "checkout" | "detect" | "compile" | "release" | "slugignore" | "pack"}
 * and last either
 *   {"result": {"commit", "buildpacks": [{"url", "commit"}]}}                      of a resolve
 *   {"result": {"commit", "file", "file_md5", "file_sha256", "file_bytes", "buildpack_url",
 *               "buildpack_version", "release_data", "procfile", "config_vars", "log_file"}}
 *   {"error": {"code", "step", "message"}}      code as vr_code_name(); "busy": cancelled
 *
 * SIGTERM cancels. When it returns, whatever it started is gone, and so are its scratch folders
 * and cgroup; what a killed job leaves behind the next one removes.
 *
 * Returns the exit status: 0 if the last line was written.
 * The same program is its own launcher (sandbox.h): /proc/self/exe must lead here with argv[0]
 * "build-job" as first word of the command line.
 */
int vr_build_job_main(int argc, char **argv);

#endif
