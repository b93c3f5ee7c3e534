#!/bin/sh
# Every test: `sh tests/run.sh`, or some parts of it: `sh tests/run.sh c lua`. The last line is "N passed, N
# failed[, N skipped]".
#
#   c        programs tests/c/test_*.c
#   lua      tests/lua/test_*.lua under ./tide
#   readme   examples of README.md
#   lint     tests/lint
#   stock    quick Lua tests again, under lua5.4 instead of ./tide
#   pty      the prompt, through a pseudo-terminal
#   install  an installation in a folder of its own
#   ci       quick tests under asan, and with plain instructions; only when CI=true
#
# VARIANT=asan|tsan|debug takes the C and Lua tests of that build. Each part is a program whose last line
# counts as ours does; one that ends without it, or with an exit status that does not fit, is a failure.

cd "$(dirname "$0")/.." || exit 1
MAKE=${MAKE:-make}
VARIANT=${VARIANT:-release}
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
limit=600 # seconds for one program
quick=3   # a Lua test file that took at most so many seconds runs again in the part ci, under asan
quicker=1 # and by stock Lua, and with plain instructions
export LC_ALL=C
export ASAN_OPTIONS="${ASAN_OPTIONS:-allocator_may_return_null=1}"
export LSAN_OPTIONS="${LSAN_OPTIONS:-max_leaks=5}" # of a thousand

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
: > "$tmp/quick"
passed=0 failed=0 skipped=0

# run NAME COMMAND...: show its output indented, add up what it counted; leaves the time taken in $seconds.
run() {
    name=$1
    shift
    start=$(date +%s)
    echo "== $name"
    { "$@" < /dev/null 2>&1; echo $? > "$tmp/status"; } | tee "$tmp/log" | awk '{ print "   " $0; fflush() }'
    read -r status < "$tmp/status"
    seconds=$(($(date +%s) - start))
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed\(, \([0-9]*\) skipped\)\{0,1\}$/\1 \2 \4/p' \
        "$tmp/log" | tail -n 1)
    if [ -z "$counts" ]; then
        echo "   FAIL $name: ended without its closing line, exit status $status"
        counts="0 1"
    elif [ "$status" -ne 0 ] && [ "$(echo "$counts" | cut -d' ' -f2)" -eq 0 ]; then
        echo "   FAIL $name: exit status $status"
        counts="${counts%% *} 1"
    fi
    # shellcheck disable=SC2086
    set -- $counts
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0}))
    echo "   ($seconds s)"
}

skip() {
    echo "== $1"
    echo "   skip: $2"
    skipped=$((skipped + 1))
}

# Not a test: counts nothing when it works.
build() { "$MAKE" --no-print-directory -j"$jobs" "$@" && echo "0 passed, 0 failed"; }

build_variant() { run "build $1" build VARIANT="$1" all test-fields; }

program() { if [ "$1" = release ]; then echo ./tide; else echo "build/$1/bin/tide"; fi; }

# c_tests VARIANT LABEL
c_tests() {
    folder=build/tests
    [ "$1" = release ] || folder=build/$1/tests
    run "C programs, $1" build VARIANT="$1" -k test-programs
    for source in tests/c/test_*.c; do
        stem=$(basename "$source" .c)
        [ -x "$folder/$stem" ] && run "c/$stem$2" timeout "$limit" "$folder/$stem"
    done
}

lua_tests() {
    for file in tests/lua/test_*.lua; do
        run "lua/$(basename "$file" .lua), $VARIANT" \
            timeout "$limit" "$(program "$VARIANT")" tests/lua/run.lua "$file"
        [ "$seconds" -gt "$quick" ] || echo "$file" >> "$tmp/quick"
        [ "$seconds" -gt "$quicker" ] || echo "$file" >> "$tmp/quicker"
    done
}

# quick_lua_tests LABEL PROGRAM LIST: the files of the list, all where nothing has been timed
quick_lua_tests() {
    [ -s "$tmp/$3" ] || ls tests/lua/test_*.lua > "$tmp/$3"
    while read -r file; do
        run "lua/$(basename "$file" .lua)$1" timeout "$limit" "$2" tests/lua/run.lua "$file"
    done < "$tmp/$3"
}

stock_tests() {
    lua=$(command -v lua5.4 || command -v lua54) || { skip "stock Lua" "lua5.4 is not installed"; return; }
    (eval "$("$MAKE" -s env)"; export LUA_PATH_5_4 LUA_CPATH_5_4
     quick_lua_tests ", stock $(basename "$lua")" "$lua" quicker
     echo "$passed $failed $skipped" > "$tmp/sums")
    read -r passed failed skipped < "$tmp/sums"
}

pty_test() {
    if ! command -v python3 > /dev/null; then skip "prompt in a terminal" "python3 is not installed"
    elif ! python3 -c 'import pty; pty.openpty()' 2> /dev/null; then
        skip "prompt in a terminal" "there are no pseudo-terminals here"
    else run "prompt in a terminal" timeout "$limit" python3 tests/repl_pty.py; fi
}

# What a second look with other tools finds; the slow tests are left out so that all this stays under 15
# minutes on two cores.
ci_tests() {
    if echo 'int main(void) { return 0; }' |
        ${CC:-cc} -fsanitize=address,undefined -x c -o "$tmp/a.out" - 2> /dev/null && "$tmp/a.out"; then
        build_variant asan
        c_tests asan ", asan"
        quick_lua_tests ", asan" "$(program asan)" quick
    else
        skip "asan" "this compiler has no address sanitizer"
    fi
    export TIDE_ISA=generic
    c_tests release ", TIDE_ISA=generic"
    quick_lua_tests ", TIDE_ISA=generic" ./tide quicker
    unset TIDE_ISA
}

parts=${*:-build c lua stock pty readme install lint ci}
begin=$(date +%s)
build_variant "$VARIANT"
for part in $parts; do
    case $part in
        build) ;;
        c) c_tests "$VARIANT" ", $VARIANT" ;;
        lua) lua_tests ;;
        stock) stock_tests ;;
        pty) pty_test ;;
        readme) run "README examples" timeout "$limit" ./tide tests/readme.lua ;;
        install) run "installation" sh tests/install.sh ;;
        lint) run "lint" timeout "$limit" ./tide tests/lint/run.lua ;;
        ci) [ "${CI:-}" != true ] || ci_tests ;;
        *) echo "tests/run.sh: there is no part \"$part\"; see the top of the file" >&2; exit 2 ;;
    esac
done

echo "== all: $(($(date +%s) - begin)) s"
summary="$passed passed, $failed failed"
if [ "$skipped" -gt 0 ]; then summary="$summary, $skipped skipped"; fi
echo "$summary"
[ "$failed" -eq 0 ]
