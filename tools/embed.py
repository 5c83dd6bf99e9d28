#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make a C file of an array of embedded files (core/embed.h).

embed.py --symbol vr_store_migrations --output x.c [--base folder] file...

Names are the files' paths below --base (default: the folder each lies in), in sorted order. The C
file defines `const struct vr_embed <symbol>[]` and `const size_t <symbol>_count`.
"""
import argparse
import os


def c_bytes(data):
    lines = []
    for at in range(0, len(data), 20):
        lines.append("    " + ",".join(str(b) for b in data[at:at + 20]) + ",")
    return "\n".join(lines + ["    0"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--symbol", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--base")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()

    named = sorted((os.path.relpath(f, args.base) if args.base else os.path.basename(f), f)
                   for f in args.files)
    with open(args.output, "w", encoding="utf-8") as out:
        out.write("/* SPDX-License-Identifier: MIT */\n/* Made by tools/embed.py. */\n")
        out.write('#include "core/embed.h"\n\n')
        out.write(f"extern const struct vr_embed {args.symbol}[];\n")
        out.write(f"extern const size_t {args.symbol}_count;\n\n")
        for i, (_, path) in enumerate(named):
            with open(path, "rb") as f:
                data = f.read()
            out.write(f"static const unsigned char file_{i}[] = {{\n{c_bytes(data)}\n}};\n\n")
        out.write(f"const struct vr_embed {args.symbol}[] = {{\n")
        for i, (name, _) in enumerate(named):
            quoted = name.replace("\\", "\\\\").replace('"', '\\"')
            out.write(f'    {{"{quoted}", file_{i}, sizeof(file_{i}) - 1}},\n')
        out.write("    {0, 0, 0},\n};\n")
        out.write(f"const size_t {args.symbol}_count = {len(named)};\n")


main()
