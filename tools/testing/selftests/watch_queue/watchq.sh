#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Test watchq against its manual page. Prints KTAP. There are no sleeps: an event is
# queued before the command that causes it returns, and watchq prints what is queued
# before it exits.
#
# The program is $WATCHQ, watchq in $PATH, or that of tools/watch_queue.

# shellcheck source=tools/testing/selftests/watch_queue/lib.sh
. "$(dirname "$0")/lib.sh"

if [ "$1" != inside ]; then
	[ "$(id -u)" = 0 ] || skip_all 'needs root, to mount'
	need chroot fsfreeze jq keyctl losetup mkfs.ext4 pivot_root script su unshare
	id nobody >/dev/null 2>&1 || skip_all 'no unprivileged user'
	WATCHQ=${WATCHQ:-$(command -v watchq)}
	WATCHQ=$(realpath "${WATCHQ:-$(dirname "$0")/../../../watch_queue/watchq}")
	[ -x "$WATCHQ" ] || skip_all 'no watchq: run make -C tools watch_queue'
	[ -e /proc/sys/user/max_watch_queue_watches ] ||
		skip_all 'CONFIG_WATCH_QUEUE is not set'
	export WATCHQ
	isolate unshare -m
fi

# compare NAME FILE: the file is the same as the file expected
compare() {
	diff expected "$2" >difference
	result "$1" $? difference
}

# same NAME FILE: the file has the lines on stdin
same() {
	cat >expected
	compare "$@"
}

# same_json NAME FILE: the file has the JSON objects on stdin, one per line. On stdin
# they may span lines.
same_json() {
	jq -ac . >expected
	compare "$@"
}

# start ARGUMENT...: start watchq, and wait until it is ready. Its lines go to the file
# out, its messages to err.
start() {
	watchq "$@" >out 2>messages &
	pid=$!
	exec 3<messages
	read -r line <&3
	[ "$line" = 'watchq: watching' ] || echo "# watchq $*: $line"
}

# finish [SIGNAL]: stop watchq, and set $status to its exit status
finish() {
	kill "-${1-INT}" $pid
	ended
}

# ended: wait until watchq exits
ended() {
	wait $pid
	status=$?
	cat <&3 >err
	exec 3<&-
}

# printed N: wait for N lines of output. watchq looks a name up when it reads the event,
# so a command that removes the name must run later.
printed() {
	until [ "$(wc -l <out)" -ge "$1" ]; do :; done
}

# holds NAME FILTER: check the array of all JSON objects with a filter of jq
holds() {
	jq -es "$2" <out >filtered
	result "$1" $? filtered out
}

# fields: remove from lines of JSON what differs from run to run
fields() {
	jq -ac 'del(.time, .key, .other, .mount, .parent, .old_parent, .mount_ns, .sb,
		.disk_seq, .seqnum, .sysfs_ino, .error_time_ns)'
}

# relative: remove the path of the directory of this test
relative() {
	sed "s,$PWD/,,g"
}

# as_nobody COMMAND: run the command without privilege. su may set another PATH.
as_nobody() {
	su nobody -s /bin/sh -c "PATH='$PATH'; $1"
}

# container: start a shell in a mount namespace with another root, and set $container to
# its process. The only mount on the first one is the root: Linux 6.12 resolves the paths
# of another namespace from the oldest mount there.
container() {
	mkdir root && mkfifo commands replies || exit
	exec 5<>commands 6<>replies
	unshare -m sh -c 'mount --bind / root && cd root && mount --move . / && {
		umount -l /sys /dev /tmp /proc
		exec chroot . sh
	} || echo failed >&6' <&5 >other 2>&1 &
	container=$!
	inside 'mount -t proc none /proc && mount -t tmpfs top /tmp && mkdir /tmp/a /tmp/b'
}

# inside COMMAND: run a command in the container
inside() {
	printf '%s\necho $? >&6\n' "$1" >&5
	read -r reply <&6
	[ "$reply" = 0 ] || echo "# inside $1: $reply"
}

# refused STATUS MESSAGE ARGUMENT...: watchq fails with a message and no output
refused() {
	want=$1 message=$2
	shift 2
	watchq "$@" >out 2>err
	got=$?
	[ $got = "$want" ] && [ ! -s out ] && grep -qF -e "$message" err
	result "refused with $want: $*" $? err
}

# lacking CALL:ERRNO MESSAGE ARGUMENT...: the error of a kernel without the source or
# the queue, which strace injects
lacking() {
	inject=$1 message=$2
	shift 2
	if ! command -v strace >/dev/null; then
		skipped "refused with 3: $inject" 'strace is not installed'
		return
	fi
	strace -o calls -e "inject=${inject%%:*}:error=${inject#*:}" watchq "$@" >out 2>err
	got=$?
	[ $got = 3 ] && [ ! -s out ] && grep -qF -e "$message" err
	result "refused with 3: $inject" $? err
}

# Another user may not have access to the directory of $WATCHQ
cd "$2" && mkfifo messages && mkdir bin && cp "$WATCHQ" bin/watchq || exit
PATH=$PWD/bin:$PATH
[ -e /dev/pts/ptmx ] || { mkdir -p /dev/pts && mount -t devpts none /dev/pts; } || exit

echo 'KTAP version 1'
echo 1..177

#
# Wrong use
#

