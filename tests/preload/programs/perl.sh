#!/bin/bash
# perl: hashes, strings, regular expressions, sorting, closures, forks with pipes.
. "$(dirname "$0")/../lib.sh"
need perl

cat >"$work/script.pl" <<'END'
use strict; use warnings;
my (%count, %by, @lines);
my $x = 42;
for my $i (0 .. 60000) {
    $x = ($x * 69069 + 12345) % 4294967296;
    my $word = join '', map { chr(97 + ($x >> $_) % 26) } 3, 7, 11, 15;
    $count{$word}++;
    push @{ $by{ substr $word, 0, 1 } }, $i;
    push @lines, "$i $word $x";
}
print scalar(keys %count), ' ', join(',', map { "$_:" . scalar @{ $by{$_} } } sort keys %by), "\n";
my $text = join "\n", @lines;
my $n = () = $text =~ /([a-m]{2})\w+ \d*7\b/g;
(my $other = $text) =~ s/(\d)(\d)/$2$1/g;
print "$n ", length($other), ' ', unpack('%32C*', $other), "\n";
my @sorted = sort { (split ' ', $a)[1] cmp (split ' ', $b)[1] || $a cmp $b } @lines[0 .. 30000];
print "$sorted[0] $sorted[-1]\n";
my $chain; for my $i (1 .. 100000) { $chain = [$i, $chain] } my $depth = 0;
while ($chain) { $depth++; $chain = $chain->[1] } print "$depth\n";
my @closures = map { my $v = $_; sub { $v += shift } } 1 .. 20000;
my $sum = 0; $sum += $_->(3) for @closures; print "$sum\n";
for my $i (1 .. 40) {
    my $pid = open(my $pipe, '-|') // die;
    if (!$pid) { print unpack('%32C*', 'x' x ($i * 10000)), "\n"; exit }
    chomp(my $answer = <$pipe>); $sum += $answer; close $pipe;
}
print "$sum\n";
my $buffer = ''; $buffer .= pack('N', $_) x 10 for 1 .. 100000; print length($buffer), "\n";
END
compare perl "$work/script.pl"
served perl
