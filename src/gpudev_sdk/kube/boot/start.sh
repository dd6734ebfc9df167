#!/bin/sh
# The first process of a box: starts the SSH server, tells every terminal what gpudev has to say, and ends the box.
# It runs as the person, under the busybox of /opt/gpudev, in images that may have no shell, no libc and no /etc.
set -u

BUSYBOX=/opt/gpudev/bin/busybox
SSHD=/opt/gpudev/sbin/sshd
RUN=/run/gpudev
STATE=/run/gpudev-boot
# What may end by itself is left this long; the kubelet's own patience is a little longer.
PATIENCE=$((${GPUDEV_GRACE:-30} * 3 / 4))

told=''
killed=''
certificate=''
failures=0
root=no
sshd=''

# Puts the content of file $1 into `text`, without starting a program.
read_text() {
    text=''
    [ -r "$1" ] || return 0
    while IFS= read -r line || [ -n "$line" ]; do
        text="$text$line
"
    done <"$1"
}

# Keeps the environment of the image and of the pod, which the SSH server would drop; `enter` gives it to sessions.
keep_environment() {
    $BUSYBOX cat "/proc/$$/environ" >"$STATE/environment"
}

# Gives a home that has no start-up files yet those of the image.
furnish_home() {
    for known in .profile .bash_profile .bashrc; do
        [ ! -e "$HOME/$known" ] || return 0
    done
    [ ! -d /etc/skel ] || $BUSYBOX cp -R /etc/skel/. "$HOME/" || echo "gpudev: the home cannot be furnished" >&2
}

# Root of a box may change who is who in it: the image's accounts are kept, and those of ours that lack are added.
join_accounts() {
    [ "$($BUSYBOX id -u)" = 0 ] || return 0
    root=prohibit-password
    $BUSYBOX mkdir -p /etc
    for file in passwd group; do
        while IFS= read -r entry; do
            $BUSYBOX grep -q "^${entry%%:*}:" "/etc/$file" 2>/dev/null || echo "$entry" >>"/etc/$file"
        done <"/etc/gpudev/$file"
    done
}

serve() {
    agent=no
    read_text "$RUN/reservation.json"
    case $text in *'"agent_forwarding": true'*) agent=yes ;; esac
    $SSHD -D -e -f /etc/gpudev/sshd_config -o "AllowAgentForwarding $agent" -o "PermitRootLogin $root" &
    sshd=$!
}

# Starts the SSH server again if somebody ended it; gives the box up if it cannot be kept running.
keep_serving() {
    if kill -0 "$sshd" 2>/dev/null; then
        failures=0
        return 0
    fi
    failures=$((failures + 1))
    if [ "$failures" -gt 5 ]; then
        echo "gpudev: the SSH server does not stay up" >&2
        exit 1
    fi
    serve
}

# Shows a new notice.
tell() {
    read_text "$RUN/notice"
    [ "$text" != "$told" ] || return 0
    told=$text
    [ -z "$text" ] || show "${text%?}"
}

# Shows $1 on every terminal; each in a process of its own, as a terminal may take nothing just now.
show() {
    for terminal in /dev/pts/[0-9]*; do
        [ -w "$terminal" ] || continue
        (printf '\r\n%s\r\n' "$1" >"$terminal") &
    done
}

# Says when the kernel ended a program because the box ran out of memory: cgroup v2 counts it in one file, v1 in another.
tell_killed() {
    read_text /sys/fs/cgroup/memory.events
    [ -n "$text" ] || read_text /sys/fs/cgroup/memory/memory.oom_control
    count=${text##*oom_kill }
    count=${count%%[!0-9]*}
    [ "$count" != "$killed" ] || return 0
    [ -z "$killed" ] || show "gpudev: this box ran out of memory, and the kernel ended one of its programs."
    killed=$count
}

# Lets the SSH server read its host certificate again when it was renewed; open sessions go on.
renew() {
    read_text "$RUN/host_key-cert.pub"
    [ "$text" != "$certificate" ] || return 0
    [ -z "$certificate" ] || kill -HUP "$sshd"
    certificate=$text
}

# Puts the state letter of a process into `state`. The name before it may hold anything, and ends at the last bracket.
read_state() {
    read_text "$1/stat" 2>/dev/null
    state=${text##*) }
    state=${state%% *}
    [ -n "$state" ]
}

# Says whether any other process of the box is left.
others() {
    for process in /proc/[0-9]*; do
        [ "$process" != "/proc/$$" ] || continue
        read_state "$process" || continue
        [ "$state" = Z ] || return 0
    done
    return 1
}

# Asks everything to end, waits a while, and writes out what is not on the disk yet.
end() {
    trap '' TERM INT
    kill -TERM -1 2>/dev/null
    left=$((PATIENCE * 5))
    while [ "$left" -gt 0 ] && others; do
        $BUSYBOX sleep 0.2
        left=$((left - 1))
    done
    $BUSYBOX sync
    exit 0
}

trap end TERM INT
keep_environment
join_accounts
furnish_home
serve
read_text "$RUN/notice"
told=$text
while :; do
    renew
    # A sleep in the background, as a signal ends only a wait.
    $BUSYBOX sleep 1 &
    wait $!
    keep_serving
    tell
    tell_killed
done
