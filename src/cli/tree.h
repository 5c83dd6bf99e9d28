/* SPDX-License-Identifier: MIT */
/* The whole tree of commands: families of commands, and the verbs of every noun. */
#ifndef VR_CLI_TREE_H
#define VR_CLI_TREE_H

#include "cli/command.h"

struct vr_tree;

/**
 * Put the tree together. A noun without a command of its own gets one; where a family has a command
 * of a noun's name, the noun's verbs go below that command's, and its own verbs win.
 * @families  borrowed for the tree's life; each ended by an entry without name
 */
struct vr_tree *vr_tree_new(const struct vr_command *const *families, size_t count);
struct vr_tree *vr_tree_free(struct vr_tree *tree);
VR_DEFINE_OWNED(struct vr_tree, vr_tree_free)

/** `vr` itself; borrowed. */
const struct vr_command *vr_tree_root(const struct vr_tree *tree);

/** What is called with every listed command: its words ("vr app list"). */
typedef void (*vr_tree_fn)(void *user, const char *path, const struct vr_command *command);

/** Walk over every listed command that does something; commands have two words at most. */
void vr_tree_each(const struct vr_command *root, vr_tree_fn fn, void *user);

#endif
