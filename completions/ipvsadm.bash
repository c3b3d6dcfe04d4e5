# Completion of ipvsadm for bash. ipvsadm itself knows what may be on the line.

# A word as it is typed: blanks in quotes or behind a backslash are part of it.
_ipvsadm_word='(([^[:blank:]"'\''\]|\\.?|"([^"\]|\\.)*("|$)|'\''[^'\'']*('\''|$))*)'

_ipvsadm() {
    local line=${COMP_LINE:0:COMP_POINT} rest word quotes start
    local -a words rows values abouts
    # A file follows a redirection.
    if [[ $line =~ [\<\>][[:blank:]]*$_ipvsadm_word$ ]]; then
        compopt -o default
        return
    fi
    # The shell breaks words at colons; addresses are taken from the line as it was typed.
    rest=$line
    while [[ $rest =~ ^[[:blank:]]*$_ipvsadm_word ]]; do
        words+=("${BASH_REMATCH[1]}")
        rest=${rest:${#BASH_REMATCH[0]}}
        [[ $rest ]] || break
    done
    word=${words[-1]}
    words=("${words[@]//[\"\'\\]/}")
    [[ ${words[0]##*/} == ipvsadm ]] || return
    mapfile -t rows < <(
        exec 2>/dev/null
        printf '%s\0' "${words[@]:1}" | command "${words[0]/#\~\//$HOME/}" --complete-words
    )
    # A row without a value asks for files.
    if [[ ${rows[0]} == $'\t'* ]]; then
        compopt -o default
        return
    fi
    values=("${rows[@]%%$'\t'*}")
    abouts=("${rows[@]#*$'\t'}")

    # What the shell takes for an earlier word, or has before a quote, is not repeated.
    quotes=${word//[^\"\']/}
    if ((${#quotes} % 2)); then
        start=${word%[\"\']*}
    elif [[ $COMP_WORDBREAKS == *[:=]* ]]; then
        start=${word%"${word##*[:=]}"}
    fi
    values=("${values[@]#"${start//[\"\'\\]/}"}")

    # A list says what each is, unless it is a long one.
    if [[ $COMP_TYPE == @(33|63|64) ]] && ((${#values[@]} > 1 && ${#values[@]} <= 100)); then
        _ipvsadm_rows
    fi
    COMPREPLY=("${values[@]}")
}

# Makes rows as wide as the terminal of the values and what there is to say about them.
_ipvsadm_rows() {
    local i value width=0 columns=$((${COLUMNS:-80} - 1))
    for value in "${values[@]}"; do
        ((width = ${#value} > width ? ${#value} : width))
    done
    for i in "${!values[@]}"; do
        printf -v value '%-*s  %s' "$width" "${values[i]}" "${abouts[i]}"
        printf -v 'values[i]' '%-*.*s' "$columns" "$columns" "$value"
    done
}

complete -o nosort -F _ipvsadm ipvsadm
