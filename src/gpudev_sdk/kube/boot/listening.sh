#!/bin/sh
# Waits until the SSH server of a box listens; the box counts as started then. The kubelet runs this in the box right after its
# first process, and starts the box again if it fails.
# It looks at what listens instead of connecting: nobody but the gateway may, and the server would count a stranger.
set -u

BUSYBOX=/opt/gpudev/bin/busybox

# Says whether something listens on port 2222 (08AE), in state LISTEN (0A).
listens() {
    for table in /proc/net/tcp /proc/net/tcp6; do
        [ -r "$table" ] || continue
        while read -r line; do
            case $line in *:08AE\ 0*:0000\ 0A\ *) return 0 ;; esac
        done <"$table"
    done
    return 1
}

# At least 20 seconds, and not for ever: the kubelet ends no box in which this still runs.
left=1000
until listens; do
    if [ "$left" -le 0 ]; then
        echo "gpudev: the SSH server does not listen" >&2
        exit 1
    fi
    left=$((left - 1))
    $BUSYBOX sleep 0.02
done
