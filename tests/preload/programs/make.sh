#!/bin/bash
# make -j2 with hundreds of rules, patterns and functions.
. "$(dirname "$0")/../lib.sh"
need make

cat >"$work/Makefile" <<'END'
numbers := $(shell seq 1 150)
all: $(foreach n,$(numbers),out/$(n).sum) ; @cat $(sort $^) | cksum
out: ; @mkdir -p out
out/%.txt: | out ; @seq $* >$@
out/%.double: out/%.txt ; @sed 's/.*/& &/' $< >$@
out/%.sum: out/%.double out/%.txt ; @cat $^ | cksum >$@
$(foreach n,$(numbers),$(eval names += $(patsubst %,name-%,$(n))))
print: ; @echo $(words $(names)) $(sort $(filter %7,$(names)))
END

compare make -j2 -f "$work/Makefile" all print
served make 'seq' 'cksum'
