#!/bin/bash
# nginx: a master and two workers on a loopback port, many requests at once, a reload in their midst.
. "$(dirname "$0")/../lib.sh"
need nginx curl python3

mkdir "$work/html" "$work/logs" "$work/tmp"
for i in 1 2 3 4 5 6 7 8; do words $((i * 700)) >"$work/html/$i.txt"; done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
user=
[ "$(id -u)" -ne 0 ] || user="user $(id -un) $(id -gn);"
cat >"$work/nginx.conf" <<END
$user
worker_processes 2;
daemon off;
pid $work/pid;
error_log $work/logs/error;
events { worker_connections 200; }
http {
    access_log off;
    types { text/plain txt; }
    gzip on;
    gzip_min_length 100;
    client_body_temp_path $work/tmp/a;
    proxy_temp_path $work/tmp/b;
    fastcgi_temp_path $work/tmp/c;
    uwsgi_temp_path $work/tmp/d;
    scgi_temp_path $work/tmp/e;
    server {
        listen 127.0.0.1:$port;
        root $work/html;
        location /files/ { alias $work/html/; }
        location /front/ { proxy_pass http://127.0.0.1:$port/; }
    }
}
END

# The client is the same both times; only the server is on the library.
ask()
{
    curl -sS --compressed -Z --parallel-max 20 -o '#1.#2.#3' \
        "http://127.0.0.1:$port/{files,front}/[1-8].txt?{a,b,c,d,e,f,g,h}" 2>&1
}

life()
{
    serve "$1" nginx -p "$work" -c "$work/nginx.conf" -e "$work/logs/error"
    wait_for 20 curl -sS "http://127.0.0.1:$port/1.txt"
    mkdir "$work/got" && cd "$work/got" || exit 2
    ask
    kill -HUP "$server" # new workers, the old ones go when they are done
    for _ in 1 2 3; do ask; done
    cat ./* | sha256sum >"$work/$1.out"
    find . -type f | wc -l >>"$work/$1.out"
    cd "$work" && rm -rf "$work/got"
    finish QUIT
    ! grep -E 'alert|emerg|signal (6|11)' "$work/logs/error" || fail "a worker had an accident"
}

life plain
life preloaded
grep -qx 128 plain.out || fail "not all files came"
cmp plain.out preloaded.out || { cat plain.out preloaded.out; fail "other files"; }
served nginx
