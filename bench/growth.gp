# SPDX-License-Identifier: GPL-2.0-only
# gnuplot -e "csv='bench.csv'; svg='growth.svg'; base='6.12'" growth.gp
#
# Plot four costs, without and with the series: posting a record by the number of
# watchers, reading a record by the size of the batch, adding and removing a watch by the
# number of other watches.
set datafile separator ','
set terminal svg size 900,640 font 'sans,11' background 'white'
set output svg
set logscale xy
set key top left
set grid
set multiplot layout 2,2

# rows(PREFIX, SUFFIX): lines "NUMBER BASE SERIES"; the number is in the name of the row
rows(prefix, suffix) = sprintf("<sed -nE 's/^%s([0-9]+)%s,([^,]*),([^,]*),.*/\\1,\\2,\\3/p' %s | sort -n", prefix, suffix, csv)
both(prefix, suffix) = rows(prefix, suffix)

set style data linespoints
set xlabel 'watchers of the object'
set ylabel 'instructions a post'
plot both('post-16B-', 'w') using 1:2 title base pt 7, '' using 1:3 title 'this series' pt 7
set xlabel 'records a read()'
set ylabel 'instructions a record'
plot both('read-16B-b', '') using 1:2 title base pt 7, '' using 1:3 title 'this series' pt 7
set key top left
set xlabel 'other watches of the object'
set ylabel 'instructions to add a watch'
plot both('add-object-', '') using ($1 + 1):2 title base pt 7, '' using ($1 + 1):3 title 'this series' pt 7
set ylabel 'instructions to remove a watch'
plot both('remove-object-', '') using ($1 + 1):2 title base pt 7, '' using ($1 + 1):3 title 'this series' pt 7
unset multiplot
