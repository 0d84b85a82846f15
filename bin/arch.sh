# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# Sourced after lib.sh: the differences between the architectures of a guest. ARCH is
# the kernel's name of one: x86_64 (default), i386, um, arm64, s390.

arch=${ARCH:-x86_64}
kimage=arch/x86/boot/bzImage	# what make leaves in the build directory
cross=				# prefix of the compiler and of binutils
tools=()			# packages needed to build
emulator=(qemu-system-x86)	# packages needed to run
bits=64				# word sizes of programs, the kernel's own first
debian=				# Debian architecture of the guest's programs, if not the host's
cpus=${SMP:-2}
console=ttyS0,115200
results=			# port for the results (default: ttyS1),
channel='-serial file:results.log'	# and QEMU's options for it
virtio='-chardev file,id=results,path=results.log -device virtconsole,chardev=results'

case $arch in
x86_64)
	bits='64 32'
	# The kernel finds processors in the MP table, which has one for each socket.
	qemu="qemu-system-x86_64 -M pc -smp $cpus,sockets=$cpus" cpu=max
	;;
i386)
	bits=32 debian=i386
	# With -cpu max, an Athlon, the kernel warns that SMP is not supported.
	qemu="qemu-system-i386 -M pc -smp $cpus,sockets=$cpus" cpu=coreduo
	;;
um)
	# bin/kunit runs no programs
	[[ $me == kunit ]] || um_runs_programs || die "$no_um"
	kimage=linux emulator=() cpus=1 results=tty1
	qemu='setarch -R ./linux'
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
	die "ARCH=$arch: not one of x86_64, i386, um, arm64, s390"
	;;
esac

# For the kernel's make, whose default is the host's architecture
unset ARCH CROSS_COMPILE
suffix=				# of the build directories
if [[ $arch != x86_64 ]]; then
	export ARCH=$arch CROSS_COMPILE=$cross
	suffix=-$arch
fi

# fragments NAME...: config/NAME.config, and config/NAME.ARCH.config if it exists
fragments() {
	local name

	for name; do
		echo "$top/config/$name.config"
		[[ ! -e $top/config/$name.$arch.config ]] ||
			echo "$top/config/$name.$arch.config"
	done
}

# compiler BITS: the compiler for programs of this word size
compiler() {
	[[ $cross ]] && echo "${cross}gcc" || echo "gcc -m$1"
}

# boot_command [shell]: print the command that boots ${kimage##*/} and initramfs.gz of
# the current directory, with the console in console.log or a shell on this terminal
boot_command() {
	local accel="-accel tcg -cpu ${cpu-}" ports="-serial file:console.log $channel"
	local args="panic=-1 oops=panic${results:+ results=$results} ${CMDLINE-}"
	local files='</dev/null >console.log 2>&1'

	[[ ${KVM-} != 1 ]] || accel='-accel kvm -cpu host'
	[[ ! ${1-} ]] || files='' ports='-serial mon:stdio' args+=' quiet -- shell'
	if [[ $arch == um ]]; then
		# Without "noreboot" it would reboot, also after a panic.
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
