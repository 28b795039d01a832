# What the Perl interpreter does as a workload: perl work.pl text
use strict;
use warnings;

my (%count, %neighbours, @lines);
open my $file, '<', $ARGV[0] or die "work.pl: $ARGV[0]: $!";
while (my $line = <$file>) {
    chomp $line;
    my @words = split /[ .]+/, $line;
    for my $i (0 .. $#words) {
        $count{$words[$i]}++;
        next unless $i;
        my $list = $neighbours{$words[$i - 1]} //= [];
        push @$list, $words[$i] if @$list < 20;
    }
    $line =~ s/(\w+) (\w+)/$2-$1/g;
    push @lines, join ' ', reverse map { ucfirst } split / /, $line if @lines < 40_000;
}
my @ranked = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
my @sorted = sort @lines;
printf "%d %d %d %s\n", scalar @ranked, scalar @sorted, scalar keys %neighbours,
    join ',', map { sprintf '%s=%d', $_, $count{$_} } @ranked[0 .. 9];