refused 2 'nothing to watch'
refused 2 'unrecognized option' --mounts /
refused 2 'unexpected argument' --devices sda
refused 2 'must directly follow --mount' --devices --subtree
refused 2 'no filesystem is watched' --devices --no-user-ns
refused 2 'must be a serial number' --key mine
refused 2 'must be a serial number' --key @t
refused 2 'must be a serial number' --key -3
refused 2 'not a number from 1' --devices --count 0
refused 2 'not a number of seconds' --devices --timeout 0
refused 2 'not a number of seconds' --devices --timeout 1.5s
refused 2 'not a number of seconds' --devices --timeout 1e3
refused 2 'the time is empty' --devices --time=
refused 2 'the time is empty' --devices --time="$(printf '%%A%0127d' 0)"
refused 2 'must be FIELD=GLOB' --devices --match size=3
refused 2 'must be FIELD=GLOB' --devices --match name
refused 2 'must be FIELD=GLOB' --devices --match =x
refused 1 '--watches nowhere: No such file' --watches nowhere
refused 1 '--watches .: Is a directory' --watches .
refused 2 'only one file' --watches /dev/null --watches /dev/null
refused 2 'nothing to watch' --watches /dev/null
# wrong_line STATUS MESSAGE LINE: the second line of a file of watches has an error
wrong_line() {
	printf -- '--devices # all\n%b\n' "$3" >list
	refused "$1" "watchq: list:2: $2" --watches list
}
wrong_line 2 "unrecognized option '--json'" --json
wrong_line 2 'must have the options of one watch' '--key @s --key @u'
wrong_line 2 '--subtree and --only must follow the watch' '--only add'
wrong_line 2 '--subtree and --only must follow the watch' '--only add --devices'
wrong_line 2 '--subtree and --only must follow the watch' '--subtree --mount /'
wrong_line 2 '--subtree must directly follow --mount' '--key @s --subtree'
wrong_line 2 "unexpected argument 'sda'" '--block all sda'
wrong_line 2 'more than 15 words' '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16'
wrong_line 2 'has a null byte' '--key @s\0000'
wrong_line 2 '--only new: key has no event "new"' '--key @s --only new'
wrong_line 2 '--key mine: must be a serial number' '--key mine'
wrong_line 1 '--sb /no\where/\40: No such file' '--sb /no\\where/\\40'
refused 2 'no event has a field "size"' --devices --output name,size
refused 2 'no event has a field ""' --devices --output name,
refused 2 'cannot be combined with --json' --devices --output name --json
refused 2 'cannot be combined with --json' --devices --output name --exec true
refused 2 'must be auto, always or never' --devices --color yes
refused 2 'not a number from 1' --devices --queue -1
refused 2 'sysctl fs.pipe-max-size' --devices --queue 99999999999
refused 2 'source must be key, mount' --devices --filter disk
refused 2 'key has no event "read-only"' --key @s --filter key=read-only
refused 2 'key has no event "moved"' --key @s --filter key=linked,moved
refused 2 'key has no event ""' --key @s --filter key=linked,
refused 2 'must be info, notice, warning or error' --devices --priority high
refused 2 'must follow a watch' --only linked --key @s
refused 2 'device has no event "linked"' --key @s --devices --only linked
refused 2 'key has no event ""' --key @s --only linked,
refused 2 'this source is not watched' --key @s --filter device
refused 2 'cannot be combined with --json' --devices --exec true --json
refused 2 'already watched' --mount / --mount /
refused 2 'cannot be combined with --json' --devices --exec true --null
refused 1 'No such file' --sb nowhere
refused 1 'No such file' --sb ./all
refused 1 'No such file' --block ''
refused 1 'no such key' --key 1
refused 1 'not the root of a mount' --mount .
refused 1 'not the root of a mount' --mount /proc/self/ns/net
refused 1 'not a block device' --block /dev/null
# The writer waits for a reader, which must not be watchq
mkfifo fifo
echo waiting >fifo 2>other &
until grep -q '^State:.S' "/proc/$!/status"; do :; done
refused 1 'not a block device' --block fifo
timeout 20 cat fifo >got
[ "$(cat got)" = waiting ]
result 'a file that is not a block device is not opened' $? got
watchq --devices >&- 2>err
[ $? = 2 ] && grep -q 'standard output is closed' err
result 'refused without stdout' $? err
as_nobody 'watchq --block all' >out 2>err
[ $? = 4 ] && grep -q 'privilege required' err
result 'refused to nobody: all disks' $? err
as_nobody 'watchq --sb all' >out 2>err
[ $? = 4 ] && grep -q 'privilege required' err
result 'refused to nobody: all filesystems' $? err
as_nobody "watchq --block $(losetup -f)" >out 2>err
[ $? = 4 ] && grep -q 'Permission denied: read permission required' err
result 'refused to nobody: a disk' $? err
lacking pipe2:ENOPKG 'built without CONFIG_WATCH_QUEUE' --key @s
lacking pipe2:EINVAL 'this kernel has no notification queue' --key @s
lacking keyctl:EOPNOTSUPP 'built without CONFIG_KEY_NOTIFICATIONS' --key @s
lacking ioctl:ENOTTY:when=2+ 'this kernel can only watch keys' --devices
if command -v strace >/dev/null; then
	strace -o calls -e inject=keyctl:error=EINVAL:when=1 \
		watchq --key @s --timeout 1 >out 2>err
	[ $? = 5 ]
	result 'a kernel without KEY_WATCH_EXTENDED' $? err
else
	skipped 'a kernel without KEY_WATCH_EXTENDED' 'strace is not installed'
fi
watches=$(cat /proc/sys/user/max_watch_queue_watches)
echo 0 >/proc/sys/user/max_watch_queue_watches
as_nobody 'watchq --mount /' >out 2>err
[ $? = 4 ] && grep -q 'sysctl user.max_watch_queue_watches' err
result 'refused to nobody: one more watch' $? err
echo "$watches" >/proc/sys/user/max_watch_queue_watches
pages=$(cat /proc/sys/fs/pipe-user-pages-soft)
echo 1 >/proc/sys/fs/pipe-user-pages-soft
as_nobody 'watchq --key @s --queue 1000' >out 2>err
[ $? = 4 ] && grep -q 'sysctl fs.pipe-user-pages-soft' err
result 'refused to nobody: a large queue' $? err
echo "$pages" >/proc/sys/fs/pipe-user-pages-soft
watchq --help | grep -q '^Usage: watchq '
result help $?
[ "$(watchq -h)" = "$(watchq --help)" ] && watchq -V | grep -qx 'watchq [0-9.]*' &&
	[ "$(watchq -V)" = "$(watchq --version)" ]
result 'version, and options of one letter' $?

#
# Ends
#

start --key @s --count 2
keyctl add user demo a @s >key
keyctl update "$(cat key)" b
keyctl add user more a @s >key2
ended
[ $status = 0 ] && [ "$(wc -l <out)" = 2 ]
result count $? out err
for signal in INT TERM; do
	start --key @s --stats
	keyctl clear @s
	finish $signal
	grep -q '1 events, 1 records, 0 lost, largest backlog 1 of 512' err &&
		[ $status = 0 ] && grep -q cleared out
	result "end by SIG$signal after printing what is queued" $? out err
