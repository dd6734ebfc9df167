#!/bin/sh
# Makes, copies and removes the folders that disks and snapshots are. It runs in a short pod on the node, as root, under the
# busybox of the tools; the node's folder is /disks. What it is to do comes by the environment:
#   DO             make or remove
#   TARGET         what to make or remove, below /disks
#   MARKER         what the target is, word for word: its marker has to say exactly this
#   SOURCE         what to copy from; empty makes an empty home
#   SOURCE_MARKER  what the source has to be
#   OWNER          uid and gid of an empty home
#   FLOOR          bytes that stay free
#   SELF           this pod's uid, which names what is half made
# What is there under its final name is whole. Ends with 0, or with a status and a sentence for people: 10 for good, 1 to be
# looked into; a pod that is killed says nothing and may be begun again.
set -eu

BUSYBOX=/opt/gpudev/bin/busybox
ROOT=/disks
draft=

say() {
    printf '%s' "$1" >/dev/termination-log
}

give_up() {
    say "$1"
    put_away "$draft"
    exit 10
}

put_away() {
    [ -n "$1" ] && [ -e "$1" ] || return 0
    # Renamed first: whoever still works in it finds nothing, and never something half removed.
    gone=$ROOT/trash/$SELF.${1##*/}
    $BUSYBOX mv -T "$1" "$gone" || return 0
    $BUSYBOX sync -f "$ROOT/trash"
    $BUSYBOX rm -rf "$gone"
}

is_marked() {
    [ -f "$1/marker" ] && [ "$($BUSYBOX cat "$1/marker")" = "$2" ]
}

kilobytes() {
    $BUSYBOX du -sk "$1" | $BUSYBOX cut -f1
}

free_kilobytes() {
    $BUSYBOX df -Pk "$ROOT" | $BUSYBOX awk 'NR == 2 { print $4 }'
}

shares_blocks() {
    echo probe >"$draft/probe"
    $BUSYBOX cp --reflink=always "$draft/probe" "$draft/probe-copy" 2>/dev/null && shares=yes || shares=no
    $BUSYBOX rm -f "$draft/probe" "$draft/probe-copy"
    [ "$shares" = yes ]
}

copy() {
    is_marked "$SOURCE" "$SOURCE_MARKER" || give_up "${SOURCE##*/} is not there, or is not what it is taken for"
    needed=$(kilobytes "$SOURCE/home")
    if [ $(($(free_kilobytes) - needed)) -lt $((FLOOR / 1024)) ] && ! shares_blocks; then
        give_up "a copy of $needed kB does not fit: only $(free_kilobytes) kB are free on the node"
    fi
    $BUSYBOX cp -a --reflink=auto "$SOURCE/home" "$draft/home" 2>"$draft/trouble" ||
        give_up "the copy broke off: $($BUSYBOX tail -n 1 "$draft/trouble")"
    # A source is renamed before it is removed: what still has its name has lost nothing meanwhile.
    is_marked "$SOURCE" "$SOURCE_MARKER" || give_up "${SOURCE##*/} was removed while it was copied"
    $BUSYBOX rm -f "$draft/trouble"
}

furnish() {
    [ "$(free_kilobytes)" -ge $((FLOOR / 1024)) ] || give_up "only $(free_kilobytes) kB are free on the node"
    $BUSYBOX mkdir -m 0700 "$draft/home"
    $BUSYBOX chown "$OWNER" "$draft/home"
}

make() {
    if [ ! -e "$TARGET" ]; then
        # Left by a pod of the same task that was killed.
        for old in "$ROOT/work/${TARGET##*/}".*; do put_away "$old"; done
        draft=$ROOT/work/${TARGET##*/}.$SELF
        $BUSYBOX mkdir -m 0700 "$draft"
        if [ -n "$SOURCE" ]; then copy; else furnish; fi
        printf '%s' "$MARKER" >"$draft/marker"
        $BUSYBOX sync -f "$draft"
        $BUSYBOX mv -T "$draft" "$TARGET" || [ -e "$TARGET" ]
        put_away "$draft"
    fi
    is_marked "$TARGET" "$MARKER" || give_up "${TARGET##*/} is there, and is not what gpudev made"
    $BUSYBOX sync -f "$ROOT"
    say "$(kilobytes "$TARGET/home")"
}

remove() {
    [ -e "$TARGET" ] || return 0
    is_marked "$TARGET" "$MARKER" || give_up "${TARGET##*/} is not what gpudev made; it is left alone"
    put_away "$TARGET"
    [ ! -e "$TARGET" ] || return 1
    # Left by pods that were killed while they removed something.
    $BUSYBOX rm -rf "$ROOT/trash"/* || true
}

$BUSYBOX mkdir -p -m 0700 "$ROOT/volumes" "$ROOT/snapshots" "$ROOT/work" "$ROOT/trash"
"$DO"
