#!/bin/bash
# redis-server: filled, saved by a forked child while clients write, loaded again, and asked what it
# holds; on a unix socket.
. "$(dirname "$0")/../lib.sh"
need redis-server redis-cli redis-benchmark

cli()
{
    redis-cli -s "$work/socket" "$@"
}

start()
{
    serve "$1" redis-server --port 0 --unixsocket "$work/socket" --dir "$work" --save '' \
        --daemonize no --io-threads 2 --activedefrag no --logfile "$work/log"
    wait_for 20 cli ping
}

# The same commands give the same dataset; what redis says of it is compared.
fill()
{
    awk 'BEGIN {
        for (i = 0; i < 30000; i++) {
            print "SET key:" i " " sprintf("%0*d", i % 300 + 1, i)
            if (i % 5 == 0) print "HSET hash:" i % 500 " field" i " value" i
            if (i % 7 == 0) print "ZADD sorted:" i % 50 " " i % 1009 " member" i
            if (i % 11 == 0) print "RPUSH list:" i % 20 " " i
            if (i % 13 == 0) print "DEL key:" i - 5
            if (i % 997 == 0) print "APPEND big:" i " " sprintf("%06000d", i)
        }
    }' | cli --pipe >/dev/null
    cli eval 'local n = 0 for i = 1, 20000 do n = n + #redis.call("GET", "key:1") end return n' 0
}

describe()
{
    cli dbsize
    cli debug digest 2>/dev/null || cli --scan | sort | sha256sum
    cli sort list:3 alpha limit 0 5
    cli zrange sorted:7 0 -1 withscores | sha256sum
    cli hgetall hash:35 | sort | sha256sum
    cli strlen big:997
}

# A whole life, plain or preloaded.
life()
{
    start "$1"
    fill >"$work/$1.out"
    redis-benchmark -s "$work/socket" -q -n 10000 -c 20 -P 4 -t set,get,lpush,lpop,sadd -d 200 -r 10000 >/dev/null &
    local benchmark=$!
    cli bgsave >/dev/null
    wait $benchmark || fail "redis-benchmark ended with $?"
    wait_for 30 saved
    cli del mylist myset >/dev/null
    cli --scan --pattern 'key:0*' | xargs -n 500 redis-cli -s "$work/socket" del >/dev/null
    describe >>"$work/$1.out"
    cli save >/dev/null
    finish TERM
    start "$1"
    describe >>"$work/$1.out"
    finish TERM
    rm dump.rdb
}

saved()
{
    cli info persistence | grep -q 'rdb_bgsave_in_progress:0' && cli info persistence | grep -q 'rdb_last_bgsave_status:ok'
}

life plain
life preloaded
cmp plain.out preloaded.out || { diff plain.out preloaded.out; fail "another dataset"; }
served 'redis-(server|check-rdb)'
