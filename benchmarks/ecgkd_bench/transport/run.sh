# sh run.sh LINES COMMAND...: runs COMMAND on the first LINES lines of stdin, in a process group that watch.sh can end.
# Closes with a line that holds the exit status: some connections end with 0 when they broke.
# sh run.sh stop: ends whatever still runs.
dir=${0%/*}
if [ "$1" = stop ]; then
    for pid in "$dir"/pids/*; do
        kill -KILL "-${pid##*/}" 2>/dev/null || kill -KILL "${pid##*/}" 2>/dev/null
        rm -f "$pid"
    done
    exit 0
fi
lines=$1
shift
job=$dir/job.$$
while [ "$lines" -gt 0 ]; do
    IFS= read -r line && printf '%s\n' "$line"
    lines=$((lines - 1))
done >"$job"
own=
command -v setsid >/dev/null && own=setsid
# Registered before it runs: a link that breaks in between leaves nothing that watch.sh does not know.
$own sh -c 'echo >"$0/pids/$$" && exec "$@"' "$dir" "$@" <"$job" &
child=$!
wait "$child"
status=$?
rm -f "$job" "$dir/pids/$child"
echo
echo "ecgkd-bench: exit $status"
