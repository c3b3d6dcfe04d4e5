# Completion of ipvsadm for fish. What may stand on the line is known to ipvsadm itself.

function __ipvsadm_candidates
    set -l words (commandline -opc)
    set -l current (commandline -ct | string replace -ra '[\'"\\\\]' '')
    printf '%s\0' $words[2..] "$current" | command $words[1] --complete-words 2>/dev/null
end

complete -c ipvsadm -f -a '(__ipvsadm_candidates)'
