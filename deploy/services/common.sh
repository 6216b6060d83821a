# common.sh - what the service scripts share: messages, DIR/env, ports, an end for a process.
# Sourced.  A caller sets `service` (kafka, redis) and `prefix` (KAFKA_, REDIS_) first.

die() {
    printf '%s: %s\n' "$service" "$*" >&2
    exit 1
}

# DIR/env holds one NAME=value per line; each service owns the lines of its prefix, so that
# kafka and redis can share a DIR and a caller can read one file.
env_write() { # DIR NAME=value...
    local dir=$1 file=$1/env
    shift
    (
        flock 9
        { grep -v "^$prefix" "$file" 2>/dev/null || true; printf '%s\n' "$@"; } >"$file.new"
        mv "$file.new" "$file"
    ) 9>"$dir/.env.lock"
}

env_read() { # DIR NAME; prints nothing when it is not there
    if [ -e "$1/env" ]; then sed -n "s/^$2=//p" "$1/env"; fi
}

# A port below the kernel's ephemeral range that nobody listens on.
port_free() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    die "no free port between 20000 and 32000"
}

# Is PID alive, and is it ours: does it work in HOME?  A pid may have been used again.  (Not by
# its command line: redis-server writes its own over it.)
pid_ours() { # PID HOME
    local cwd
    [ -n "$1" ] || return 1
    cwd=$(readlink "/proc/$1/cwd" 2>/dev/null) || return 1
    [ "${cwd% (deleted)}" = "$2" ]
}

# Has PID ended, its sockets closed?  A zombie has; its command line goes earlier than its files.
pid_gone() { # PID
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || true
    [[ $state == '' || $state == Z || $state == X ]]
}

# SIGTERM, up to SECONDS of patience, then SIGKILL.
pid_stop() { # PID HOME SECONDS
    pid_ours "$1" "$2" || return 0
    kill -TERM "$1" 2>/dev/null || return 0
    kill -CONT "$1" 2>/dev/null || true    # a test may have stopped it
    for _ in $(seq $(($3 * 10))); do
        pid_gone "$1" && return 0
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || true
    while ! pid_gone "$1"; do sleep 0.05; done
}