done
before=$(date +%s)
watchq --key @s --timeout 2 >out 2>err
[ $? = 5 ] && [ ! -s out ] && [ $(($(date +%s) - before)) -ge 2 ]
result timeout $? out err
timeout 60 watchq --key @s --timeout 0.01 2>err
[ $? = 5 ]
result 'a fraction of a second' $? err
# The keyring changes as long as watchq runs
start --key @s --priority notice --timeout 0.1
while [ -e "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status"; do
	keyctl clear @s
done
ended
[ $status = 5 ] && [ ! -s out ]
result 'a timeout in spite of events that are not reported' $? out err
mkfifo pipe
rm -f err
watchq --key @s --json >pipe 2>err &
exec 4<pipe
await watching err
exec 4<&-
wait $!
result 'end when the output is closed' $? err
rm -f err
watchq --key @s --stats >/dev/full 2>err &
await watching err
keyctl clear @s
wait $!
[ $? = 1 ] && grep -q 'cannot write' err && grep -q '1 events, 1 records, 0 lost' err
result 'disk full, and statistics' $? err
keyctl add user demo a @s >key
start --key "$(cat key)"
keyctl invalidate "$(cat key)"
ended
[ $status = 6 ] && grep -q 'no watch is left' err && [ "$(wc -l <out)" = 2 ]
result 'end with the last object' $? out err
key=$(keyctl add user demo a @s)
start --key "$key" --keep
keyctl invalidate "$key"
ended
[ $status = 6 ] && tail -n 1 out | grep -q removed
result 'a key is not kept' $? out err
shelf=$(keyctl newring shelf @s)
start --key "$shelf"
keyctl invalidate "$(keyctl add user dead a "$shelf")"
await unlinked out
finish
[ $status = 0 ] && [ "$(wc -l <out)" = 2 ]
result 'a link that the kernel removes' $? out err
start --key @us --key @u --json
key=$(keyctl add user in_session a @us) key2=$(keyctl add user in_user a @u)
finish
keyctl unlink "$key" @us
keyctl unlink "$key2" @u
jq -c '[.on, .key_name]' <out >got
same 'keyrings of the user' got <<'END'
["@us","_uid_ses.0"]
["@u","_uid.0"]
END

#
# Output
#

# Another keyring keeps the key, and so its name
shelf=$(keyctl newring shelf @s)
name=$(printf 'big\\ secret\302\205\342\200\256\342\201\246\343\205\244')
key=$(keyctl add user "$name" a "$shelf")
start --key @s
keyctl link "$key" @s
keyctl unlink "$key" @s
finish
same 'keys in text' out <<END
key    linked          _ses                 other_type=user \
other_name=big\\134\\040secret\\302\\205\\342\\200\\256\\342\\201\\246\\343\\205\\244
key    unlinked        _ses                 other_type=user \
other_name=big\\134\\040secret\\302\\205\\342\\200\\256\\342\\201\\246\\343\\205\\244
END

name=$(printf 'a "b" \\ \303\244 \377 \001 \302\233 \342\200\256 \363\240\201\201 \355\240\200')
key=$(keyctl add user "$name" a "$shelf")
before=$(date -u +%Y-%m-%dT%H:%M:%S)
start --key @s --json
keyctl link "$key" @s
printed 1
keyctl clear @s
finish
after=$(date -u +%Y-%m-%dT%H:%M:%S)
fields <out >got
same_json 'keys in JSON' got <<'END'
{"source":"key","event":"linked","priority":"info","watch":0,"on":"@s","key_type":"keyring",
 "key_name":"_ses","other_type":"user",
 "other_name":"a \"b\" \\ \u00e4 \ufffd \u0001 \u009b \u202e \udb40\udc41 \ufffd\ufffd\ufffd"}
{"source":"key","event":"cleared","priority":"info","watch":0,"on":"@s","key_type":"keyring",
 "key_name":"_ses"}
END
holds 'numbers of keys' "all(.key == $(keyctl id @s)) and .[0].other == $key"
holds time "all(.time | test(\"^....-..-..T..:..:..[.][0-9]{6}Z\$\")) and
	all(.time >= \"$before\" and .time[:19] <= \"$after\") and .[0].time <= .[1].time"

grep -qF '\u0001 \u009b \u202e \udb40\udc41 \ufffd\ufffd\ufffd"' out
result 'JSON has no control characters' $? out

before=$(date +%Y-%m-%dT%H:%M:%S)
start --key @s --time
keyctl clear @s
finish
after=$(date +%Y-%m-%dT%H:%M:%S.999999)
read -r time rest <out
result_time=${time%[+-]????}
printf '%s\n' "$before" "$result_time" "$after" | sort -c &&
	[ "$rest" = 'key    cleared         _ses' ] &&
	[ "$time" = "$result_time$(date +%z)" ] && [ ${#result_time} = 26 ]
result 'time in text lines' $? out
start --key @s --time='at %Y, %%'
keyctl clear @s
finish
same 'another format of the time' out <<END
at $(date +%Y), % key    cleared         _ses
END

start --key @s --output other_name,source,event,errno,watch --filter key=linked
for name in one 'one two' three; do keyctl add user "$name" a @s >key; done
finish
same 'columns' out <<'END'
one key linked - 0
one\040two key linked - 0
three      key linked - 0
END
if [ -e /usr/lib/locale/C.utf8 ]; then
	# Two columns each, and an accent that has none
	wide=$(printf '\346\274\242\345\255\227') accent=$(printf 'e\314\201')
	start --key @s --output other_name,event --filter key=linked
	for name in "$wide" "$accent" four five5; do keyctl add user "$name" a @s >key; done
	finish
	same 'columns of wide characters' out <<-END
	$wide linked
	$accent    linked
	four linked
	five5 linked
	END
else
	skipped 'columns of wide characters' 'no UTF-8 locale'
fi
start --key @s --output event,watch --null --time=at
keyctl clear @s
finish
printf 'at cleared 0\0' | cmp - out
result 'columns with the time and a null byte' $? out

start --key @s --null
keyctl clear @s
finish
tr '\0' '\n' <out >got
same 'a 0 byte at the end of text' got <<'END'
key    cleared         _ses
END
[ "$(wc -l <out)" = 0 ]
result 'and no newline' $? out
start --key @s --json --null
keyctl clear @s
keyctl clear @s
finish
tr '\0\n' '\n!' <out | fields >got
same_json 'a 0 byte at the end' got <<'END'
{"source":"key","event":"cleared","priority":"info","watch":0,"on":"@s","key_type":"keyring",
 "key_name":"_ses"}
{"source":"key","event":"cleared","priority":"info","watch":0,"on":"@s","key_type":"keyring",
 "key_name":"_ses"}
END

# Fields of other events are not in the environment
export WATCHQ_OTHER_NAME=stale
# shellcheck disable=SC2016 # for the command
start --key @s \
	--exec 'echo $WATCHQ_SOURCE $WATCHQ_EVENT $WATCHQ_PRIORITY $WATCHQ_OTHER_NAME; exit 3'
unset WATCHQ_OTHER_NAME
keyctl add user demo a @s >key
printed 1
keyctl clear @s
keyctl add user more a @s >key
until [ "$(wc -l <out)" = 3 ]; do :; done
finish
same 'a command for each' out <<END
key linked info demo
key cleared info
key linked info more
END

start --key @s
keyctl clear @s
printed 1
kill -USR1 $pid
read -r line <&3
[ "$line" = 'watchq: 1 events, 1 records, 0 lost, largest backlog 1 of 512' ]
result 'statistics by SIGUSR1' $?
keyctl clear @s
finish
[ $status = 0 ] && [ "$(wc -l <out)" = 2 ] && ! grep -q records err
result 'SIGUSR1 does not end watchq' $? out err

# shellcheck disable=SC2016
start --key @s --exec 'kill $PPID; echo $WATCHQ_EVENT'
halt $pid
keyctl clear @s
keyctl clear @s
kill -CONT $pid
ended
[ $status = 0 ] && [ "$(cat out)" = cleared ]
result 'a signal ends it between two commands' $? out err

keyctl add user demo a @s >key
start --key @s --devices --filter key=unlinked,linked --json
keyctl add user more a @s >key
keyctl clear @s
echo change >/sys/devices/virtual/mem/null/uevent
keyctl add user more a @s >key
keyctl unlink "$(cat key)" @s 2>unlinked
finish
fields <out | jq -r '.source + " " + .event + " " + (.watch | tostring)' >got
same 'a filter, for its source only' got <<END
key linked 0
device change 1
key linked 0
key unlinked 0
END

key=$(keyctl add user demo a @s)
key2=$(keyctl add user more a @s)
start --key "$key" --key "$key2" --priority notice --json
keyctl setperm "$key" 0x3f3f0000
keyctl revoke "$key"
keyctl setperm "$key2" 0x3f3f0000
keyctl invalidate "$key2"
await '"event":"removed"' out
finish
jq -c '[.event, .priority, .watch]' <out >got
same 'only events of a severity, and those of the queue' got <<'END'
["revoked","notice",0]
["invalidated","notice",1]
["removed","info",1]
END
keyctl add user apple a @s >key
start --key @s --devices --match 'other_name=a*e' --match event=linked --match other_name=fig
keyctl unlink "$(cat key)" @s 2>unlinked
for name in fig fig2 apple; do keyctl add user $name a @s >key; done
echo change >/sys/devices/virtual/mem/null/uevent
finish
same 'events that match' out <<END
key    linked          _ses                 other_type=user other_name=fig
key    linked          _ses                 other_type=user other_name=apple
END
start --devices --match 'devpath=*/mem/*' --match block=0 --match subsystem='[k-m]em'
echo change >/sys/devices/virtual/mem/null/uevent
echo change >/sys/devices/virtual/net/lo/uevent
finish
same 'a glob matches slashes, a flag is a number' out <<END
device change          /devices/virtual/mem/null subsystem=mem dev=1:3 synthetic
END
shelf=$(keyctl newring shelf @s)
start --key @s --only unlinked --key "$shelf" --only linked,cleared --devices \
	--only add --json
for ring in @s "$shelf"; do
	key=$(keyctl add user fig a "$ring")
	keyctl unlink "$key" "$ring"
done 2>unlinked
keyctl clear "$shelf"
echo change >/sys/devices/virtual/mem/null/uevent
finish
jq -c '[.event, .watch]' <out >got
same 'events of some watches only' got <<END
["unlinked",0]
["linked",1]
["cleared",1]
END
mkdir 'a place' && mount -t tmpfs top 'a place' || exit
cat >list <<END
# two watches

--key @s --only cleared	# not linked
	--mount a\\040place --only=setattr
END
# Lines can end with CR LF
sed -i "s/\$/$(printf '\r')/" list
start --devices --only add --watches list --json
key=$(keyctl add user fig a @s)
keyctl clear @s
mount -o remount,bind,nosuid 'a place'
umount 'a place'
finish
jq -c '[.event, .watch, .on]' <out >got
same 'watches of a file' got <<'END'
["cleared",1,"@s"]
["setattr",2,"a place"]
["removed",2,"a place"]
END
start --key @s --queue 4 --priority err --match event=none --count 1 --stats
halt $pid
for i in 1 2 3 4 5; do keyctl clear @s; done
kill -CONT $pid
ended
grep -q '1 events, 4 records, 1 lost' err
result 'a loss is reported, whatever is selected' $? out err

for format in '' --json; do
	# shellcheck disable=SC2086 # none is no argument
	start --key @s --queue 4 --stats $format
	halt $pid
	for i in 1 2 3 4 5 6 7; do keyctl clear @s; done
	kill -CONT $pid
	finish
	grep -q '5 events, 4 records, 3 lost, largest backlog 4 of 4' err &&
		[ "$(grep -c 'records were lost; --queue' err)" = 1 ]
	result "statistics of a loss, $format" $? err
	tail -n 1 out | sed 's/"time":[^,]*,//' >got
	lost='queue  lost            3'
	[ ! "$format" ] || lost='{"source":"queue","event":"lost","priority":"warning","count":3,'
	[ ! "$format" ] || lost=$lost'"or_more":false}'
	same "a loss, $format" got <<END
$lost
END
done

rm -f other plain
TERM=xterm script -qc 'watchq --key @s --count 1 2>other' screen >/dev/null &
await watching other
NO_COLOR=1 script -qc 'watchq --key @s --count 1 2>plain' plain_screen >/dev/null &
await watching plain
keyctl clear @s
wait
printf 'key    cleared         _ses\n' >expected
watchq --key @s --count 1 --color always --quiet >coloured 2>err &
until keyctl clear @s && grep -q cleared coloured; do :; done
wait $!
sed "s/$(printf '\033')\[[01;]*m//g" coloured >got
compare 'colour in a file' got
[ ! -s err ] && grep -q "$(printf '\033\[1mkey')" coloured
result 'colour on request, and no messages' $? coloured err
rm -f screen_never
script -qc 'watchq --key @s --count 1 --color never 2>never' screen_never >/dev/null &
await watching never
keyctl clear @s
wait
grep -q cleared screen_never && ! grep -q "$(printf '\033')" screen_never
result 'no colour on request' $? screen_never
grep -q "$(printf '\033\[1mkey')" screen && grep -q cleared plain_screen &&
	! grep -q "$(printf '\033')" plain_screen
result 'colour on a terminal, unless NO_COLOR is set' $? screen plain_screen

#
# Each source
#

mkdir tree && mount -t tmpfs top tree && mkdir tree/a "tree/b
c" || exit
start --mount tree --only unmount --json
mount -t tmpfs cargo tree/a
# The path is looked up when the record of the new mount is read
until kill -USR1 $pid && read -r line <&3 && [ "${line#*, 1 records}" != "$line" ]; do :; done
umount tree/a
finish
relative <out | jq -c '[.event, .path]' >got
same 'only unmounts, with their paths' got <<END
["unmount","tree/a"]
END
start --mount tree --subtree --json
mount -t tmpfs cargo tree/a
mkdir tree/a/deep
mount -t ramfs deep tree/a/deep
printed 2
mount --move tree/a "tree/b
c"
# The new path of the mount below is read with the record of the move
printed 3
umount "tree/b
c/deep"
mount -o remount,bind,ro "tree/b
c"
mount -o remount,bind,ro,noexec "tree/b
c"
mount --make-shared "tree/b
c"
umount "tree/b
c"
finish
fields <out | jq -c '[.event, .path, .fs_type, .parent_path, .old_parent_path, .rdonly]' |
	relative >got
same mounts got <<'END'
["new","tree/a","tmpfs","tree",null,false]
["new","tree/a/deep","ramfs","tree/a",null,false]
["move-to","tree/b\nc","tmpfs","tree","tree",false]
["unmount","tree/b\nc/deep","ramfs","tree/b\nc",null,false]
["rdonly","tree/b\nc","tmpfs","tree",null,true]
["setattr","tree/b\nc","tmpfs","tree",null,true]
["propagation","tree/b\nc","tmpfs","tree",null,true]
["unmount","tree/b\nc","tmpfs","tree",null,true]
END
# shellcheck disable=SC2016 # of jq
holds 'numbers of mounts' '.[0].mount as $a | .[1].mount as $deep | .[0].parent as $tree |
	all(.mount == $a and .parent == $tree or .mount == $deep and .parent == $a) and
	.[2].old_parent == $tree and ([$a, $deep, $tree] | unique | length) == 3'

# Moved and unmounted before watchq reads the records: the cached paths are printed
mount -t tmpfs cargo tree/a && mount -t ramfs other "tree/b
c" && mkdir elsewhere || exit
start --mount tree --subtree --mount "tree/b
c" --json
halt $pid
mount --move tree/a elsewhere
umount "tree/b
c"
umount elsewhere
kill -CONT $pid
finish
jq -c '[.event, .watch, .path]' <out | relative | sort >got
same 'mounts that are gone' got <<'END'
["move-from",0,"tree/a"]
["removed",1,null]
["unmount",0,"tree/b\nc"]
["unmount",1,"tree/b\nc"]
END

# A rename above a mount is not an event
mount -t tmpfs cargo tree/a && mkdir tree/a/x && mount -t tmpfs deep tree/a/x &&
	mkdir tree/a/x/y && mount -t tmpfs deeper tree/a/x/y || exit
start --mount tree/a/x/y --json
mount --move tree/a "tree/b
c"
mount -o remount,bind,ro "tree/b
c/x/y"
finish
jq -c '[.event, .path]' <out | relative >got
same 'the current path of a mount' got <<'END'
["rdonly","tree/b\nc/x/y"]
END
umount "tree/b
c/x/y" "tree/b
c/x" "tree/b
c" || exit

start --mount tree
mount -t tmpfs cargo tree/a
printed 1
mkdir tree/a/deep
mount -t tmpfs deep tree/a/deep
umount tree/a/deep
umount tree/a
finish
relative <out >got
same 'mounts in text, without the mounts below' got <<'END'
mount  new             tree/a fs_type=tmpfs parent_path=tree
mount  unmount         tree/a fs_type=tmpfs parent_path=tree
END
# shellcheck disable=SC2016
start --mount tree --filter mount=new \
	--exec 'echo $WATCHQ_PATH $WATCHQ_RDONLY $WATCHQ_PROPAGATED'
mount -t tmpfs -o ro cargo tree/a
printed 1
umount tree/a
finish
same 'flags for a command' out <<END
$PWD/tree/a 1 0
END
umount tree

mount -t tmpfs top tree && mkdir tree/a || exit
start --mount /proc/self/ns/mnt --subtree
mount -t ramfs cargo tree/a
printed 1
mount -o remount,bind,nosuid tree/a
printed 2
umount tree/a
finish
relative <out >got
same 'mount namespace of the caller, and options that change' got <<END
mount  new             tree/a fs_type=ramfs parent_path=tree
mount  setattr         tree/a fs_type=ramfs options=rw,nosuid,relatime \
old_options=rw,relatime parent_path=tree
mount  unmount         tree/a fs_type=ramfs parent_path=tree
END
umount tree
as_nobody 'watchq --mount /proc/self/ns/mnt --timeout 1' >out 2>err
[ $? = 5 ]
result 'mount namespace of the caller, without privilege' $? err

container
namespace=/proc/$container/ns/mnt
as_nobody 'watchq --mount /proc/self/fd/7' 7<"$namespace" >out 2>err
[ $? = 4 ] && grep -q 'CAP_SYS_ADMIN required' err
result 'refused to nobody: another mount namespace' $? err

start --mount "$namespace" --json
inside 'mount -t ramfs cargo /tmp/a'
printed 1
inside 'mkdir /tmp/a/sub && mount --bind /tmp/a/sub /tmp/b'
printed 2
inside 'umount /tmp/b && umount /tmp/a'
finish
jq -c '[.event, .path, .fs_type, .fs_root, .options, .parent_path]' <out >got
same 'another mount namespace' got <<'END'
["new","/tmp/a","ramfs","/","rw,relatime","/tmp"]
["new","/tmp/b","ramfs","/sub","rw,relatime","/tmp"]
["unmount","/tmp/b","ramfs","/sub","rw,relatime","/tmp"]
["unmount","/tmp/a","ramfs","/","rw,relatime","/tmp"]
END
# shellcheck disable=SC2016 # of jq
holds 'numbers of a namespace and a filesystem' '.[0] as $first | $first.mount_ns > 0 and
	$first.sb > 0 and all(.mount_ns == $first.mount_ns and .sb == $first.sb and
	.dev == $first.dev)'

# A file on which the namespace is mounted, as "unshare --mount=FILE" does
touch pinned && mount --bind "$namespace" pinned || exit
start --mount pinned
inside 'mount -t ramfs cargo /tmp/a'
printed 1
inside 'umount /tmp/a'
finish
umount pinned
same 'a file on which a namespace is mounted' out <<'END'
mount  new             /tmp/a               fs_type=ramfs parent_path=/tmp
mount  unmount         /tmp/a               fs_type=ramfs parent_path=/tmp
END

# The kernel escapes characters in options
mkdir 'a b' lower && mount -t tmpfs top tree && mkdir tree/overlay || exit
start --mount tree --json
mount -t overlay -o "lowerdir=$PWD/a b:$PWD/lower" cargo tree/overlay
printed 1
umount tree/overlay
finish
umount tree
jq -r 'select(.event == "new") | .options' <out | relative >got
grep -q '[,]lowerdir=a b:lower' got
result 'escaped characters in options' $? got

# Without all events, no path is kept for a mount that is gone
start --mount "$namespace" --json --filter mount=new,unmount
inside 'mount -t tmpfs cargo /tmp/a'
printed 1
inside 'umount /tmp/a'
finish
jq -c '[.event, .path, .fs_type, .dev[:2]]' <out >got
same 'a filter for another mount namespace' got <<'END'
["new","/tmp/a","tmpfs","0:"]
["unmount",null,"tmpfs","0:"]
END

inside 'mount -t tmpfs cargo /tmp/a'
start --mount "$namespace" --json --filter mount=fs-changed
inside 'mount -o remount,ro /tmp/a'
printed 1
inside 'mount -o remount,rw /tmp/a'
printed 2
finish
jq -c '[.event, .path, .fs_type, .fs_rdonly]' <out >got
same 'a remount in another mount namespace' got <<'END'
["fs-changed","/tmp/a","tmpfs",true]
["fs-changed","/tmp/a","tmpfs",false]
END
inside 'umount /tmp/a'

# The old root is on the new one, and its mounts have new paths
start --mount "$namespace" --json
inside 'mount --bind / /tmp/a'
printed 1
inside 'cd /tmp/a && pivot_root . tmp'
await '"event":"root"' out
halt $pid
inside 'umount /tmp/proc'
kill -CONT $pid
finish
jq -c 'select(.event == "new" or .event == "root" or .event == "unmount") |
	[.event, .path]' <out >got
same 'a new root' got <<'END'
["new","/tmp/a"]
["root","/"]
["unmount","/tmp/proc"]
END
holds 'number of a new root' 'map(select(.event == "new" or .event == "root") | .mount) |
	unique | length == 1'

start --mount "$namespace"
echo exit >&5
ended
exec 5<&- 6<&-
tail -n 1 out >got
[ $status = 6 ] && grep -q 'no watch is left' err &&
	[ "$(cat got)" = "queue  removed         $namespace" ]
result 'the end of a mount namespace' $? out err

# mount_disk OPTION: mount a filesystem, and set $loop and $dev to its device. The loop
# device is released when the filesystem is unmounted.
mount_disk() {
	loop=$(losetup -f) && losetup "$loop" disk && mount -t ext4 -o "$1" "$loop" tree &&
		losetup -d "$loop" || exit
	loop=${loop##*/}
	dev=$(cat "/sys/block/$loop/dev")
}

# on_disk FIELDS: print the fields of the events of this filesystem
on_disk() {
	jq -c --arg dev "$dev" "select(.dev == \$dev) | [$1]" <out | relative
}

# The second watch is resumed after an attempt to resume the first one. Without its mount,
# the directory is on the filesystem of this test.
mkdir tree2 && mount -t tmpfs top tree && mount -t tmpfs top tree2 || exit
start --sb tree --mount tree2 --filter mount=rdonly --keep --json
umount tree
umount tree2
printed 2
mount -t tmpfs top tree2
printed 3
mount -t tmpfs top tree
printed 4
mount -o remount,ro tree
mount -o remount,bind,ro tree2
finish
jq -c '[.source, .event, .priority, .watch, .on]' <out >got
same 'watches that are kept' got <<'END'
["queue","removed","info",0,"tree"]
["queue","removed","info",1,"tree2"]
["queue","resumed","info",1,"tree2"]
["queue","resumed","info",0,"tree"]
["sb","rdonly","notice",0,"tree"]
["mount","rdonly","notice",1,"tree2"]
END
start --mount tree2 --devices --keep --queue 4 --only add
halt $pid
for i in 1 2 3 4 5; do echo change >/sys/devices/virtual/mem/null/uevent; done
umount tree2
kill -CONT $pid
printed 1
mount -t tmpfs top tree2
printed 2
finish
sed 's/ *[0-9]*$//' out >got
same 'a watch is kept if the record of its end is lost' got <<'END'
queue  lost
queue  resumed         tree
END
umount tree
umount tree2

mount -t tmpfs top tree && mount --bind tree tree2 || exit
start --mount tree2 --json
mount -o remount,ro tree
printed 1
finish
umount tree tree2
jq -c '[.event, .rdonly, .fs_rdonly, .options[:3]]' <out >got
same 'options of a read-only filesystem' got <<'END'
["fs-changed",false,true,"ro,"]
END

truncate -s 8M disk && mkfs.ext4 -q disk || exit
mount_disk errors=continue
mkdir tree/a
start --sb tree --json --filter sb=readonly,read-write,error
mount -o remount,ro tree
mount -o remount,rw tree
before=$(date +%s)
echo provoked >"/sys/fs/ext4/$loop/trigger_fs_error"
after=$(date +%s)
finish
fields <out >got
flags='"by_error":false,"shutdown":false,"in_user_ns":false'
same_json filesystems got <<END
{"source":"sb","event":"rdonly","priority":"notice","watch":0,"on":"tree","dev":"$dev",
 "dev_name":"$loop","fs_type":"ext4","rdonly":true,$flags}
{"source":"sb","event":"rdwr","priority":"notice","watch":0,"on":"tree","dev":"$dev",
 "dev_name":"$loop","fs_type":"ext4","rdonly":false,$flags}
{"source":"sb","event":"error","priority":"error","watch":0,"on":"tree","dev":"$dev",
 "dev_name":"$loop","fs_type":"ext4","error":117,"errno":"EUCLEAN","kind":"metadata","suppressed":0,
 "rdonly":false,$flags}
END
holds 'number of a filesystem' \
	'.[0].sb > 0 and all(.[]; .sb) and ([.[].sb] | unique | length) == 1'
holds 'time of an error' ".[2].error_time_ns / 1000000000 |
	. >= $before and . < $after + 1"

start --mount tree --sb tree --json
mount -o remount,ro tree
await '"event":"fs-changed"' out
mount -o remount,rw tree
until [ "$(grep -c '"event":"fs-changed"' out)" = 2 ]; do :; done
finish
# shellcheck disable=SC2016 # of jq
holds 'a mount and its filesystem' 'map(select(.event == "fs-changed") | .fs_rdonly) ==
	[true, false] and (map([.sb, .dev, .dev_name, .fs_type]) | unique | length) == 1 and
	any(.[]; .source == "mount" and (.options | startswith("ro,")) and
		(.old_options // "" | startswith("rw,")))'

start --sb tree --count 1
mount -o remount tree
ended
same 'a normal state is not printed' out <<END
sb     reconfigured    tree                 dev_name=$loop fs_type=ext4
END
start --sb tree --count 1 --filter sb=state
ended
same 'the state is printed on request' out <<END
sb     state           tree                 dev_name=$loop fs_type=ext4
END
start --sb tree --only state --count 1
ended
same 'only the state of a watch' out <<END
sb     state           tree                 dev_name=$loop fs_type=ext4
END
fsfreeze --freeze tree || exit
watchq --sb tree --count 1 --timeout 1 --json >out 2>err
fsfreeze --unfreeze tree || exit
jq -c '[.event, .priority, .frozen]' <out >got
same 'the state of a frozen filesystem' got <<'END'
["state","notice",true]
END
watchq --sb tree --sb tree/a --count 1 --filter sb=state >out 2>err &&
	grep -q 'sb tree/a: the same filesystem as --sb tree, watched once' err
result 'one filesystem, two paths' $? err
as_nobody 'watchq --sb tree --count 1 --filter sb=state,error --json' >out 2>err
[ "$(grep -c 'without CAP_SYS_ADMIN, errors' err)" = 1 ] &&
	jq -e '.unprivileged and (has("frozen") | not)' <out >filtered
result 'a message without privilege' $? out err
as_nobody 'watchq --sb tree --count 1 --filter sb=state' >out 2>err
[ -s out ] && ! grep -q CAP_SYS_ADMIN err
result 'no message if errors are filtered' $? out err

start --sb all --json --stats
mount -o remount,ro tree
mount -o remount,rw tree
await '"event":"rdwr"' out
umount tree
finish
on_disk '.event, .on, .watch, .dev_name, .fs_type, .path, .rdonly' >got
same 'all filesystems' got <<END
["rdonly","all",0,"$loop","ext4","tree",true]
["rdwr","all",0,"$loop","ext4","tree",false]
["gone","all",0,"$loop","ext4",null,false]
END
grep -q 'largest backlog [0-9]* of 8192' err
result 'the queue for all filesystems' $? err

start --sb all --json
mount_disk errors=remount-ro
echo provoked >"/sys/fs/ext4/$loop/trigger_fs_error"
# Linux 6.12 shuts it down. In 7.1, it remains readable.
case $(uname -r) in
6.*) shutdown=' shutdown' last='
["shutdown","error","tree",null,true,true]' ;;
*) shutdown='' last='' ;;
esac
[ ! "$shutdown" ] || await '"event":"shutdown"' out
await '"event":"rdonly"' out
finish
on_disk '.event, .priority, .path, .kind, .rdonly, .by_error' >got
same 'a new filesystem stops' got <<END
["new","info",null,null,false,false]
["error","error","tree","metadata",false,false]
["rdonly","error","tree",null,true,true]$last
END
start --sb tree --count 1 --json
ended
jq -c '[.event, .priority]' <out >got
same 'the severity of a state' got <<END
["state","error"]
END
start --sb tree --count 1
ended
same 'a filesystem that has stopped' out <<END
sb     state           tree                 dev_name=$loop fs_type=ext4 rdonly by_error$shutdown
END
watchq --sb tree --timeout 1 --filter sb=error >out 2>err
[ $? = 5 ] && [ ! -s out ]
result 'the state is filtered like the events' $? out err

start --sb all --json --filter sb=state
await '"list_end":true' out
finish
holds 'the states of all filesystems' "map(select(.dev == \"$dev\")) as \$disk |
	(\$disk | length) == 1 and \$disk[0].by_error and \$disk[0].path == \"$PWD/tree\" and
	all(.event == \"state\" and .on == \"all\") and
	(map(.list_end) | index(true)) == length - 1"
start --sb all --filter sb=state
await ' list_end' out
finish
tail -n 1 out >got
same 'the end of the states in text' got <<END
sb     state           all                  list_end
END
umount tree

odd=$(printf 'odd\v\f\r ')
mkdir "$odd" "$odd$odd" && mount -t tmpfs cargo "$odd" && mkdir "$odd/$odd" &&
	mount --bind "$odd/$odd" "$odd$odd" && umount "$odd" || exit
start --sb all --json --filter sb=state
await '"list_end":true' out
finish
holds 'unusual spaces in the path of a filesystem' \
	'any(.path == "'"$PWD"'/odd\u000b\f\r odd\u000b\f\r ")'
umount "$odd$odd"

if [ -e /proc/self/ns/user ]; then
	unshare -U -r -m sh -c 'mount -t tmpfs cargo tree &&
		watchq --sb all --count 2 --filter sb=state --json' >out 2>err
	jq -c '[.fs_type, .path, .in_user_ns, .list_end]' <out | relative >got
	same 'all filesystems of a user namespace' got <<-END
	["tmpfs","tree",true,false]
	[null,null,null,true]
	END
	unshare -U -r -m sh -c 'mount -t tmpfs cargo tree &&
		watchq --sb all --no-user-ns --count 1 --filter sb=state --json' >out 2>err
	jq -c '[.fs_type, .list_end]' <out >got
	same 'no filesystem of a user namespace' got <<-END
	[null,true]
	END
else
	skipped 'no filesystem of a user namespace' 'CONFIG_USER_NS is not set'
	skipped 'all filesystems of a user namespace' 'CONFIG_USER_NS is not set'
fi

if mount -t tmpfs -o usrquota,usrquota_block_hardlimit=8k,mode=777 top tree; then
	start --sb tree --json
	as_nobody 'dd if=/dev/zero of=tree/file bs=4k count=4' 2>other
	finish
	fields <out | jq -c 'del(.dev)' >got
	same_json quota got <<-END
	{"source":"sb","event":"quota","priority":"warning","watch":0,"on":"tree","fs_type":"tmpfs",
	 "limit":"blocks-hard",
	 "owner_type":"user","owner":$(id -u nobody),"owner_name":"nobody",
	 "suppressed":0,"rdonly":false,$flags}
	END
	umount tree
else
	skipped quota 'CONFIG_TMPFS_QUOTA is not set'
fi

if [ -b "$disk" ] && [ -e "$disk_errors" ]; then
	start --block "$disk" --json
	bad_reads
	dd if="$disk" of=/dev/null bs=4096 skip=2 count=1 iflag=direct 2>other
	good_reads
	finish
	dev=$(cat "/sys/block/${disk##*/}/dev")
	fields <out >got
	same_json disks got <<-END
	{"source":"block","event":"medium","priority":"error","watch":0,"on":"$disk",
	 "dev":"$dev","dev_name":"${disk##*/}","operation":"read","sector":16,"length":4096,
	 "suppressed":0,"partition":0,"stacked":false}
	END
else
	skipped disks 'no disk of scsi_debug'
fi

start --devices --json
echo change >/sys/devices/virtual/mem/null/uevent
finish
fields <out >got
same_json devices got <<'END'
{"source":"device","event":"change","priority":"info","watch":0,"on":"devices",
 "devpath":"/devices/virtual/mem/null","name":"null","subsystem":"mem","dev":"1:3",
 "block":false,"synthetic":true,"truncated":false}
END

holds 'number of a uevent' ".[0].seqnum == $(cat /sys/kernel/uevent_seqnum)"
holds 'inode of a device in sysfs' \
	".[0].sysfs_ino == $(stat -c %i /sys/devices/virtual/mem/null)"

# shellcheck disable=SC2016 # for the command
start --devices --exec 'echo $WATCHQ_SUBSYSTEM $WATCHQ_NAME $WATCHQ_DEVPATH $WATCHQ_SYSFS_INO'
echo change >/sys/devices/virtual/mem/null/uevent
printed 1
finish
same 'a device, for a command' out <<END
mem null /devices/virtual/mem/null $(stat -c %i /sys/devices/virtual/mem/null)
END

keyctl add user demo a @s >key
start --key "$(cat key)" --json
keyctl invalidate "$(cat key)"
ended
holds removal ".[1].source == \"queue\" and .[1].event == \"removed\" and
	.[1].object == $(cat key) and .[1].on == \"$(cat key)\""

#
# Many
#

# The peak virtual size of the process in kB, which is exact
peak() {
	sed -n 's/^VmPeak:[^0-9]*//p' "/proc/$pid/status"
}

# change FROM TO: so many events
change() {
	i=$1
	while [ "$i" -lt "$2" ]; do
		echo change
		i=$((i + 1))
	done >/sys/devices/virtual/mem/null/uevent
}

start --devices --json --queue 8192 --stats
# Fill the queue twice
for round in 1 2; do
	halt $pid
	change 0 5000
	kill -CONT $pid
	printed $((5000 * round))
done
before=$(peak)
change 10000 100000
after=$(peak)
finish
cat err
jq -es 'true' <out >/dev/null
result 'every line is JSON' $?
# Each event is printed once or counted as lost
lost=$(sed -n 's/.* \([0-9]*\) lost.*/\1/p' err)
# shellcheck disable=SC2016 # of jq
jq -n --argjson lost "$lost" '[inputs] |
	(map(select(.source == "device" and .name == "null")) | length) as $printed |
	map(select(.source == "device") | .seqnum) as $numbers |
	(map(.count // 0) | add) as $counted |
	($counted == $lost or any(.or_more) and $counted < $lost) and
	$printed + $lost == 100000 and
	($numbers | unique | length) == ($numbers | length)' <out >got
[ "$(cat got)" = true ]
result '100000 events are all printed or counted as lost' $? got err
[ "$before" = "$after" ]
result "memory does not grow: $before, $after" $?

# Paths of nearly 4000 bytes, so that they are missed if they are kept
mount -t tmpfs top tree && part=$(printf %0250d 0) || exit
deep=tree/$part/$part/$part/$part/$part/$part/$part
deep=$deep/$part/$part/$part/$part/$part/$part/$part
mkdir -p "$deep"
# mount_and_unmount N [LINES]: after so many lines, wait until each mount was read
mount_and_unmount() {
	i=0
	while [ $((i += 1)) -le "$1" ]; do
		mount -t tmpfs cargo "$deep" || exit
		[ ! "$2" ] || printed $(($2 + 2 * i - 1))
		umount "$deep" || exit
	done
}
start --mount tree --subtree --json
for round in 1 2; do
	halt $pid
	mount_and_unmount 20
	kill -CONT $pid
	printed $((40 * round))
done
before=$(peak)
mount_and_unmount 100 80
printed 280
after=$(peak)
finish
[ "$before" = "$after" ]
result "unmounted mounts are not kept: $before, $after" $?
umount tree

# A call of listmount() returns 256 of them
mount -t tmpfs top tree || exit
i=0
while [ $((i += 1)) -le 300 ]; do
	mkdir tree/$i && mount -t tmpfs cargo tree/$i || exit
done
start --mount tree --subtree --only unmount --json
i=0
while [ $((i += 1)) -le 300 ]; do umount tree/$i; done
finish
holds 'paths of 300 mounts' 'length == 300 and all(.path)'
umount tree

# Each mount is moved into the next one, so that the path of the first one is longer than
# a system call accepts
mount -t tmpfs top tree && mkdir tree/0 && mount -t tmpfs cargo tree/0 || exit
start --mount tree --subtree --json
i=0
while [ $((i += 1)) -le 12 ]; do
	mkdir tree/$i && mount -t tmpfs cargo tree/$i && mkdir -p "tree/$i/${deep#tree/}" &&
		mount --move tree/$((i - 1)) "tree/$i/${deep#tree/}" || exit
done
await '"event":"move-to"' out
printed 24
umount -l tree/12
finish
jq -c 'select((.path | length) > 40000) | [.event, .fs_type, .dev[:2], .options[:11], .on,
	(.parent_path | length) > 36000]' <out >got
same 'a path of 40 kB' got <<'END'
["unmount","tmpfs","0:","rw,relatime","tree",true]
END
umount tree

start --devices --json --queue 4 --stats
halt $pid
change 0 66000
kill -CONT $pid
finish
grep -q '5 events, 4 records, 65996 lost' err
result 'more losses than a record can count' $? err
holds 'the count is marked as a minimum' '.[4].count == 65535 and .[4].or_more'

# A full pipe without a reader does not prevent the end
mkfifo stuck
rm -f err
watchq --devices --json >stuck 2>err &
pid=$!
exec 4<stuck
await watching err
change 0 1000
kill $pid
wait $pid
result 'end by a signal while the pipe is full' $?
exec 4<&-

# A stopped terminal does not either, although poll() finds room there
rm -f other
script -qc 'echo $$ >pid; exec watchq --devices --json 2>other' screen >/dev/null &
terminal=$!
await watching other
halt $terminal
change 0 1000
pid=$(cat pid)
kill "$pid"
until grep -q '^State:.Z' "/proc/$pid/status"; do :; done
result 'a signal, when the terminal is stuck' 0
kill -CONT $terminal
wait $terminal
exit "$failed"
