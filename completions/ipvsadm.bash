# Completion of ipvsadm for bash. What may stand on the line is known to ipvsadm itself.

_ipvsadm() {
    local -a words
    local word value about
    # The shell breaks words at colons; addresses are taken from the line as it was typed.
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    [[ ${COMP_LINE:0:COMP_POINT} == *[[:blank:]] ]] && words+=("")
    words=("${words[@]//[\"\']/}")
    word=${words[-1]}
    COMPREPLY=()
    while IFS=$'\t' read -r value about; do
        COMPREPLY+=("$value")
    done < <(IPVSADM_COMPLETE=1 command "${words[0]/#\~/$HOME}" "${words[@]:1}" 2>/dev/null)
    # What the shell takes for an earlier word is not repeated.
    if [[ $word == *[:=]* && $COMP_WORDBREAKS == *[:=]* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*[:=]}"}"}")
    fi
}

complete -F _ipvsadm ipvsadm
