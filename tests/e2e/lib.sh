# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# lib.sh: what end-to-end tests source: a mesh in the test's own folder, started by `spu up` and stopped at the
# end, and checks that write TAP. A test ends with `finish`.
#
#   . tests/e2e/lib.sh
#   mesh_up                     # or: mesh_up --no-gpu --cpu-nodes 1
#   is "$(spu submit util.echo --in file)" "$(cat file)" 'a result comes back'
#   fails 4 'a task that is not there' spu wait 01ARZ3NDEKTSV4RRFFQ69G5FAV
#   finish
set -u
: "${SPU_BIN:?the folder of the programs}"
export PATH=$SPU_BIN:$PATH
export SPU_DIR=${TMPDIR:-/tmp}/mesh NO_COLOR=1
unset SPU_URL SPU_TENANT XDG_STATE_HOME
tests=0 bad=0 mesh_is_up=

mesh_down() {
	[ -n "$mesh_is_up" ] || return 0
	mesh_is_up=
	spu down --quiet
}
trap mesh_down EXIT
trap 'exit 143' TERM INT

# mesh_up [OPTION...]: starts the mesh, on a free port
mesh_up() {
	mesh_is_up=1
	if ! spu up --detach --quiet --port "$(free_port)" "$@"; then
		echo 'Bail out! the mesh does not start'
		tail -n 20 "$SPU_DIR"/log/*.log
		exit 1
	fi
}

# pid_of PROCESS: of the mesh, when it is ready; for one that has just been killed that takes a moment
pid_of() {
	local until=$((SECONDS + 20)) pid=
	while [ -z "$pid" ] && ((SECONDS < until)); do
		pid=$(spu status --json | sed -n "s/.*\"name\":\"$1\",\"pid\":\([0-9]*\),\"state\":\"ready\".*/\1/p")
		[ -n "$pid" ] || sleep 0.05
	done
	echo "$pid"
}
# comes PROCESS PID: it is ready again, as another one
comes() {
	local now
	now=$(pid_of "$1") && [ -n "$now" ] && [ "$now" != "$2" ]
}

# one that nobody listens on now; another test may be faster to take it, so it is chosen at random
free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
}

# what tests/e2e/raw.c sends: protobuf in hex: a number, a text, and a message or bytes that are hex already
hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
varint() {
	local n=$1
	while ((n > 127)); do
		printf '%02x' $((n & 127 | 128))
		n=$((n >> 7))
	done
	printf '%02x' "$n"
}
num() { printf '%s%s' "$(varint $(($1 << 3)))" "$(varint "$2")"; }
msg() { printf '%s%s%s' "$(varint $(($1 << 3 | 2)))" "$(varint $((${#2} / 2)))" "$2"; }
str() { msg "$1" "$(hex "$2")"; }

ok() { tests=$((tests + 1)); echo "ok $tests - $1"; }
not_ok() { tests=$((tests + 1)) bad=$((bad + 1)); echo "not ok $tests - $1"; }
skip() { tests=$((tests + 1)); echo "ok $tests - $1 # SKIP $2"; }

# is GOT WANTED WHAT
is() {
	if [ "$1" = "$2" ]; then ok "$3"; else
		not_ok "$3"
		printf '%s\n' "$1" | sed 's/^/#   got: /'
		printf '%s\n' "$2" | sed 's/^/#  want: /'
	fi
}

# has TEXT PATTERN WHAT: a bash pattern somewhere in the text
has() {
	# shellcheck disable=SC2053 # a pattern
	if [[ $1 == *$2* ]]; then ok "$3"; else
		not_ok "$3"
		printf '%s\n' "$1" | sed 's/^/#   got: /'
		echo "#  want: $2"
	fi
}

# succeeds WHAT COMMAND...
succeeds() { fails 0 "$@"; }

# fails STATUS WHAT COMMAND...: with that exit status; its output is in $said
fails() {
	local wanted=$1 what=$2 status
	shift 2
	said=$("$@" 2>&1)
	status=$?
	if [ "$status" = "$wanted" ]; then ok "$what"; else
		not_ok "$what"
		echo "#  exit status $status, not $wanted: $*"
		printf '%s\n' "$said" | tail -n 20 | sed 's/^/#  /'
	fi
}

# within SECONDS WHAT COMMAND...: tried again until it succeeds; on a slow machine that may take four times as long
within() {
	local until=$((SECONDS + 4 * $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS > until)); then
			not_ok "$what"
			return
		fi
		sleep 0.05
	done
	ok "$what"
}

finish() {
	mesh_down
	echo "1..$tests"
	exit $((bad > 0))
}
