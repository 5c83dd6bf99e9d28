#compdef vr
# SPDX-License-Identifier: MIT
# Completion of vr for zsh: eval "$(vr completion zsh)" after compinit, or as _vr in $fpath
_vr() {
    local line
    local -a names shown
    while IFS= read -r line; do
        names+=("${line%%$'\t'*}")
        shown+=("${line%%$'\t'*}  ${line#*$'\t'}")
    done < <("${words[1]}" __complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    if ((${#names})); then
        if [[ ${names[1]} == *= ]]; then
            compadd -l -d shown -S '' -a names
        else
            compadd -l -d shown -a names
        fi
    else
        _files
    fi
}
if [[ ${funcstack[1]} == _vr ]]; then
    _vr "$@"
else
    compdef _vr vr
fi
