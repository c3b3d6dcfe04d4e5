#!/bin/sh
# One file of rules, under version control, for many directors:
#
#   many-directors.sh check RULES             in continuous integration; needs no kernel and no root
#   many-directors.sh drift RULES HOST...     the alarm: what each director would have to change
#   many-directors.sh roll-out RULES HOST...  one director after the other, up to the first failure
#   many-directors.sh metrics FILE HOST...    writes FILE on each, for node_exporter's text files
#
# Status: 0 if all is well; 1 if directors differ, or not all was done; more if something is wrong.
#
# RUN    how a command is run on a host (ssh)
# OWNER  `others': services that RULES does not name belong to keepalived or to other files, and
#        stay. `file': they are deleted (others)
# WAIT   how many seconds connections get to end before their server is deleted (60)
set -eu

run=${RUN:-ssh}
case ${OWNER:-others} in
    others) keep=--keep ;;
    file) keep= ;;
    *) echo "OWNER is others or file" >&2 && exit 2 ;;
esac

check() {
    ipvsadm --check --strict "$1"
}

drift() {
    rules=$1 worst=0
    shift
    for host; do
        status=0
        changes=$($run "$host" ipvsadm --diff $keep <"$rules") || status=$?
        [ -z "$changes" ] || printf '%s\n' "$changes" | sed "s/^/$host: /"
        [ "$status" -le "$worst" ] || worst=$status
    done
    return "$worst"
}

roll_out() {
    rules=$1
    shift
    check "$rules"
    for host; do
        echo "$host:"
        $run "$host" ipvsadm --apply $keep --wait "${WAIT:-60}" --verbose <"$rules"
        drift "$rules" "$host"
    done
}

metrics() {
    file=$1
    shift
    for host; do
        $run "$host" ipvsadm -L --format prometheus --output "$file" </dev/null
    done
}

[ $# -ge 2 ] || { sed -n '2,/^set/{/^set/d;s/^#//;p}' "$0" >&2 && exit 2; }
command=$1
shift
case $command in
    check | drift | metrics) "$command" "$@" ;;
    roll-out) roll_out "$@" ;;
    *) echo "no such command: $command" >&2 && exit 2 ;;
esac
