#!/bin/bash
# sqlite3: many rows in memory and on disk, indexes, joins, window functions, vacuum, json.
. "$(dirname "$0")/../lib.sh"
need sqlite3

cat >"$work/script.sql" <<'END'
PRAGMA synchronous = off;
PRAGMA cache_size = -40000;
CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b TEXT, c BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO t SELECT i, i * 7919 % 100003, printf('text %d and %x', i, i * 31), zeroblob(i % 50) FROM n;
CREATE INDEX t_a ON t (a, b);
CREATE INDEX t_b ON t (b);
SELECT count(*), sum(a), max(b), sum(length(c)) FROM t;
SELECT a % 10, count(*), group_concat(id % 10, '') FROM t WHERE id < 2000 GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM t x JOIN t y ON x.a = y.id WHERE x.b < y.b;
SELECT sum(r), sum(s) FROM (SELECT rank() OVER (PARTITION BY a % 100 ORDER BY b) r, sum(a) OVER (ORDER BY id ROWS 20 PRECEDING) s FROM t WHERE id < 50000);
DELETE FROM t WHERE a % 3 = 0;
UPDATE t SET b = b || ' again', c = zeroblob(3) WHERE a % 3 = 1;
SELECT count(*), sum(length(b)) FROM t;
VACUUM;
SELECT sum(json_extract(json_object('x', a, 'y', json_array(b, id)), '$.y[1]')) FROM t WHERE id < 60000;
PRAGMA integrity_check;
END
in_memory()
{
    sqlite3 :memory: <"$work/script.sql"
}
on_disk()
{
    sqlite3 file.db 'PRAGMA journal_mode = wal' && sqlite3 file.db <"$work/script.sql"
    sqlite3 file.db .dump | sha256sum
}
compare in_memory
compare on_disk
served sqlite3
