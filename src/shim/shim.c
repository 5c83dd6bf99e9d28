/* SPDX-License-Identifier: MIT */
/* One supervised app.
 *
 * A single poll loop: signals come by signalfd, clients by socket, output by FIFO, time by the next
 * deadline. Every start is a new generation - container `id.N` in a cgroup of that name - so that
 * the old one can be deleted after the new one runs, instead of before. The overlay and the bundle
 * stay over generations.
 *
 *   STARTING -> RUNNING -> (crash) BACKOFF -> STARTING …  -> FATAL when it happens too often
 *   any of them -> STOPPING -> STOPPED on request; a one-shot ends as EXITED
 *
 * The app may end, and be reaped, before the runtime has returned and told its pid: so children
 * that nobody knows are remembered while the runtime works. */
#include "shim/shim.h"
#include "shim/cgroup.h"
#include "shim/container.h"
#include "shim/io.h"
#include "shim/record.h"
#include "shim/server.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNTIME_DEADLINE_MS 60000 /* for `run` to come back */
#define SIGTERM_GRACE_MS    10000 /* when the host shuts down */

static void set_phase(struct shim *s, enum vr_shim_phase phase)
{
    s->phase = phase;
    record_state(s);
    server_broadcast(s);
}

bool shim_is_idle(const struct shim *s)
{
    return (s->phase == VR_SHIM_STOPPED || s->phase == VR_SHIM_EXITED ||
            s->phase == VR_SHIM_FATAL) &&
           !s->delete_pid;
}

/* Pay for the first cgroup write of a while in a helper, beside what we do meanwhile; the first
 * helper also moves us into the shims' cgroup. */
static void warm_up(struct shim *s, pid_t move)
{
    pid_t pid = fork();

    if (!pid) {
        cgroup_join(s->v2, s->conf.shims_cgroup, move);
        _exit(0);
    }
}

static void name_generation(struct shim *s)
{
    s->generation++;
    snprintf(s->id, sizeof(s->id), "%s.%lld", s->conf.id, (long long)s->generation);
    snprintf(s->cgroup, sizeof(s->cgroup), "%s/%s", s->conf.cgroup, s->id);
}

static void start_failed(struct shim *s);

static void start(struct shim *s)
{
    s->start_at_ns = 0;
    s->early_count = 0;
    s->app_pid = 0;
    s->is_adopted = false;
    s->why[0] = '\0';
    name_generation(s);
    record_status_reset(s);
    s->started_ns = mono_ns();
    s->started_us = wall_us();
    s->runtime_deadline_ns = s->started_ns + RUNTIME_DEADLINE_MS * NS_PER_MS;
    if (!s->is_mounted)
        s->is_mounted = container_mount(&s->conf) == 0;
    s->runtime_pid = s->is_mounted
                         ? container_run(&s->conf, s->dir, s->id, s->cgroup,
                                         s->logs.streams[0].app_fd, s->logs.streams[1].app_fd)
                         : -1;
    set_phase(s, VR_SHIM_STARTING);
    if (s->runtime_pid < 0) {
        s->runtime_pid = 0;
        start_failed(s);
    }
}

/* Delete the generation before; nobody waits for it. */
static void delete_old(struct shim *s)
{
    char path[VR_SHIM_PATH_BYTES + VR_SHIM_ID_BYTES];

    if (!s->old_id[0])
        return;
    container_delete(&s->conf, s->old_id);
    snprintf(path, sizeof(path), "%s/%s", s->conf.cgroup, s->old_id);
    cgroup_remove_plain(s->v2, path);
    s->old_id[0] = '\0';
}

/* Delete the present generation; ended() goes on when that is done. */
static void delete_last(struct shim *s)
{
    cgroup_kill(s->v2, s->cgroup);
    delete_old(s);
    s->delete_pid = container_delete(&s->conf, s->id);
    if (s->delete_pid < 0)
        s->delete_pid = 0;
}

/* Nothing is left: tell whoever waits. */
static void ended(struct shim *s)
{
    cgroup_remove(s->v2, s->cgroup);
    if (s->wants_stop)
        set_phase(s, VR_SHIM_STOPPED);
    else
        server_broadcast(s);
    s->wants_stop = false;
    s->kill_at_ns = 0;
    server_tell_stopped(s);
    if (s->quits)
        s->leaves = true;
}

