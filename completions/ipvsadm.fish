# Completion of ipvsadm for fish. ipvsadm itself knows what may be on the line.

function __ipvsadm_rows
    set -l words (commandline -opc)
    set -l current (commandline -ct | string replace -ra '[\'"\\\\]' '')
    set -l program (string replace -r '^~/' ~/ -- $words[1])
    # fish itself complains about a missing program.
    command -q $program
    and printf '%s\0' $words[2..-1] "$current" | command $program --complete-words 2>/dev/null
end

# A row without a value asks for files.
function __ipvsadm_wants_file
    __ipvsadm_rows | string match -q \t'*'
end

complete -c ipvsadm -f -a '(__ipvsadm_rows | string match -v \t"*")'
complete -c ipvsadm -n __ipvsadm_wants_file -F
