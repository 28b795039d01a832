#!/bin/bash
# git on a repository that is made here: import, clone, gc with threads, fsck, log, blame, diff, merge.
. "$(dirname "$0")/../lib.sh"
need git

export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=c \
    GIT_COMMITTER_EMAIL=c@d GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
words 3000 >"$work/text"

# A history of 400 commits on 40 files, each of which changes some lines.
history()
{
    awk -v text="$work/text" 'BEGIN {
        while ((getline line < text) > 0) lines[n++] = line
        for (c = 0; c < 400; c++) {
            print "commit refs/heads/main"
            print "committer c <c@d> " 1700000000 + c " +0000"
            print "data 10\ncommit " sprintf("%03d", c)
            body = ""
            for (i = 0; i < 200; i++) body = body lines[(i * 13 + (i % 17 == c % 17 ? c : 0)) % n] "\n"
            print "M 644 inline folder" c % 5 "/file" c % 40
            print "data " length(body)
            printf "%s", body
        }
        print "done"
    }'
}

whole_life()
{
    git init -q -b main origin
    history | git -C origin fast-import --quiet --done
    git clone -q --no-local origin clone
    cd clone || exit 1
    git -c pack.threads=2 gc -q --aggressive
    git fsck --full --strict && echo sound
    git log --stat --format=%H | sha256sum
    git blame -s folder1/file1 | sha256sum
    git log -p -S7 --format=%h -- folder2 | sha256sum
    git checkout -q -b side HEAD~100
    echo more >>folder3/file3 && git commit -qam side
    git merge -q -m merge -X ours main && git rev-parse HEAD
    git grep -c --threads 2 'a[b-d]' | sort | sha256sum
    git repack -q -a -d -f --depth=50 --window=50
    git archive HEAD | sha256sum
    git rev-list --objects --all | sort | sha256sum
    git bundle create -q all.bundle --all && git bundle verify -q all.bundle && echo bundled
}

compare whole_life
served git
