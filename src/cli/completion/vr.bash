# SPDX-License-Identifier: MIT
# Completion of vr for bash: eval "$(vr completion bash)"
_vr() {
    local words=() word i line glued= cut=
    # readline splits at "="; vr does not.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ ($glued || $word == =) && ${#words[@]} -gt 0 ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        [[ $word == = ]] && glued=1 || glued=
    done
    word=${words[${#words[@]} - 1]}
    [[ $word == *=* ]] && cut=${word%%=*}=
    COMPREPLY=()
    while IFS= read -r line; do
        line=${line%%$'\t'*}
        line=${line#"$cut"}
        [[ $line == *= ]] && compopt -o nospace 2>/dev/null
        printf -v line %q "$line"
        COMPREPLY+=("${line//\\=/=}")
    done < <("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
}
complete -o default -F _vr vr
