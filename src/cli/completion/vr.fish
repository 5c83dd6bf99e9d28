# SPDX-License-Identifier: MIT
# Completion of vr for fish: vr completion fish | source
function __vr_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l found ($words[1] __complete -- $words[2..-1] "$word" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path "$word"
    end
end
complete -c vr -f -a '(__vr_complete)'
