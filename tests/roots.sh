# roots.sh - roots of other Debians, made once by debootstrap, used through an overlay each time.
# shellcheck shell=bash
roots=${PEAKLINE_CACHE:-$HOME/.cache/peakline}

# Makes the root $roots/root-NAME once: minbase of a suite, or another one and what it lacks.
root_make() { # NAME COMMAND...: the command fills the folder it gets as its last word
    local folder=$roots/root-$1
    mkdir -p "$roots"
    (
        flock 9
        [ ! -e "$folder" ] || exit 0
        rm -rf "$folder.new"
        "${@:2}" "$folder.new"
        mv "$folder.new" "$folder"
    ) 9>"$folder.lock"
}

root_base() { # SUITE
    root_make "$1" debootstrap --variant=minbase "$1"
}

# A writable view of a kept root, with /proc, /dev, and the names this machine knows and trusts.
root_enter() { # NAME DIR: the view is DIR/root
    mkdir -p "$2"/{up,work,root}
    mount -t overlay overlay -o "lowerdir=$roots/root-$1,upperdir=$2/up,workdir=$2/work" "$2/root"
    root_dress "$2/root"
}

root_dress() { # ROOT
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount --make-rslave "$1/dev"
    cp /etc/resolv.conf /etc/hosts "$1/etc/"
    mkdir -p "$1/usr/local/share/ca-certificates"
    cp -r /usr/local/share/ca-certificates/. "$1/usr/local/share/ca-certificates/"
    cp -r /etc/apt/apt.conf.d/. "$1/etc/apt/apt.conf.d/"
    mkdir -p "$1/usr/sbin"
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod 755 "$1/usr/sbin/policy-rc.d"
}

root_leave() { # ROOT
    umount -R "$1/dev" "$1/proc"
    ! mountpoint -q "$1" || umount "$1"
}

# For root_make: a kept root and what a command inside adds to it; the checkout is at /src.
root_more() { # NAME COMMAND... DIR
    local dir=${*: -1}
    cp -a "$roots/root-$1" "$dir"
    root_dress "$dir"
    root_source "$dir"
    chroot "$dir" "${@:2:$#-2}"
    umount "$dir/src"
    root_leave "$dir"
}

root_source() { # ROOT
    mkdir -p "$1/src"
    mount --bind -o ro "$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)" \
        "$1/src"
}
