#!/bin/bash
# man formats a page: a pipeline of its own processes, some in a sandbox of seccomp.
. "$(dirname "$0")/../lib.sh"
need man groff nroff

cat >"$work/page.1" <<'END'
.TH PAGE 1 2026-11-21 test manual
.SH NAME
page \- a page to be formatted
.SH DESCRIPTION
END
words 3000 >>"$work/page.1"

formatting()
{
    MANWIDTH=80 man -l "$work/page.1" | tail -n +2 | sed '$d' | cksum
}

compare formatting
served man groff troff
