#!/bin/sh
# Installs what is missing to build and run Tide: `sh scripts/setup.sh`; with --test also what the tests use.
#
# On Debian and Ubuntu by apt-get (through sudo when not root), without questions; elsewhere it says what is
# needed. Exit status 0 when everything needed is there. What is there already, from wherever, is left alone.

# shellcheck disable=SC2086 # lists of packages are meant to be split
with_tests=
case ${1:-} in
    --test) with_tests=yes ;;
    "") ;;
    *) echo "usage: sh scripts/setup.sh [--test]" >&2; exit 2 ;;
esac

say() { echo "setup: $*"; }
have() { command -v "$1" > /dev/null 2>&1; }
has_library() { pkg-config --exists "$1" 2> /dev/null; }
has_lua_headers() { has_library lua5.4 || has_library lua-5.4 || has_library lua54; }
has_font() { [ -n "$(find /usr/share/fonts /usr/local/share/fonts "$HOME/.fonts" "$HOME/.local/share/fonts" \
    \( -name '*.ttf' -o -name '*.otf' -o -name '*.pfb' \) 2> /dev/null | head -n 1)" ]; }
has_compiler() { echo 'int main(void) { return 0; }' | ${CC:-cc} -x c -o /dev/null - 2> /dev/null; }

# Each line: what it is for, how to see that it is there, Debian's packages.
find_missing() {
    needed=
    wanted=
    quiet() { "$@" > /dev/null 2>&1; }
    require() { package=$1; shift; quiet "$@" || needed="$needed $package"; }
    suggest() { package=$1; shift; quiet "$@" || wanted="$wanted $package"; }
    require "gcc libc6-dev" has_compiler
    require make have make
    require pkg-config have pkg-config
    require liblua5.4-dev has_lua_headers
    require libopenblas-dev has_library openblas
    require libpng-dev has_library libpng
    require libjpeg-dev has_library libjpeg
    require zlib1g-dev has_library zlib
    suggest libedit-dev has_library libedit    # editing and completion at the prompt
    suggest gnuplot-nox have gnuplot           # figures
    suggest fonts-dejavu-core has_font         # text in them
    [ -z "$with_tests" ] || {
        suggest lua5.4 have lua5.4             # the tests run under stock Lua as well
        suggest lua-check have luacheck        # lint
        suggest clang-format have clang-format # lint
        suggest python3 have python3           # drives the prompt through a pseudo-terminal
    }
}

advise() {
    say "please install: $*"
    say "that is: a C11 compiler, make, pkg-config, and the development files of Lua 5.4, OpenBLAS, libpng," \
        "libjpeg, zlib (and libedit); gnuplot"
    say "  Debian, Ubuntu: apt install $*"
    say "  Fedora: dnf install gcc make pkgconf lua-devel openblas-devel libpng-devel" \
        "libjpeg-turbo-devel zlib-devel libedit-devel gnuplot dejavu-sans-fonts"
    say "  Arch: pacman -S base-devel lua54 openblas libpng libjpeg-turbo zlib libedit gnuplot ttf-dejavu"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif [ -t 0 ]; then sudo "$@"
    else sudo -n "$@"; fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

# The lists of a fresh machine are empty or old: fetched first when there are none, and once more when
# packages are not found. At last one by one: a package that cannot be had must not keep the others out.
update() { apt_get -o APT::Update::Error-Mode=any update; }
add() { apt_get install -y --no-install-recommends "$@"; }
add_all() {
    ls /var/lib/apt/lists/*_Packages* > /dev/null 2>&1 || update || return
    add "$@" && return
    update || return
    add "$@" && return
    for package; do add "$package"; done
}

find_missing
[ -n "$needed$wanted" ] || exit 0
say "missing:$needed$wanted"
if ! have apt-get; then
    advise $needed $wanted
elif [ "$(id -u)" -ne 0 ] && ! have sudo; then
    say "installing needs root, and there is no sudo"
    advise $needed $wanted
else
    add_all $needed $wanted
    find_missing
    [ -z "$needed$wanted" ] || { say "still missing after apt-get:$needed$wanted"; advise $needed $wanted; }
fi
[ -z "$needed" ] || exit 1
[ -z "$wanted" ] || say "going on without$wanted: what needs them is left out"
