#!/usr/bin/env bash
# A tree with everything a file system can hold, for whoever claims to mirror one: torture-tree.sh DIRECTORY
# The directory must be empty or absent. What only root may make (owners, devices, trusted attributes, what root alone can read) is left out for others. The same every time.
# torture-tree.sh --life DIRECTORY changes nearly everything in it, as the years do: the same tree, one version later.
set -euo pipefail
export LC_ALL=C TZ=UTC
umask 022

root() { [ "$(id -u)" = 0 ]; }

# Bytes that do not compress: noise SEED LENGTH.
noise() {
    perl -e 'my ($seed, $left) = @ARGV; my $x = 2463534242; $x = ($x * 31 + ord) & 0xffffffff for split //, $seed; $x ||= 1; my $all = "";
        for (; length $all < $left;) { $x ^= ($x << 13) & 0xffffffff; $x ^= $x >> 17; $x ^= ($x << 5) & 0xffffffff; $all .= pack "V", $x } print substr($all, 0, $left)' "$1" "$2"
}

# A name of N bytes of one letter.
long() { printf "%0${2}d" 0 | tr 0 "$1"; }

types() {
    mkdir types && cd types
    printf 'a file' > file
    mkdir directory
    mkfifo fifo
    ln -s file link
    if root; then
        mknod null c 1 3
        mknod loop b 7 200
        mknod wide c 4095 1048575
        chmod 0640 null loop
        chown 54321:6 loop
    fi
    cd ..
}

modes() {
    mkdir modes && cd modes
    local mode
    for mode in 0400 0444 0600 0644 0755 0777 1644 2755 4755 6711; do printf '%s' $mode > file-$mode; chmod $mode file-$mode; done
    for mode in 0500 0555 0700 1777 2775 3770; do mkdir dir-$mode; printf x > dir-$mode/inside; done
    if root; then
        for mode in 0000 0111 0200; do printf '%s' $mode > file-$mode; chmod $mode file-$mode; mkdir dir-$mode; printf x > dir-$mode/inside; done
    fi
    for mode in dir-*; do chmod "${mode#dir-}" "$mode"; done
    cd ..
}

owners() {
    root || return 0
    mkdir owners && cd owners
    printf x > known; chown daemon:mail known
    printf x > unknown; chown 54321:54322 unknown
    printf x > huge; chown 4294967294:4294967294 huge
    mkdir dir; chown 54321:mail dir; chmod 2770 dir
    printf x > dir/setuid; chown 54321 dir/setuid; chmod 4711 dir/setuid
    ln -s known link; chown -h daemon:54322 link
    cd ..
}

links() {
    mkdir links && cd links
    ln -s nowhere dangling
    ln -s /etc/passwd absolute
    ln -s ../../../../.. out-of-the-tree
    ln -s ../../torture-outside/file out-by-name
    ln -s self self
    ln -s there here && ln -s here there
    ln -s ../types/directory directory
    ln -s "$(printf 'new\nline and \377')" odd
    ln -s "$(long t 4000)" as-long-as-it-gets
    ln -s . dot
    touch -h -d '1999-12-31 23:59:59.987654321' dangling
    cd ..
}

hardlinks() {
    mkdir -p hardlinks/b/c hardlinks/z && cd hardlinks
    noise links 40000 > b/c/first
    ln b/c/first a-before-it
    ln b/c/first z/after-it
    ln b/c/first "$(printf 'z/odd\nname')"
    : > z/empty && ln z/empty b/empty-too
    printf equal > twin-1 && printf equal > twin-2
    printf 'not linked to what it equals' > one && cp one two && ln one three && ln two four
    ln -s b z/link && ln z/link b/link-again
    mkfifo z/fifo && ln z/fifo a-fifo
    if root; then mknod z/null c 1 3 && ln z/null a-null; fi
    truncate -s 3M z/sparse && printf end >> z/sparse && ln z/sparse b/sparse
    cd ..
}

sparse() {
    mkdir sparse && cd sparse
    noise s 70000 > data
    truncate -s 0 all-hole && truncate -s 5M all-hole
    truncate -s 2M at-start && cat data >> at-start
    cp data in-the-middle && truncate -s 4M in-the-middle && cat data >> in-the-middle
    cp data at-end && truncate -s 6M at-end
    dd if=data of=many bs=4096 count=1 seek=100 conv=notrunc status=none
    dd if=data of=many bs=4096 count=1 seek=300 conv=notrunc status=none
    dd if=data of=many bs=1000 count=3 seek=2001 conv=notrunc status=none
    truncate -s 3333333 many
    truncate -s 1M one-byte && printf x | dd of=one-byte bs=1 seek=700001 conv=notrunc status=none
    head -c 300000 /dev/zero > zeros-that-are-written
    cd ..
}

sizes() {
    mkdir sizes && cd sizes
    local size
    for size in 0 1 511 512 4095 4096 4097 16383 16384 16385 65536 1048575 1048576 1048577 3000001; do noise $size $size > of-$size; done
    head -c 2500000 /dev/zero | tr '\0' 'a' > compressible
    cd ..
}