static void end_for_good(struct shim *s, enum vr_shim_phase phase)
{
    delete_last(s);
    set_phase(s, phase);
    if (!s->delete_pid)
        ended(s);
}

static void restart_later(struct shim *s)
{
    uint32_t random = 0;
    int64_t wait_ms;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = (uint32_t)mono_ns();
    wait_ms = restart_next(&s->restart, mono_ns(), s->last.uptime_ms, random);
    if (wait_ms == RESTART_GIVE_UP) {
        if (!s->why[0])
            snprintf(s->why, sizeof(s->why), "crashed more than %lld times in %lld s",
                     (long long)s->restart.max, (long long)s->restart.window_ms / 1000);
        logs_note(&s->logs, s->why);
        end_for_good(s, VR_SHIM_FATAL);
        return;
    }
    delete_old(s);
    snprintf(s->old_id, sizeof(s->old_id), "%s", s->id);
    if (!wait_ms) {
        warm_up(s, 0);
        start(s);
        return;
    }
    delete_old(s);
    s->start_at_ns = mono_ns() + wait_ms * NS_PER_MS;
    set_phase(s, VR_SHIM_BACKOFF);
}

/* The generation is over, s->last tells how; decide what comes next. */
static void after_exit(struct shim *s)
{
    char text[128];

    if (s->app_pidfd >= 0)
        close(s->app_pidfd);
    s->app_pidfd = -1;
    s->app_pid = 0;
    s->kill_at_ns = 0;
    logs_finish(&s->logs);
    snprintf(text, sizeof(text), "generation %lld ended: code=%d signal=%d oom=%d",
             (long long)s->last.generation, s->last.code, s->last.signal, s->last.is_oom);
    logs_note(&s->logs, text);
    record_exit(s);
    if (s->wants_stop)
        end_for_good(s, VR_SHIM_STOPPING);
    else if (s->conf.one_shot)
        end_for_good(s, VR_SHIM_EXITED);
    else
        restart_later(s);
}

/* `code` as a shell shows it, 128+n for a signal; -1: nobody knows. */
static void app_ended(struct shim *s, int code)
{
    int64_t now = wall_us();

    s->last = (struct exit_record){.generation = s->generation,
                                   .code = -1,
                                   .is_known = code >= 0,
                                   .is_oom = cgroup_oom_kills(s->v2, s->cgroup) > 0,
                                   .at_us = now};
    if (code >= 0)
        record_decode(code, &s->last);
    s->last.uptime_ms =
        s->is_adopted ? (now - s->started_us) / 1000 : (mono_ns() - s->started_ns) / NS_PER_MS;
    after_exit(s);
}

/* The adopted app's init left its code, unless it was killed itself, which only SIGKILL can do. */
static void adopted_ended(struct shim *s)
{
    int code = record_status();

    app_ended(s, code < 0 ? 128 + SIGKILL : code);
}

static void start_failed(struct shim *s)
{
    char said[VR_SHIM_WHY_BYTES - 32];

    container_complaint(said, sizeof(said));
    snprintf(s->why, sizeof(s->why), "cannot start the container: %s",
             *said ? said : "see " VR_SHIM_DIAG);
    logs_note(&s->logs, s->why);
    cgroup_kill(s->v2, s->cgroup);
    s->last = (struct exit_record){
        .generation = s->generation, .code = -1, .is_known = true, .at_us = wall_us()};
    after_exit(s);
}

static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const struct early *find_early(const struct shim *s, pid_t pid)
{
    unsigned n = s->early_count < SHIM_EARLY_MAX ? s->early_count : SHIM_EARLY_MAX;

    for (unsigned i = 0; i < n; i++)
        if (s->early[i].pid == pid)
            return &s->early[i];
    return NULL;
}

/* `run` came back: the container's pid 1 is our child now, or was. */
static void runtime_ended(struct shim *s, int status)
{
    const struct early *early;
    char text[16];
    int64_t pid = 0;

    s->runtime_pid = 0;
    s->runtime_deadline_ns = 0;
    if (file_read(CONTAINER_PID_FILE, text, sizeof(text)) > 0) {
        text[strcspn(text, "\n")] = '\0';
        if (!number_parse(text, &pid))
            pid = 0;
    }
    if (code_of(status) != 0 || pid <= 0) {
        start_failed(s);
        return;
    }
    s->app_pid = (pid_t)pid;
    early = find_early(s, s->app_pid);
    if (early) {
        app_ended(s, code_of(early->status));
        return;
    }
    s->app_pidfd = (int)syscall(SYS_pidfd_open, s->app_pid, 0);
    if (s->wants_stop) {
        set_phase(s, VR_SHIM_STOPPING);
        shim_signal(s, s->stop_signal);
        return;
    }
    delete_old(s);
    set_phase(s, VR_SHIM_RUNNING);
}

