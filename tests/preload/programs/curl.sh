#!/bin/bash
# curl: many URLs at once, of files and of a server of python's, which is served too.
. "$(dirname "$0")/../lib.sh"
need curl python3

mkdir "$work/files"
for i in 1 2 3 4 5; do words $((i * 8000)) >"$work/files/$i"; done

# A port that is free: the server itself takes it, and says which.
serving()
{
    python3 -u -c '
import functools, http.server
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="'"$work"'/files")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
open("port", "w").write(str(server.server_port))
server.serve_forever()' 2>/dev/null &
    local server=$!
    wait_for 20 test -s port
    for i in 1 2 3; do
        curl -sS -Z --parallel-max 4 "http://127.0.0.1:$(cat port)/[1-5]" -o "got.$i.#1"
    done
    kill $server
    wait $server 2>/dev/null
    cat got.* | sha256sum
}

fetching()
{
    curl --version
    curl -sS "file://$work/files/[1-5]" | sha256sum
    curl -sS -r 1000-2000 "file://$work/files/3" | cksum
}

compare fetching
compare serving
served curl 'python3[.0-9]*'
