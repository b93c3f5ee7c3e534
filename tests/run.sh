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
quick=4   # a Lua test file that took at most so many seconds runs again in the part ci, under asan
quicker=2 # and by stock Lua, and with plain instructions
export LC_ALL=C
export ASAN_OPTIONS="${ASAN_OPTIONS:-allocator_may_return_null=1}"
export LSAN_OPTIONS="${LSAN_OPTIONS:-max_leaks=5}" # of a thousand

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
: > "$tmp/counts"
lane=0 # which of the lanes of side_by_side this shell is

# run NAME COMMAND...: show its output indented, note what it counted; leaves the time taken in $seconds.
run() {
    name=$1
    shift
    start=$(date +%s)
    echo "== $name"
    { "$@" < /dev/null 2>&1; echo $? > "$tmp/status.$lane"; } | tee "$tmp/log.$lane" |
        awk '{ print "   " $0; fflush() }'
    read -r status < "$tmp/status.$lane"
    seconds=$(($(date +%s) - start))
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed\(, \([0-9]*\) skipped\)\{0,1\}$/\1 \2 \4/p' \
        "$tmp/log.$lane" | tail -n 1)
    if [ -z "$counts" ]; then
        echo "   FAIL $name: ended without its closing line, exit status $status"
        counts="0 1"
    elif [ "$status" -ne 0 ] && [ "$(echo "$counts" | cut -d' ' -f2)" -eq 0 ]; then
        echo "   FAIL $name: exit status $status"
        counts="${counts%% *} 1"
    fi
    echo "$counts" >> "$tmp/counts"
    echo "   ($seconds s)"
}

skip() {
    echo "== $1"
    echo "   skip: $2"
    echo "0 0 1" >> "$tmp/counts"
}

# side_by_side FUNCTION FILE...: FUNCTION of each file, in as many lanes as there are cores. A lane takes
# the next file that no other has taken (mkdir says who was first), and shows an output when it is whole.
side_by_side() {
    each=$1
    shift
    rm -rf "$tmp/taken"
    mkdir "$tmp/taken"
    while [ "$lane" -lt "$jobs" ]; do
        lane=$((lane + 1))
        for file; do
            mkdir "$tmp/taken/${file##*/}" 2> /dev/null || continue
            "$each" "$file" > "$tmp/shown.$lane"
            cat "$tmp/shown.$lane"
        done &
    done
    wait
    lane=0
}

# Not a test: counts nothing when it works.
build() { "$MAKE" --no-print-directory -j"$jobs" "$@" && echo "0 passed, 0 failed"; }

build_variant() { run "build $1" build VARIANT="$1" all test-fields; }

program() { if [ "$1" = release ]; then echo ./tide; else echo "build/$1/bin/tide"; fi; }

# c_tests VARIANT LABEL
c_tests() {
    folder=build/tests
    [ "$1" = release ] || folder=build/$1/tests
    label=$2
    run "C programs, $1" build VARIANT="$1" -k test-programs
    side_by_side c_test tests/c/test_*.c
}

c_test() {
    stem=$(basename "$1" .c)
    [ -x "$folder/$stem" ] && run "c/$stem$label" timeout "$limit" "$folder/$stem"
}

# lua_tests LABEL PROGRAM FILE...
lua_tests() {
    label=$1 program=$2
    shift 2
    side_by_side lua_test "$@"
}

lua_test() {
    run "lua/$(basename "$1" .lua)$label" timeout "$limit" "$program" tests/lua/run.lua "$1"
    echo "$seconds $1" >> "$tmp/times"
}

# The Lua test files that took at most so many seconds when they first ran; all where none has run.
quick_files() {
    if [ -s "$tmp/times" ]; then awk -v limit="$1" '!seen[$2]++ && $1 <= limit { print $2 }' "$tmp/times"
    else ls tests/lua/test_*.lua
    fi
}

stock_tests() {
    lua=$(command -v lua5.4 || command -v lua54) || { skip "stock Lua" "lua5.4 is not installed"; return; }
    # shellcheck disable=SC2046
    (eval "$("$MAKE" -s env)"; export LUA_PATH_5_4 LUA_CPATH_5_4
     lua_tests ", stock $(basename "$lua")" "$lua" $(quick_files "$quicker"))
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
        # shellcheck disable=SC2046
        lua_tests ", asan" "$(program asan)" $(quick_files "$quick")
    else
        skip "asan" "this compiler has no address sanitizer"
    fi
    export TIDE_ISA=generic
    c_tests release ", TIDE_ISA=generic"
    # shellcheck disable=SC2046
    lua_tests ", TIDE_ISA=generic" ./tide $(quick_files "$quicker")
    unset TIDE_ISA
}

parts=${*:-build c lua stock pty readme install lint ci}
begin=$(date +%s)
build_variant "$VARIANT"
for part in $parts; do
    case $part in
        build) ;;
        c) c_tests "$VARIANT" ", $VARIANT" ;;
        lua) lua_tests ", $VARIANT" "$(program "$VARIANT")" tests/lua/test_*.lua ;;
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
awk '{ passed += $1; failed += $2; skipped += $3 }
    END { printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
          exit failed > 0 }' "$tmp/counts"
