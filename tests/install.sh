#!/bin/sh
# An installation works from any folder, under its own program and under stock lua5.4; uninstall leaves
# nothing behind.

cd "$(dirname "$0")/.." || exit 1
root=$(pwd)
stage=$(mktemp -d) || exit 1
trap 'rm -rf "$stage"' EXIT
prefix=$stage/usr
passed=0 failed=0

check() {
    what=$1
    shift
    if output=$(cd "$stage" && "$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $what"
        echo "$output" | sed 's/^/     /'
    fi
}

# Uses the engine, the style of the plots and, where there is one, a generator from data/: each is found by
# another path.
mkdir -p "$stage/tide"
echo 'os.exit(7)' > "$stage/tide/core.lua"
cat > "$stage/use.lua" <<'END'
local tide = require "tide"
assert(tide.ones({2, 2}):matmul(tide.ones({2, 2})):sum():item() == 8)
assert(#tide.plot.palettes() > 0)
local here, core = package.searchpath("tide", package.path), package.searchpath("tide.core", package.cpath)
assert(here:find(arg[1], 1, true) == 1 and core:find(arg[1], 1, true) == 1,
  here .. " and " .. core .. " are not the installation")
if arg[2] then assert(#tide.data.spheres{dim = 2, inner = 5, outer = 10}.x == 15) end
END
spheres=
[ -e data/spheres.lua ] && spheres=spheres

check "make install" make -C "$root" --no-print-directory install DESTDIR="$stage" PREFIX=/usr
check "installed tide" "$prefix/bin/tide" use.lua "$prefix" $spheres
check "help" "$prefix/bin/tide" -e 'require("tide").help("tide.odeint")'
if command -v lua5.4 > /dev/null; then
    check "stock lua5.4" env LUA_PATH_5_4="$prefix/share/lua/5.4/?.lua;$prefix/share/lua/5.4/?/init.lua" \
        LUA_CPATH_5_4="$prefix/lib/lua/5.4/?.so" lua5.4 use.lua "$prefix" $spheres
fi
cp tests/cfield/pendulum.c "$stage/pendulum.c"
check "a field in C, by the installed header" sh -c '
    sed -i "s,\"autodiff/tide_field.h\",<tide/field.h>," pendulum.c &&
    ${CC:-cc} -Wall -Wextra -Werror -shared -fPIC -Iusr/include -o pendulum.so pendulum.c -lm &&
    usr/bin/tide -e "print(require(\"tide\").ode.cfield(\"pendulum.so\", \"pendulum\"){9.81, 0})"'
check "make uninstall" make -C "$root" --no-print-directory uninstall DESTDIR="$stage" PREFIX=/usr
# shellcheck disable=SC2016
check "nothing is left" sh -c 'left=$(find usr -not -type d); echo "$left"; [ -z "$left" ]'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
