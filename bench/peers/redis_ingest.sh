#!/usr/bin/env bash
# Durable ingest beside Redis Streams, in one run on one disk: XADD with `appendfsync always` on loopback, POST
# /v1/events of our server, and its event log appending as much at a time from as many threads, in process. Before,
# between and after: what a sync takes.
#
#   bench/peers/redis_ingest.sh [build/release]
#
# Wants Debian's packages redis-server and redis-tools. EVENTS (200000) is what Redis is sent in each run.
set -eu
cd "$(dirname "$0")/../.."
bench=${1:-build/release}/bench/log_bench
vitrine=$(realpath "${1:-build/release}")/vitrine
events=${EVENTS:-200000}
[ -x "$bench" ] && [ -x "$vitrine" ] || { echo "build the target log_bench first (-DVITRINE_BENCH=ON)" >&2; exit 2; }
command -v redis-server redis-benchmark >/dev/null || { echo "apt-get install redis-server redis-tools" >&2; exit 2; }

folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
redis-server --port "$port" --bind 127.0.0.1 --dir "$folder" --save "" --appendonly yes --appendfsync always \
  --daemonize no >"$folder/redis.log" 2>&1 &
redis=$!
trap 'kill "$redis" 2>/dev/null || true; wait "$redis" 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 100); do redis-cli -p "$port" ping >/dev/null 2>&1 && break; sleep 0.1; done

payload=$(printf 'p%.0s' $(seq 36))
cpu() { awk '{ print $14 + $15 }' "/proc/$redis/stat"; }  # of the server, in hundredths of a second
xadd() {  # name, clients, commands in flight of each, events
  local before after rate
  before=$(cpu)
  rate=$(redis-benchmark -p "$port" -c "$2" -P "$3" -n "$4" --csv XADD "stream$2" '*' e "$payload" | tail -1 | cut -d, -f2-)
  after=$(cpu)
  echo "redis, $1: $rate (events/s, then latencies in ms); server $((after - before)) hundredths of a CPU-second for $4"
}
mkdir "$folder/shop"
touch "$folder/shop/vitrine.toml"
http() {  # name, events in a request, connections
  (cd "$folder/shop" && "$vitrine" bench --quiet --json --rate 0 --seconds 5 --events "$2" --connections "$3") |
    python3 -c "import json, sys
r = json.load(sys.stdin)
print('POST /v1/events, $1: %.0f events/s, p50 %.1f ms, p99 %.1f ms; server %.0f events per CPU-second; a sync p50 %.2f ms, p99 %.2f ms' % (
    r['events_per_s'], r['p50_ms'], r['p99_ms'], $2 * 1e6 / r['server_cpu_us'], r['sync_p50_ms'], r['sync_p99_ms']))"
}
ours() { "$bench" --benchmark_filter="$1" --benchmark_min_time=1 --benchmark_color=false 2>/dev/null | grep '^BM_'; }

for _ in 1 2 3; do
  ours 'BM_Sync'
  xadd 'batches of 100, 8 clients' 8 100 "$events"
  http 'batches of 100, 8 clients' 100 8
  ours 'BM_AppendThreads/threads:8/batch:100'
  xadd 'single, 128 clients' 128 1 $((events / 4))
  xadd 'single, 8 clients with 16 in flight' 8 16 $((events / 4))
  http 'single, 128 clients' 1 128
  ours 'BM_AppendThreads/threads:128/batch:1'
done
lscpu | grep 'Model name'
uptime