static void reap(struct shim *s)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == s->runtime_pid) {
            runtime_ended(s, status);
        } else if (pid == s->app_pid && !s->is_adopted) {
            app_ended(s, code_of(status));
        } else if (pid == s->delete_pid) {
            s->delete_pid = 0;
            ended(s);
        } else if (!server_exec_ended(s, pid, status) && s->runtime_pid) {
            s->early[s->early_count % SHIM_EARLY_MAX] = (struct early){pid, status};
            s->early_count++;
        }
    }
}

bool shim_signal(struct shim *s, int sig)
{
    return s->app_pidfd >= 0 && !syscall(SYS_pidfd_send_signal, s->app_pidfd, sig, NULL, 0);
}

void shim_stop(struct shim *s, int sig, int64_t grace_ms)
{
    s->wants_stop = true;
    s->stop_signal = sig;
    if (s->phase == VR_SHIM_BACKOFF) {
        s->start_at_ns = 0;
        end_for_good(s, VR_SHIM_STOPPING);
        return;
    }
    if (shim_is_idle(s)) {
        ended(s);
        return;
    }
    if (s->delete_pid)
        return; /* it is ending */
    s->kill_at_ns = mono_ns() + (grace_ms > 0 ? grace_ms : 0) * NS_PER_MS;
    if (shim_signal(s, sig) && s->phase == VR_SHIM_RUNNING)
        set_phase(s, VR_SHIM_STOPPING);
}

bool shim_start_again(struct shim *s)
{
    if (!shim_is_idle(s))
        return false;
    restart_reset(&s->restart);
    warm_up(s, 0);
    start(s);
    return true;
}

static void on_signals(struct shim *s)
{
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo == SIGTERM) {
            s->quits = true;
            shim_stop(s, SIGTERM, SIGTERM_GRACE_MS);
        }
    reap(s);
}

static void on_deadlines(struct shim *s)
{
    int64_t now = mono_ns();

    logs_tick(&s->logs);
    if (s->start_at_ns && now >= s->start_at_ns)
        start(s);
    if (s->kill_at_ns && now >= s->kill_at_ns && !s->runtime_pid) {
        s->kill_at_ns = 0;
        shim_signal(s, SIGKILL);
        cgroup_kill(s->v2, s->cgroup);
    }
    if (s->runtime_deadline_ns && now >= s->runtime_deadline_ns) {
        s->runtime_deadline_ns = 0;
        kill(s->runtime_pid, SIGKILL);
    }
}

static int wait_ms(const struct shim *s)
{
    const int64_t deadlines[] = {s->runtime_pid ? 0 : s->kill_at_ns, s->start_at_ns,
                                 s->runtime_deadline_ns, s->logs.report_at_ns};
    int64_t now = mono_ns(), first = INT64_MAX;

    for (size_t i = 0; i < COUNT(deadlines); i++)
        if (deadlines[i] && deadlines[i] < first)
            first = deadlines[i];
    if (first == INT64_MAX)
        return -1;
    return first <= now ? 0 : (int)((first - now + NS_PER_MS - 1) / NS_PER_MS);
}

enum { AT_SIGNAL, AT_LISTEN, AT_OUT, AT_ERR, AT_APP, AT_CLIENTS };