names() {
    mkdir names && cd names
    local name
    for name in 'a' 'A' 'README' 'readme' 'Readme' ' ' ' leading' 'trailing ' '.hidden' '...' 'trailing.' '-rf' '--delete' '~' '*' '?' '[a]' '$HOME' '`id`' '\' 'a\b' "it's" '"quoted"' ';' '|' '&' '#' '%s%n' \
        ':' 'CON' 'nul.txt' '.mirror-tmp-0' '.mirror-' '.nfs0001' 'file.pack.tmp' '{node}' '!not' 'a b'; do
        printf '%s' "$name" > "./$name"
    done
    # Composed and decomposed, in two letters; then no text at all, and everything that is no printable byte.
    printf nfc > "$(printf 'caf\303\251')"; printf nfd > "$(printf 'cafe\314\201')"
    printf nfc > "$(printf '\303\205')"; printf angstrom > "$(printf '\342\204\253')"; printf nfd > "$(printf 'A\314\212')"
    printf x > "$(printf '\377\376')"; printf x > "$(printf 'latin-\351')"; printf x > "$(printf 'cut-\303')"; printf x > "$(printf '\355\240\200')"; printf x > "$(printf 'over-\300\257')"
    printf x > "$(printf 'new\nline')"; printf x > "$(printf '\nx')"; printf x > "$(printf 'tab\tbell\a\033[31m\177')"; printf x > "$(printf 'return\r')"
    printf x > "$(printf '\001\002\003')"; printf x > "$(printf '\342\200\256gnp.exe')"; printf x > "$(printf '\360\237\222\200')"
    printf x > "$(long n 255)"
    mkdir "$(long d 255)" && printf x > "$(long d 255)/$(long e 255)"
    printf x > "$(printf '%s\303\251' "$(long u 253)")"
    # Twins of which one is a directory.
    mkdir DIR && printf x > dir; mkdir "$(printf 'x\303\274')" && printf x > "$(printf 'x\303\274/in')"; printf x > "$(printf 'xu\314\210')"
    # The order of bytes is not the order of paths.
    mkdir sort && printf x > sort/in; printf x > sort-; printf x > sort.; printf x > sort0; printf x > 'sort '
    cd ..
}

empties() {
    mkdir -p empty/of/directories/only empty/one/two/three
    : > empty/file
}

times() {
    mkdir times && cd times
    local at n=0
    for at in '1901-12-14 00:00:00.000000001' '1969-12-31 23:59:59.999999999' '1970-01-01 00:00:00' '1970-01-01 00:00:00.000000001' '2001-02-03 04:05:06.123456789' \
        '2038-01-19 03:14:08.5' '2106-02-07 06:28:16.000000007' '2250-01-01 00:00:00.999999999'; do
        n=$((n+1))
        printf '%s' "$at" > file-$n && touch -d "$at" file-$n
        mkdir dir-$n && printf x > dir-$n/in && touch -d "$at" dir-$n
        ln -s "$at" link-$n && touch -h -d "$at" link-$n
    done
    cd ..
}

attributes() {
    mkdir attributes && cd attributes
    printf x > file
    setfattr -n user.note -v 'a note' file
    setfattr -n user.empty file
    setfattr -n user.bytes -v 0x00ff0a00 file
    setfattr -n "user.$(long k 240)" -v "$(long v 1500)" file
    mkdir dir && setfattr -n user.note -v 'of a directory' dir && printf x > dir/in
    printf x > access && setfacl -m u:54321:rw,g:54322:r,m::rw access
    printf x > masked && setfacl -m u:54321:rwx,m::r masked
    mkdir defaults && setfacl -m u:54321:rwx defaults && setfacl -d -m u:54321:rwx,g:54322:rx,o::- defaults
    printf inherits > defaults/file && mkdir defaults/dir && printf inherits > defaults/dir/file
    if root; then
        setfattr -n trusted.mark -v secret file
        setfattr -n trusted.mark -v 0x0001 dir
        ln -s file link && setfattr -h -n trusted.mark -v 'of the link' link
        printf x > capable && chmod 755 capable && setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 capable
        printf x > unreadable && setfattr -n user.note -v y unreadable && setfacl -m u:54321:r unreadable && chmod 0 unreadable
    fi
    cd ..
}

# 15 times 250 bytes and what is left, entered step by step: a path of 4,000 bytes, which is as much as leaves room for what is above the tree.
deep() {
    (
        mkdir deep && cd deep
        local n
        for n in $(seq 15); do mkdir "$(long p 250)" && cd -P "./$(long p 250)"; done
        mkdir "$(long q 224)" && cd -P "./$(long q 224)"
        printf bottom > file
    )
    local many=wide-and-deep
    many=$many/$(printf 'd/%.0s' $(seq 400))
    mkdir -p "$many" && printf x > "$many/file"
}

