"""Drive the program `tide` through a pseudo-terminal: what people see and press. Usage: repl_pty.py [path of tide]

Every step waits for its answer with a limit; the last line is "N passed, N failed". The shell that calls this says so when there is
no python3; nothing else of the project needs it."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

PROMPT = "tide> "
MORE = "   >> "
LIMIT = 10.0  # seconds; only a failure takes that long


class Session:
    """A running prompt; `home` keeps its history and its init file. `answer` is what its terminal says when it is asked what it is."""

    answer = b""

    def __init__(self, tide, home, *arguments, **environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "NO_COLOR", "EDITRC", "DISPLAY", "WAYLAND_DISPLAY", "TMUX", "KITTY_WINDOW_ID",
                         "TERM_PROGRAM"):
                os.environ.pop(name, None)
            os.environ.update({"TERM": "xterm-256color", "HOME": home, "NO_COLOR": "1", **environment})
            os.chdir(home)
            os.execv(tide, [tide, *arguments])
        self.text = ""

    def read(self, limit):
        """More output into self.text; False when there is none within the limit or the program has ended."""
        if not select.select([self.fd], [], [], limit)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        if b"\x1b[c" in data and self.answer:
            os.write(self.fd, self.answer)
        self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode("utf-8", "replace"))
        return bool(data)

    def wait(self, wanted):
        """Output up to and including `wanted`, which is consumed."""
        end = time.monotonic() + LIMIT
        while wanted not in self.text:
            if time.monotonic() > end or not self.read(max(0.0, end - time.monotonic())):
                raise AssertionError(f"no {wanted!r} in {self.text[-300:]!r}")
        before, self.text = self.text.split(wanted, 1)
        return before

    def send(self, keys):
        os.write(self.fd, keys.encode())

    def line(self, text, prompt=PROMPT):
        """Type a line; what is printed between it and the next prompt."""
        self.send(text + "\r")
        self.wait("\n")
        return self.wait(prompt).replace("\r", "").strip("\n")

    def end(self):
        """Exit status after the program has ended."""
        limit = time.monotonic() + LIMIT
        while time.monotonic() < limit:
            self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("still running")

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"expected {wanted!r}, got {got!r}")


def contains(got, wanted):
    if wanted not in got:
        raise AssertionError(f"expected {wanted!r} in {got!r}")


def expressions(s):
    expect(s.line("1 + 1"), "2")
    expect(s.line("_ * 21"), "42")
    expect(s.line("= 'a' .. 'b'"), "ab")
    expect(s.line("5;"), "")
    contains(s.line("theory.order 'rk4'"), "4\t")
    for name in "tide linalg distributions metrics csv tree nn optim plot data ode sweep".split():
        expect(s.line(f"type({name})"), "table")
    expect(s.line("{1, {2}, x = 'y'}"), '{1, {2}, x = "y"}')
    expect(s.line('"é" .. "ü"'), "éü")


def locals_stay(s):
    expect(s.line("local a, b = 3, 4"), "")
    expect(s.line("a * b"), "12")
    expect(s.line("local c = 5; c + 1"), "6")
    expect(s.line("c"), "5")


def multi_line(s):
    expect(s.line("for i = 1, 2 do", MORE), "")
    expect(s.line("", MORE), "")
    expect(s.line("print('i', i)", MORE), "")
    expect(s.line("end"), "i\t1\ni\t2")
    s.line("f(1,", MORE)
    s.send("\x03")
    s.wait(PROMPT)
    expect(s.line("7"), "7")


def errors(s):
    expect(s.line("error('boom')"), "input:1: boom")
    contains(s.line("local function f() error({1}) end f()"), "in local 'f'")
    contains(s.line("x = = 1"), "unexpected symbol")
    contains(s.line("nothing.field"), "nil value")
    expect(s.line("qqqq()"), "input:1: attempt to call a nil value (global 'qqqq')")
    expect(s.line("1"), "1")


def completion(s):
    s.send("string.rep\t")
    s.wait("(")
    expect(s.line("'ab', 2)"), "abab")
    s.line("object = {alpha = 1, alphabet = 2}")
    s.send("object.\t")
    s.wait("alpha")
    s.send("\t")
    s.wait("alpha     alphabet")
    s.wait(PROMPT)
    s.send("bet")
    expect(s.line(""), "2")
    s.send('require "tide.optio\t')
    s.wait('ns"')
    s.send("\x03")
    s.wait(PROMPT)


def tab_is_white_space_in_a_paste(s):
    s.send("\x1b[200~for i = 1, 2 do\r\tprint('p', i)\rend\r\x1b[201~")
    s.wait("end")
    s.send("\r")
    s.wait("p\t1")
    s.wait("p\t2")
    s.wait(PROMPT)
    s.send("math.\t'x'\x03")
    s.wait(PROMPT)


def interrupts(s):
    for code in ("while true do end", "coroutine.wrap(function() while true do end end)()",
                 "pcall(function() while true do end end) while true do end",
                 'require("tide.core").sleep(1000)', "while true do string.rep('x', 1e6) end"):
        s.line("kept = 5")
        s.send(code + "\r")
        s.wait("\n")
        time.sleep(0.1)
        started = time.monotonic()
        s.send("\x03")
        if code.startswith("pcall"):
            time.sleep(1.1)  # the first one was answered by pcall; a second within the second would be one too
            started = time.monotonic()
            s.send("\x03")
        contains(s.wait(PROMPT), "interrupted")
        if time.monotonic() - started > 1.0:
            raise AssertionError(f"{code}: took {time.monotonic() - started:.2f} s")
        expect(s.line("kept"), "5")


def second_interrupt_stops_the_line(s):
    """Code that catches errors goes on after the first Ctrl-C; the second within a second leaves every level."""
    for code in ("while true do pcall(function() while true do end end) end",
                 "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
                 "while true do pcall(require('tide.core').sleep, 1000) end"):
        s.line("kept = 6")
        s.send(code + "\r")
        s.wait("\n")
        for _ in range(2):
            time.sleep(0.2)
            s.send("\x03")
        contains(s.wait(PROMPT), "interrupted")
        expect(s.line("kept"), "6")
    # the library still puts things right after an error
    s.line("before = tide.core.rng_state()")
    s.send("while true do pcall(nn.with_seed, 77, function() while true do end end) end\r")
    s.wait("\n")
    for _ in range(2):
        time.sleep(0.2)
        s.send("\x03")
    contains(s.wait(PROMPT), "interrupted")
    expect(s.line("tide.core.rng_state() == before"), "true")


def interrupt_at_prompt(s):
    s.send("half a line\x03")
    s.wait(PROMPT)
    for _ in range(5):
        s.send("\x03")
        s.wait(PROMPT)
    expect(s.line("8"), "8")


def history(s):
    s.line("'first' .. ' entry'")
    s.line("'second'")
    s.send("\x1b[A\x1b[A")
    s.wait("first")
    expect(s.line(""), "first entry")
    s.send("\x12seco")
    s.wait("second")
    s.send("\r")
    s.wait("\nsecond")
    s.wait(PROMPT)
    expect(s.line("9"), "9")


def helping(s):
    contains(s.line("help 'odeint'"), "tide.odeint(f, y0, t, opts)")
    contains(s.line("?x:sum"), "x:sum(axis, keepdim)")
    s.line("net = nn.odenet{dim = 2, seed = 1}")
    contains(s.line("?net"), "1253 values")
    contains(s.line("?net.block"), "odeblock:trajectory")
    contains(s.line("help(nothing_here)"), "nothing_here is nil")
    contains(s.line("help(nil)"), "the value is nil")
    contains(s.line("help learning rate"), "optim.adam")
    contains(s.line("? learning rate"), "optim.adam")
    s.line("opt = optim.adam(net)")
    contains(s.line("?opt"), "optimiser:step")
    contains(s.line("?opt.lr"), "0.001")
    s.send("opt.weight_d\t")
    s.wait("ecay")
    expect(s.line(""), "0")
    contains(s.line("odeint(1)"), "did you mean tide.odeint?")
    contains(s.line("nett.block"), "did you mean net?")


def pages(s):
    """Long texts wait at the bottom of the screen, and nobody is caught there."""
    ask = "q: end"
    s.size(24, 80)
    for leave in ("q", "\x03", "\x04", "\x1b"):
        s.send("help()\r")
        first = s.wait(ask)
        contains(first, "Guides")
        expect(first.count("\n"), 24)  # the line that was typed, and 23 of help
        s.send("zz\r")  # what has no meaning is ignored; enter shows one line more
        expect(s.wait(ask).count("\n"), 1)
        s.send(" ")
        expect(s.wait(ask).count("\n"), 23)
        s.send(leave)
        s.wait(PROMPT)
        expect(s.line("1 + 2"), "3")
    s.send("help()\r")
    s.wait(ask)
    s.send("G")
    contains(s.wait(PROMPT), "searches")
    contains(s.line("help 'seed'"), "tide.seed(n)")  # fits the screen
    s.send("help(tide)\r'typed' .. ' ahead'\r")  # input for the prompt is not taken for keys
    s.wait("\ntyped ahead")
    s.wait(PROMPT)
    s.size(0, 0)


def pages_under_e(tide, home):
    s = Session(tide, home, "-e", "help()")
    try:
        s.size(20, 80)
        s.wait("q: end")
        s.send(" ")
        s.wait("q: end")
        s.send("\x03")
        expect(s.end(), 0)
    finally:
        s.close()


def control_d(s):
    s.send("\x04")
    expect(s.end(), 0)


IN_ONE_SESSION = [expressions, locals_stay, multi_line, errors, completion, tab_is_white_space_in_a_paste, interrupts,
                  second_interrupt_stops_the_line, interrupt_at_prompt, history, helping, pages, control_d]


def history_is_kept(tide, home):
    path = os.path.join(home, ".local/state/tide/history")
    expect(os.stat(path).st_mode & 0o777, 0o600)
    s = Session(tide, home)
    try:
        s.wait(PROMPT)
        s.send("\x12locala, \x7f\x7f\x7f\x7f a")
        s.send("\x03")
        s.wait(PROMPT)
        s.send("\x12first'")
        s.wait("first' .. ' entry'")
        s.send("\r")
        s.wait("\nfirst entry")
        s.wait(PROMPT)
        control_d(s)
    finally:
        s.close()
    with open(path, encoding="utf-8") as file:
        contains(file.read(), "for i = 1, 2 do\\n\\nprint('i', i)\\nend\n")


def init_file(tide, home):
    os.makedirs(os.path.join(home, ".config/tide"))
    with open(os.path.join(home, ".config/tide/init.lua"), "w", encoding="utf-8") as file:
        file.write("from_init = 'yes'\n")
    for arguments, wanted in (((), "yes"), (("--no-init",), "nil")):
        s = Session(tide, home, *arguments)
        try:
            s.wait(PROMPT)
            expect(s.line("from_init"), wanted)
            control_d(s)
        finally:
            s.close()


def dumb_terminal(tide, home):
    s = Session(tide, home, TERM="dumb")
    try:
        s.wait(PROMPT)
        expect(s.line("1 + 2"), "3")
        s.send("half\x03")
        s.wait(PROMPT)
        expect(s.line("4"), "4")
        s.send("\x04")
        expect(s.end(), 0)
    finally:
        s.close()


def colours(tide, home):
    s = Session(tide, home, NO_COLOR="")
    try:
        s.wait(PROMPT)
        expect(s.line("1 + 2"), "3")
        control_d(s)
    finally:
        s.close()


def stopped(tide, home, code, status=130):
    """A script is ended by Ctrl-C with a traceback."""
    with subprocess.Popen([tide, "-e", code], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            process.stdout.readline()
            time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, errors_text = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError("did not stop") from None
    expect(process.returncode, status)
    if status == 130:
        contains(errors_text, "interrupted")
        contains(errors_text, "stack traceback")


def script_loop(tide, home):
    stopped(tide, home, "print(1) while true do end")


def script_coroutine(tide, home):
    stopped(tide, home, "print(1) local co = coroutine.wrap(function() while true do end end) co()")


def script_nested_coroutines(tide, home):
    stopped(tide, home, """print(1)
        local inner = function() while true do end end
        local outer = function() local ok, why = coroutine.resume(coroutine.create(inner)) error(why) end
        coroutine.wrap(outer)()""")


def script_yielding(tide, home):
    stopped(tide, home, """print(1)
        local g = coroutine.wrap(function() while true do coroutine.yield() end end)
        while true do g() end""")


def killed(tide, home, code):
    """The second Ctrl-C within a second ends the program."""
    with subprocess.Popen([tide, "-e", code], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        for _ in range(2):
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError("the second Ctrl-C did not end it") from None
        expect(process.returncode, -signal.SIGINT)


def second_interrupt_kills(tide, home):
    """An engine loop that does not poll cannot be left."""
    killed(tide, home, "print(1) io.stdout:flush() string.find(('a'):rep(60), ('.-'):rep(30) .. 'b')")


def second_interrupt_kills_what_catches_errors(tide, home):
    killed(tide, home, "print(1) io.stdout:flush() while true do pcall(function() while true do end end) end")


def figures(tide, home):
    """What shows a figure depends on the terminal; a figure that is a value shows itself."""
    if not shutil.which("gnuplot"):
        return
    for answer, environment, how, picture in (
            (b"", {}, "text", None), (b"\x1b[?62;4;22c", {}, "sixels", "\x1bP"), (b"\x1b[?62;22;14c", {}, "text", None), (b"\x1b[?62;4c", {"TMUX": "x"}, "sixels", "\x1bP"),
            (b"", {"TERM": "xterm-kitty"}, "kitty's graphics", "\x1b_Ga=T,f=100"), (b"", {"TERM": "dumb"}, "text", None),
            (b"", {"DISPLAY": ":99"}, "text; this gnuplot opens no windows", None)):
        if picture == "\x1bP" and "sixelgd" not in subprocess.run(["gnuplot", "-d", "-e", "print GPVAL_TERMINALS"], capture_output=True, text=True).stderr:
            continue
        if "DISPLAY" in environment and re.search(r" (qt|wxt|x11) ", subprocess.run(["gnuplot", "-d", "-e", "print GPVAL_TERMINALS"], capture_output=True,
                                                                                      text=True).stderr):
            continue
        s = Session(tide, home, "--no-init", **environment)
        s.answer = answer
        try:
            s.wait(PROMPT)
            shown = s.line("plot.line{y = {1, 3, 2}, name = 'curve'}")
            contains(shown, f"(shown as {how}")
            contains(shown, picture or "curve")
            contains(s.line("fig = plot.line{y = {1, 0/0}}; fig:show()"), f"(shown as {how}")
            contains(s.line("plot.line{y = {1, 'x'}}"), "must be a number")
            expect(s.line("plot.line{y = {1, 2}};"), "")
            expect(s.line("1 + 1"), "2")
        finally:
            s.close()


ALONE = [figures, pages_under_e, history_is_kept, init_file, dumb_terminal, colours, script_loop, script_coroutine, script_nested_coroutines,
         script_yielding, second_interrupt_kills, second_interrupt_kills_what_catches_errors]


def run(name, call):
    try:
        call()
    except (AssertionError, OSError) as problem:
        print(f"FAIL {name}: {problem}")
        return False
    return True


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    tide = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(root, "tide"))
    version = subprocess.run([tide, "--version"], capture_output=True, text=True, check=True).stdout
    if "line editing: libedit" not in version:
        print("skip: tide was built without libedit\n0 passed, 0 failed")
        return 0
    home = tempfile.mkdtemp(prefix="tide-pty-")
    results = []
    session = Session(tide, home)
    try:
        session.wait(PROMPT)
        for step in IN_ONE_SESSION:
            results.append(run(step.__name__, lambda: step(session)))
        for step in ALONE:
            results.append(run(step.__name__, lambda: step(tide, home)))
    finally:
        session.close()
        shutil.rmtree(home)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


sys.exit(main())
