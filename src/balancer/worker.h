/* SPDX-License-Identifier: MIT */
/* The process that holds one balancer for the agent: JSON lines in, JSON lines out. */
#ifndef VR_BALANCER_WORKER_H
#define VR_BALANCER_WORKER_H

#define VR_BALANCER_WORKER_LINE_BYTES (4 * 1024 * 1024) /* of one line on stdin */
#define VR_BALANCER_WORKER_POLL_MS    250
#define VR_BALANCER_WORKER_REPORT_MS  2000 /* a report at least this often once pools are known */

/**
 * `vr balancer-worker`; argv is not used. Lines on standard input:
 *   {"cmd": "open", "name": …, "driver": …, "options": {…}, "state_dir": …}   first, once
 *   {"cmd": "apply", "pools": [{"name", "generation", "check": true|false,
 *       "nodes": [{"id", "address", "port", "state": "active"|"drain"}]}]}
 *   {"cmd": "shutdown"}   end the balancer's program too, then this process
 *   {"cmd": "quit"}       end this process; the balancer goes on, as it does when stdin closes
 * When several applies wait, only the last is carried out: each is the whole state.
 * Lines on standard output: the report of vr_balancer_report() after each apply, whenever it
 * changed (polled every VR_BALANCER_WORKER_POLL_MS) and every VR_BALANCER_WORKER_REPORT_MS; or
 * {"error": text} for a line that was not understood or a balancer that could not be opened (the
 * worker then waits for another "open"). The log goes to standard error.
 *
 * Blocks until told to end. Returns the exit status: 0, or 1 if standard output broke.
 */
int vr_balancer_worker_main(int argc, char **argv);

#endif