many() {
    mkdir many && cd many
    perl -e 'for my $n (0 .. 9999) { open(my $f, ">", sprintf("entry-%05d", $n)) or die $!; print $f $n if $n % 7; close $f }'
    cd ..
}

make() {
    mkdir -p "$1" && cd "$1"
    [ -z "$(ls -A)" ] || { echo "$1 is not empty" >&2; exit 2; }
    types; modes; owners; links; hardlinks; sparse; sizes; names; empties; times; attributes; deep; many
    setfattr -n user.root -v 'of the whole' .
    chmod 0751 .
    touch -d '2011-11-11 11:11:11.111111111' .
}

# Nothing stays as it was, and every kind of change is made to something of every kind.
life() {
    cd "$1"
    mv types kinds && mv kinds/file kinds/directory/moved && mkdir kinds/file && rm kinds/fifo && ln -s gone kinds/fifo && rm kinds/link && mkfifo kinds/link
    local file
    for file in modes/file-*; do chmod 0604 "$file"; done
    chmod 4750 modes/file-0644; chmod 0700 modes/dir-0500 modes/dir-3770; chmod 0555 modes/dir-0700
    ln -sfn elsewhere links/dangling; ln -sfn ../sizes links/directory; rm links/self; mkdir links/self; rm links/dot; printf 'was a link' > links/dot
    # The first name of a group goes, another group is parted, two groups become one, a third name changes the content of all.
    rm hardlinks/a-before-it; printf more >> hardlinks/z/after-it
    cp hardlinks/one hardlinks/one.new && mv hardlinks/one.new hardlinks/one
    ln -f hardlinks/two hardlinks/three
    rm hardlinks/twin-2; ln hardlinks/twin-1 hardlinks/twin-2
    truncate -s 1M hardlinks/z/sparse
    # Holes are filled, punched, moved.
    printf filled | dd of=sparse/all-hole bs=1 seek=2000000 conv=notrunc status=none
    truncate -s 9M sparse/at-end; cp --sparse=never sparse/one-byte sparse/dense; fallocate -p -o 0 -l 262144 sparse/zeros-that-are-written
    mv sparse/at-start sparse/in-the-middle
    printf y | dd of=sizes/of-3000001 bs=1 seek=1500000 conv=notrunc status=none
    printf tail >> sizes/of-1048576; truncate -s 16384 sizes/of-65536; rm sizes/of-512; mv sizes/of-511 sizes/of-512
    head -c 1000000 sizes/compressible > sizes/shorter && cat sizes/of-4097 >> sizes/shorter
    # Twins trade places, a name becomes its twin, a directory and a file trade places.
    mv names/README names/x && mv names/readme names/README && mv names/x names/readme; mv names/Readme names/rEADME
    mv names/DIR names/x && mv names/dir names/DIR && mv names/x names/dir
    mv "names/$(printf 'caf\303\251')" names/x && mv "names/$(printf 'cafe\314\201')" "names/$(printf 'caf\303\251')" && mv names/x "names/$(printf 'cafe\314\201')"
    mv "names/$(long n 255)" "names/$(long N 255)"; mv "names/$(long d 255)" "names/$(long D 255)"; rm "names/$(printf 'new\nline')"; printf more >> "names/$(printf '\377\376')"
    mv empty/of empty/in; rm -r empty/one; printf 'no longer' > empty/file
    touch -d '1950-05-05 05:05:05.050505050' times/file-5 times/dir-5; touch -h -d '2200-02-02 02:02:02.020202020' times/link-1
    # Changed and looking as before.
    touch -r sizes/of-4096 .stamp; printf z | dd of=sizes/of-4096 bs=1 seek=9 conv=notrunc status=none; touch -r .stamp sizes/of-4096; rm .stamp
    setfattr -x user.note attributes/file; setfattr -n user.empty -v 'no more' attributes/file; setfattr -x user.note attributes/dir
    setfacl -b attributes/access; setfacl -m u:54323:r attributes/masked; setfacl -k attributes/defaults
    if root; then
        chown 54323:54323 owners/known owners/dir; chown -h 1:1 owners/link; chmod 4755 owners/known
        rm kinds/null; mknod kinds/null c 1 5; setfattr -x trusted.mark attributes/file; setfattr -x security.capability attributes/capable
    fi
    mv wide-and-deep shallow; mv "deep/$(long p 250)" "deep/$(long P 250)"
    perl -e 'for my $n (0 .. 9999) { my $f = sprintf("many/entry-%05d", $n); if ($n % 10 == 3) { unlink $f or die $! } elsif ($n % 10 == 4) { rename $f, "$f.bak" or die $! } elsif ($n % 100 == 5) { open(my $o, ">>", $f) or die $!; print $o "more" } }'
    setfattr -n user.root -v 'of the whole, later' .
    chmod 0755 .
    touch -d '2012-12-12 12:12:12.121212121' .
}

case ${1:-} in
    --life) life "$2" ;;
    ''|-*) echo "usage: torture-tree.sh [--life] DIRECTORY" >&2; exit 2 ;;
    *) make "$1" ;;
esac
