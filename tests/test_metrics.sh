#!/usr/bin/env bash
# test_metrics.sh proves that /metrics is what Prometheus takes: promtool finds
# nothing to say about it, a real Prometheus scrapes it, and what it stores are
# the service's true counts.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
command -v promtool >/dev/null && command -v prometheus >/dev/null || skip "no prometheus here"

service watched "$SNAG_BUILD/tests/programs/watched" start threads 7 fds 20 sleep 120000
for ((i = 0; i < 100; i++)); do # until it has done what it was told
    get "http://$address/metrics" >"$work/metrics" || fail "/metrics is not served"
    # all but the listener; a sanitizer may have one of its own
    threads=$(($(find "/proc/$process/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l) - 1))
    [ "$threads" -ge 8 ] && grep -q "^snag_threads $threads\$" "$work/metrics" && break
    sleep 0.1
done
get -o /dev/null -D "$work/headers" "http://$address/metrics"
tr -d '\r' <"$work/headers" | grep -qix 'content-type: text/plain; version=0.0.4; charset=utf-8' || fail "another content type: $(cat "$work/headers")"
promtool check metrics <"$work/metrics" >"$work/said" 2>&1 || fail "promtool: $(cat "$work/said")"
[ ! -s "$work/said" ] || fail "promtool has something to say: $(cat "$work/said")"

value() { awk -v name="$1" '$1 == name { print $2 }' "$work/metrics"; }
[ "$(value snag_threads)" = "$threads" ] || fail "snag_threads is $(value snag_threads), not $threads"
open=$(find "/proc/$process/fd" -mindepth 1 2>/dev/null | wc -l)
[ "$(value process_open_fds)" = "$open" ] || fail "process_open_fds is $(value process_open_fds), not $open"
limit=$(awk '/^Max open files/ { print $4 }' "/proc/$process/limits")
[ "$(value process_max_fds)" = "$limit" ] || fail "process_max_fds is $(value process_max_fds), not $limit"
begun=$(($(date +%s) - $(ps -o etimes= -p "$process")))
awk -v a="$(value process_start_time_seconds)" -v b="$begun" 'BEGIN { exit !(a - b < 3 && b - a < 3) }' ||
    fail "process_start_time_seconds is $(value process_start_time_seconds), not about $begun"
pages=$(awk '{ print $2 }' "/proc/$process/statm")
awk -v a="$(value process_resident_memory_bytes)" -v b=$((pages * $(getconf PAGESIZE))) \
    'BEGIN { exit !(a > b / 2 && a < b * 2) }' || fail "process_resident_memory_bytes is $(value process_resident_memory_bytes)"

# A Prometheus of our own.
free_port
cat >"$work/prometheus.yml" <<END_OF_YML
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: snag
    static_configs: [ { targets: [ "$address" ] } ]
END_OF_YML
promtool check config "$work/prometheus.yml" >"$work/said" 2>&1 || fail "the configuration: $(cat "$work/said")"
timeout 100 prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
    --web.listen-address="127.0.0.1:$port" >"$work/prometheus.log" 2>&1 &
services+=($!)
query() { get "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1" -G 2>/dev/null | sed -n 's/.*"value":\[[^,]*,"\([^"]*\)"\].*/\1/p'; }
is_scraped() { [ "$(query 'up{job="snag"}')" = 1 ]; }
until_true is_scraped
[ "$(query 'up{job="snag"}')" = 1 ] || fail "Prometheus does not scrape it: $(tail -n 3 "$work/prometheus.log")"
[ "$(query 'snag_threads{job="snag"}')" = "$threads" ] || fail "Prometheus has stored '$(query 'snag_threads{job="snag"}')' threads, not $threads"
[ "$(query 'process_open_fds{job="snag"}')" = "$open" ] || fail "Prometheus has stored another count of descriptors"
exit $failed
