/* SPDX-License-Identifier: MIT */
/*
 * The system calls that programs of a build do without.
 *
 * A build is foreign code without privileges, but a user namespace would hand it a full set over
 * objects of its own, and with them the parts of the kernel that are usually root's alone: this is
 * where most ways out of a sandbox began. So namespaces, mounts, and the calls that compilers and
 * package managers have no use for are taken away; all else is allowed, since what a build needs
 * tomorrow is not known.
 *
 * The program is made from the table: two instructions a call, "is it this one? answer so". Only
 * clone is looked into. clone3 cannot be, as its flags lie behind a pointer: it is said to be
 * missing, and every libc then uses clone.
 */
#include "build/build_seccomp.h"
#include "core/own.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH    AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000u /* same architecture, other numbers */
#elif defined(__aarch64__)
#define ARCH    AUDIT_ARCH_AARCH64
#define X32_BIT 0u
#else
#error "the filter of build programs needs the audit name of this architecture"
#endif

#define REFUSE(code) (SECCOMP_RET_ERRNO | (code))
#define NEW_NAMESPACES                                                                             \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

#define FIELD(name) ((uint32_t)offsetof(struct seccomp_data, name))

struct taken {
    uint32_t call;
    uint32_t code;
};

static const struct taken table[] = {
    /* namespaces */
    {SYS_unshare, EPERM},
    {SYS_setns, EPERM},
    {SYS_clone3, ENOSYS},
    /* mounts */
    {SYS_mount, EPERM},
    {SYS_umount2, EPERM},
    {SYS_pivot_root, EPERM},
    {SYS_open_tree, EPERM},
    {SYS_move_mount, EPERM},
    {SYS_fsopen, EPERM},
    {SYS_fsconfig, EPERM},
    {SYS_fsmount, EPERM},
    {SYS_fspick, EPERM},
    {SYS_mount_setattr, EPERM},
    {SYS_open_by_handle_at, EPERM},
    /* other processes */
    {SYS_ptrace, EPERM},
    {SYS_process_vm_readv, EPERM},
    {SYS_process_vm_writev, EPERM},
    /* the kernel's own machines, keys and modules */
    {SYS_bpf, EPERM},
    {SYS_perf_event_open, EPERM},
    {SYS_userfaultfd, EPERM},
    {SYS_io_uring_setup, EPERM},
    {SYS_io_uring_enter, EPERM},
    {SYS_io_uring_register, EPERM},
    {SYS_keyctl, EPERM},
    {SYS_add_key, EPERM},
    {SYS_request_key, EPERM},
    {SYS_kexec_load, EPERM},
    {SYS_kexec_file_load, EPERM},
    {SYS_init_module, EPERM},
    {SYS_finit_module, EPERM},
    {SYS_delete_module, EPERM},
};

#define HEAD_MAX 12 /* architecture and clone */

struct program {
    struct sock_filter code[HEAD_MAX + 2 * VR_COUNT(table)];
    uint16_t len;
};

static void add(struct program *p, struct sock_filter instruction)
{
    p->code[p->len++] = instruction;
}

static void load(struct program *p, uint32_t offset)
{
    add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

/* Skip `skipped` instructions unless the comparison with `value` holds. */
static void unless(struct program *p, uint16_t comparison, uint32_t value, uint8_t skipped)
{
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | comparison | BPF_K, value, 0, skipped));
}

static void answer(struct program *p, uint32_t action)
{
    add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* The low half of an argument: flags of clone are in the first, and these two are little-endian. */
static void add_clone(struct program *p)
{
    unless(p, BPF_JEQ, SYS_clone, 4);
    load(p, FIELD(args[0]));
    unless(p, BPF_JSET, NEW_NAMESPACES, 1);
    answer(p, REFUSE(EPERM));
    answer(p, SECCOMP_RET_ALLOW);
}

static void make_program(struct program *p)
{
    load(p, FIELD(arch));
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
    answer(p, SECCOMP_RET_KILL_PROCESS);
    load(p, FIELD(nr));
    unless(p, BPF_JSET, X32_BIT, 1);
    answer(p, REFUSE(EPERM));
    for (size_t i = 0; i < VR_COUNT(table); i++) {
        unless(p, BPF_JEQ, table[i].call, 1);
        answer(p, REFUSE(table[i].code));
    }
    add_clone(p); /* last: it loads another field */
    answer(p, SECCOMP_RET_ALLOW);
}

int vr_build_seccomp_install(struct vr_err *err)
{
    struct program program = {.len = 0};
    struct sock_fprog all = {.filter = program.code};

    make_program(&program);
    all.len = program.len;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) < 0)
        return vr_fail_sys(err, "install the filter of system calls");
    return 0;
}
