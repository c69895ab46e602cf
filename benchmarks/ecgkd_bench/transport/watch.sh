# sh -c THIS watch BASE...: owns one ecgkd-bench folder on the device and clears it away, whatever becomes of the link.
# In: a new line every few seconds, echoed. When stdin ends, or nothing new came for 45 s, every process in
# FOLDER/pids is ended and the folder removed. Folders of earlier owners that died are removed at the start.
trap '' HUP PIPE
umask 077
for base in "$@"; do [ -d "$base" ] && [ -w "$base" ] && break; done
clean() { # the folder goes first, so that nothing more can register in it
    gone=$1.gone
    mv "$1" "$gone" 2>/dev/null || gone=$1
    for pid in "$gone"/pids/*; do
        pid=${pid##*/}
        [ "$pid" = '*' ] || kill -KILL "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
    done
    rm -rf "$gone"
}
for old in "$base"/ecgkd-bench.*; do
    [ -O "$old" ] || continue
    pid=
    read -r pid 2>/dev/null <"$old/owner"
    grep -qs ecgkd-bench "/proc/${pid:-none}/cmdline" || clean "$old"
done
dir=$(mktemp -d "$base/ecgkd-bench.XXXXXX") && mkdir "$dir/pids" && echo $$ >"$dir/owner" || {
    [ -z "$dir" ] || rm -rf "$dir"
    exit 1
}
(
    last=none missed=0
    while sleep 5; do
        now=
        read -r now 2>/dev/null <"$dir/beat"
        [ "$now" = "$last" ] && missed=$((missed + 1)) || missed=0
        last=$now
        [ "$missed" -lt 9 ] || break
    done
    clean "$dir"
    kill -KILL $$
) <&- >/dev/null 2>&1 &
timer=$!
echo "ecgkd-bench: folder $dir"
while read -r beat; do
    echo "$beat" >"$dir/beat"
    echo "$beat"
done
kill "$timer"
clean "$dir"
echo "ecgkd-bench: clean"
