#!/usr/bin/env bash
# test_collect_fleet.sh proves docs/collect-fleet.md as far as it can be tried here: a real
# Prometheus with that configuration and that list of targets scrapes a service that wants a token, and
# `snag collect` reads the same list; by a name instead of an address it is refused, as the page says.
# Parca's configuration has no key that Parca would refuse.
set -u
. "$SNAG_SOURCE/tests/support/service.sh"
command -v promtool >/dev/null && command -v prometheus >/dev/null || skip "no prometheus here"
page=$SNAG_SOURCE/docs/collect-fleet.md
token=fleet-token

# block LANGUAGE NUMBER: the page's NUMBERth block of that language.
block()
{
    awk -v want="$1" -v number="$2" \
        '/^```/ { inside = !inside; if (inside) { shown = $0 == "```" want && ++count == number } next }
         inside && shown' "$page"
}

SNAG_TOKEN=$token service labelled "$SNAG_BUILD/tests/programs/labelled"
echo "$token" >"$work/token"
block json 1 | sed "s/\"10.0.0.5:6060\", \"10.0.0.6:6060\"/\"$address\"/" >"$work/targets.json"
grep -q "$address" "$work/targets.json" || fail "the page has another list: $(cat "$work/targets.json")"

"$SNAG_BUILD/src/snag" collect --once -d "$work/kept" --file-sd "$work/targets.json" --token-file "$work/token" \
    >"$work/err" 2>&1 || fail "snag collect: $(cat "$work/err")"
for profile in threads fds handles; do
    [ "$(find "$work/kept/web/$profile" -name '*.pb.gz' | wc -l)" = 1 ] || fail "no $profile of web"
done

block yaml 1 | sed "s|/etc/snag/|$work/|; s/30s/1s/" >"$work/prometheus.yml"
sed -i '1i global: { scrape_timeout: 1s }' "$work/prometheus.yml"
promtool check config "$work/prometheus.yml" >"$work/said" 2>&1 || fail "promtool: $(cat "$work/said")"
free_port
timeout 100 prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
    --web.listen-address="127.0.0.1:$port" >"$work/prometheus.log" 2>&1 &
services+=($!)
query()
{
    get "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1" -G 2>/dev/null |
        sed -n 's/.*"value":\[[^,]*,"\([^"]*\)"\].*/\1/p'
}
is_scraped() { [ "$(query 'up{job="web"}')" = 1 ]; }
until_true is_scraped
[ "$(query 'snag_threads{job="web"} > 0')" ] || fail "Prometheus does not scrape it: $(tail -n 3 "$work/prometheus.log")"

status=$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' -H "Host: web-1:6060" -H "Authorization: Bearer $token" "http://$address/debug/pprof/threads")
[ "$status" = 403 ] || fail "by a name the answer is $status and not 403"

# yaml.v3 with KnownFields: each key must be one that Parca's config.go has.
block yaml 2 | grep -oE '[a-z_]+:( |$)' | tr -d ': ' | sort -u >"$work/keys"
for key in $(cat "$work/keys"); do
    case $key in
    object_storage | bucket | type | config | directory | scrape_configs | job_name | scrape_interval | scrape_timeout) ;;
    authorization | credentials_file | file_sd_configs | files | profiling_config | pprof_config | enabled | path) ;;
    threads | fds | handles | goroutine | memory | block | mutex | process_cpu) ;; # names of profiles
    *) fail "Parca does not know '$key'" ;;
    esac
done
[ "$(wc -l <"$work/keys")" -ge 20 ] || fail "Parca's configuration is not on the page"
exit "$failed"
