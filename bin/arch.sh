# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# Sourced after lib.sh: all that differs between the machines that a guest can
# be. ARCH= names one as the kernel does: x86_64 (default), i386, um, arm64, s390.

arch=${ARCH:-x86_64}
kimage=arch/x86/boot/bzImage	# what make leaves in the build directory
cross=				# prefix of the compiler's and binutils' names
tools=()			# packages to build for it,
emulator=(qemu-system-x86)	# and those to run it
bits=64				# sizes of programs, the kernel's own first
debian=				# whose programs the guest gets, if not the host's
cpus=${SMP:-2}
console=ttyS0,115200
results=			# the port for results, where it is not ttyS1,
channel='-serial file:results.log'	# and where qemu puts it
virtio='-chardev file,id=results,path=results.log -device virtconsole,chardev=results'

case $arch in
x86_64)
	bits='64 32'
	# The MP table, which is how we find processors, has one for each socket.
	qemu="qemu-system-x86_64 -M pc -smp $cpus,sockets=$cpus" cpu=max
	;;
i386)
	bits=32 debian=i386
	# "max" is an Athlon, of which the kernel warns that they cannot be two.
	qemu="qemu-system-i386 -M pc -smp $cpus,sockets=$cpus" cpu=coreduo
	;;
um)
	kimage=linux emulator=() cpus=1 results=tty1
	qemu=./linux
	;;
arm64)
	kimage=arch/arm64/boot/Image cross=aarch64-linux-gnu- debian=arm64
	tools=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross) emulator=(qemu-system-arm)
	console=ttyAMA0 results=hvc0 channel="-device virtio-serial-device $virtio"
	qemu="qemu-system-aarch64 -M virt -smp $cpus" cpu=cortex-a72
	;;
s390)
	kimage=arch/s390/boot/bzImage cross=s390x-linux-gnu- debian=s390x
	tools=(gcc-s390x-linux-gnu libc6-dev-s390x-cross) emulator=(qemu-system-misc)
	console=ttysclp0 results=hvc0 channel="-device virtio-serial-ccw $virtio"
	qemu="qemu-system-s390x -M s390-ccw-virtio -smp $cpus" cpu=max
	;;
*)
	die "ARCH=$arch: the guests are x86_64, i386, um, arm64 and s390"
	;;
esac

# For the kernel's make, which takes the host's where there is none
unset ARCH CROSS_COMPILE
suffix=				# of the directories in which it is built
if [[ $arch != x86_64 ]]; then
	export ARCH=$arch CROSS_COMPILE=$cross
	suffix=-$arch
fi

# fragments NAME...: config/NAME.config, and what this architecture adds to it
fragments() {
	local name

	for name; do
		echo "$top/config/$name.config"
		[[ ! -e $top/config/$name.$arch.config ]] ||
			echo "$top/config/$name.$arch.config"
	done
}

# compiler BITS: for programs
compiler() {
	[[ $cross ]] && echo "${cross}gcc" || echo "gcc -m$1"
}

# boot_command [shell]: start ${kimage##*/} and initramfs.gz of this directory,
# the console to console.log, or with a shell on this terminal
boot_command() {
	local accel="-accel tcg -cpu ${cpu-}" ports="-serial file:console.log $channel"
	local args="panic=-1 oops=panic${results:+ results=$results} ${CMDLINE-}"
	local files='</dev/null >console.log 2>&1'

	[[ ${KVM-} != 1 ]] || accel='-accel kvm -cpu host'
	[[ ! ${1-} ]] || files='' ports='-serial mon:stdio' args+=' quiet -- shell'
	if [[ $arch == um ]]; then
		# Without "noreboot" it starts anew, after a panic too.
		printf '%s \\\n\t%s\n' \
			"exec $qemu mem=${MEM:-512}M initrd=initramfs.gz noreboot" \
			"con0=fd:0,fd:1 con1=fd:9 con=null $args \"\$@\" 9<>results.log $files"
		return
	fi
	cat <<END
exec $qemu $accel -m ${MEM:-512} \\
	-nodefaults -no-user-config -display none -no-reboot \\
	$ports ${QEMU_ARGS-} \\
	-kernel ${kimage##*/} -initrd initramfs.gz \\
	-append "console=$console $args" "\$@"
END
}