/* One round of the loop. */
static void turn(struct shim *s)
{
    struct pollfd p[AT_CLIENTS + 2 * VR_SHIM_CLIENTS_MAX];
    struct pollfd *clients = &p[AT_CLIENTS], *consoles = clients + VR_SHIM_CLIENTS_MAX;

    p[AT_SIGNAL] = (struct pollfd){s->signal_fd, POLLIN, 0};
    p[AT_LISTEN] = (struct pollfd){s->listen_fd, POLLIN, 0};
    p[AT_OUT] = (struct pollfd){s->logs.streams[0].fd, POLLIN, 0};
    p[AT_ERR] = (struct pollfd){s->logs.streams[1].fd, POLLIN, 0};
    p[AT_APP] = (struct pollfd){s->is_adopted ? s->app_pidfd : -1, POLLIN, 0};
    for (int i = 0; i < VR_SHIM_CLIENTS_MAX; i++) {
        clients[i] = (struct pollfd){s->clients[i].fd, POLLIN, 0};
        consoles[i] = (struct pollfd){s->clients[i].console_fd, POLLIN, 0};
    }
    if (poll(p, COUNT(p), wait_ms(s)) < 0)
        return;
    if (p[AT_OUT].revents)
        logs_pump(&s->logs, 0);
    if (p[AT_ERR].revents)
        logs_pump(&s->logs, 1);
    if (p[AT_SIGNAL].revents)
        on_signals(s);
    if (p[AT_APP].revents && s->is_adopted && s->app_pid)
        adopted_ended(s);
    for (int i = 0; i < VR_SHIM_CLIENTS_MAX; i++) {
        if (consoles[i].revents && s->clients[i].console_fd == consoles[i].fd)
            server_pass_console(&s->clients[i]);
        if (clients[i].revents && s->clients[i].fd == clients[i].fd)
            server_serve(s, &s->clients[i]);
    }
    if (p[AT_LISTEN].revents)
        server_accept(s);
    on_deadlines(s);
}

/* Go on from what a dead predecessor left. */
static void adopt(struct shim *s)
{
    if (record_adopt(s)) {
        s->is_adopted = true;
        delete_old(s);
        set_phase(s, VR_SHIM_RUNNING);
        return;
    }
    if (s->phase == VR_SHIM_STOPPED || s->phase == VR_SHIM_EXITED || s->phase == VR_SHIM_FATAL) {
        set_phase(s, s->phase); /* it was over before */
        return;
    }
    if (!s->generation || s->phase == VR_SHIM_BACKOFF) {
        start(s);
        return;
    }
    s->is_adopted = true;
    cgroup_kill(s->v2, s->cgroup);
    adopted_ended(s);
}

static int prepare(struct shim *s)
{
    sigset_t set;

    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_NAME, "vr-shim", 0, 0, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0)
        return -1;
    for (size_t i = 0; i < COUNT(s->clients); i++)
        s->clients[i] = (struct client){.fd = -1, .console_fd = -1};
    s->app_pidfd = -1;
    s->v2 = cgroup_is_v2();
    s->logs.path = s->conf.log;
    s->logs.max_bytes = s->conf.log_max_bytes;
    s->logs.backups = s->conf.log_backups;
    s->logs.rate_bytes = s->conf.log_rate_bytes;
    s->restart.max = s->conf.max_restarts;
    s->restart.window_ms = s->conf.restart_window_ms;
    s->restart.backoff_max_ms = s->conf.backoff_max_ms;
    return logs_open(&s->logs, (uid_t)s->conf.host_uid);
}

int shim_run(struct shim *s, bool adopting)
{
    if (prepare(s) < 0)
        return 1;
    warm_up(s, getpid());
    if (container_isolate() < 0)
        return 1;
    if (adopting)
        adopt(s);
    else
        start(s);
    while (!s->leaves)
        turn(s);
    unlink(VR_SHIM_SOCK);
    return 0;
}

/* Run `delete` for a container and wait. */
static void delete_and_wait(struct shim *s, const char *id)
{
    pid_t pid = container_delete(&s->conf, id);

    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    snprintf(s->cgroup, sizeof(s->cgroup), "%s/%s", s->conf.cgroup, id);
    cgroup_kill(s->v2, s->cgroup);
    cgroup_remove(s->v2, s->cgroup);
}

int shim_clean(struct shim *s)
{
    size_t len = strlen(s->conf.id);
    struct dirent *e;
    int64_t generation;
    DIR *d;

    s->v2 = cgroup_is_v2();
    if (container_isolate() < 0)
        return 1;
    record_adopt(s);
    if (s->id[0])
        delete_and_wait(s, s->id);
    d = opendir(s->conf.runtime_root);
    while (d && (e = readdir(d)))
        if (!strncmp(e->d_name, s->conf.id, len) && e->d_name[len] == '.' &&
            number_parse(e->d_name + len + 1, &generation))
            delete_and_wait(s, e->d_name);
    if (d)
        closedir(d);
    unlink(VR_SHIM_SOCK);
    unlink(VR_SHIM_STATE);
    return 0;
}
