"""A stand-in for the worker (GRADSWEEP_FAULT_WORKER, host/sweep/fault.h): it says what a true
worker has said once, and misbehaves where it is told to. It measures nothing.

$STAND_IN is the path of a JSON document:
  {"book": path of the true worker's lines; where there is none it is written,
   "program": the true worker's, for that,
   "misdeed": one of MISDEEDS, or null,
   "at": "hello", "floor", "cell:1" (by its place in the sweep) or "cell:1@2" (its round 2),
   "times": how often, over all workers of a run; null: always,
   "count": a folder that counts}
"""
import json
import os
import signal
import subprocess
import sys
import time

HELLO, FLOOR = "hello", "floor"
AGES = 40  # seconds: longer than any test waits, and then it is over


def key_of(request):
    if request["request"] != "cell":
        return request["request"]
    number = request["options"]["round"]
    return f"cell:{request['cell']}" + (f"@{number}" if number > 0 else "")


def say(data, fd=1):
    data = data if isinstance(data, bytes) else data.encode()
    while data:
        data = data[os.write(fd, data):]


def flood(chunk, fd):
    while True:
        say(chunk, fd)


def die(number):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    time.sleep(AGES)


def changed(answer, change):
    """The answer after a change of every number in it."""
    def walk(value):
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item) for item in value]
        return change(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    return json.dumps(walk(json.loads(answer)))


def with_child(answer, of_its_own):
    """A child that keeps all pipes open, and no parent."""
    del answer
    if os.fork() == 0:
        if of_its_own:
            os.setsid()
        time.sleep(8)
        os._exit(0)
    os._exit(5)


def slowly(answer):
    for at in range(0, len(answer), 97):
        say(answer[at:at + 97])
        time.sleep(0.001)
    say("\n")


def keep_silent(_=None):
    time.sleep(AGES)


def after(first, then):
    def misdeed(answer):
        first(answer)
        then(answer)
    return misdeed


def closing(fd):
    def misdeed(_):
        os.close(fd)
        keep_silent()
    return misdeed


def says(text):
    return lambda _: say(text + b"\n")


def answered(then):
    """Misbehaves only after the answer."""
    return after(lambda answer: say(answer + "\n"), then)


MISDEEDS = {
    # no answer
    "silence": keep_silent,
    "stops itself": lambda _: die(signal.SIGSTOP),
    "half an answer, then silence": lambda answer: (say(answer[:99]), keep_silent()),
    "closes its output": closing(1),
    "closes its input": closing(0),
    "closes its words": closing(2),
    # too much
    "an endless line": lambda _: flood(b"a" * 65536, 1),
    "endless blanks": lambda _: flood(b" " * 65536, 1),
    "an endless list": lambda _: (say("["), flood(b"0," * 32768, 1)),
    "endless words in one line": lambda _: flood(b"w" * 65536, 2),
    "endless words": lambda _: flood(b"words\n" * 9999, 2),
    "endless dripping": lambda _: [(say("a"), time.sleep(0.02)) for _ in range(AGES * 50)],
    "many words": lambda answer: (say(b"words\n" * 5000, 2), say(answer + "\n")),
    "a long word": lambda answer: (say(b"w" * 5000000, 2), say(answer + "\n")),
    "odd words": lambda answer: (say(b"\x00\x1b[2J\xc2\x9b\xff\xfe\xe2\x80\xae\r\x07\n", 2), say(answer + "\n")),
    # an end
    "exits with 0": lambda _: os._exit(0),
    "exits with 3": lambda _: os._exit(3),
    "half an answer, then death": lambda answer: (say(answer[:99]), os._exit(3)),
    "a whole answer without its newline, then death": lambda answer: (say(answer), os._exit(0)),
    "a child keeps the pipes": lambda answer: with_child(answer, False),
    "a child of its own keeps the pipes": lambda answer: with_child(answer, True),
    **{f"dies by {signal.Signals(number).name}": lambda _, n=number: die(n)
       for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE, signal.SIGHUP,
                      signal.SIGINT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGALRM, signal.SIGUSR1)},
    # what is no answer
    "an empty line": says(b""),
    "words": says(b"this is not JSON"),
    "null": says(b"null"),
    "a list": says(b"[]"),
    "an object": says(b"{}"),
    "a string": says(b'"ok"'),
    "a number": says(b"1e400"),
    "nested deeply": says(b"[" * 100000 + b"]" * 100000),
    "a NUL": lambda answer: say(answer.replace(":", ":\0", 1) + "\n"),
    "NULs": says(b"\0" * 5000),
    "invalid UTF-8": lambda answer: say(answer.encode().replace(b'"name":"', b'"name":"\xff\xc0\xaf') + b"\n"),
    "a lone surrogate": lambda answer: say(answer.replace('"name":"', '"name":"\\ud800') + "\n"),
    "half an answer": lambda answer: say(answer[:99] + "\n"),
    "an answer in many lines": lambda answer: say(json.dumps(json.loads(answer), indent=1) + "\n"),
    "a key twice": lambda answer: say('{"id":"x",' + answer[1:] + "\n"),
    "an error": says(b'{"error":"no","status":"out of memory"}'),
    # an answer that is not this one
    "another's answer": lambda _: say(BOOK["cell:0"] + "\n"),
    "the answer of another kind": lambda _: say(BOOK["hello"] + "\n"),
    "the answer of round 0": lambda _: say(BOOK["cell:1"] + "\n"),
    "an unknown id": lambda answer: say(answer.replace('"id":"', '"id":"f', 1) + "\n"),
    "NaN": lambda answer: say(changed(answer, lambda _: float("nan")) + "\n"),
    "infinities": lambda answer: say(changed(answer, lambda _: float("-inf")) + "\n"),
    "huge numbers": lambda answer: say(changed(answer, lambda _: 1e308) + "\n"),
    "numbers as words": lambda answer: say(changed(answer, str) + "\n"),
    # more than was asked for
    "twice the answer": answered(lambda answer: say(answer + "\n")),
    "more after the answer": answered(lambda _: say("and another thing")),
    "the next answer, too": answered(lambda _: say(BOOK["cell:2"] + "\n")),
    "ends after the answer": answered(lambda _: os._exit(0)),
    "dies after the answer": answered(lambda _: die(signal.SIGKILL)),
    "closes its input after the answer": answered(closing(0)),
    "closes its output after the answer": answered(closing(1)),
    "another version": lambda answer: say(json.dumps(dict(json.loads(answer), hello=99)) + "\n"),
    "with blanks": lambda answer: say("  " + answer + " \t\r\n"),
    # odd, and fine
    "bit by bit": slowly,
    "at the last moment": lambda answer: (time.sleep(0.7), say(answer + "\n")),
}

BOOK = {}


def record(book, program):
    """Passes everything on between the program and a true worker, and writes it down."""
    words = sys.argv[1:]
    words[words.index("--parent") + 1] = str(os.getpid())
    worker = subprocess.Popen([program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    key = HELLO
    while True:
        line = worker.stdout.readline().decode()
        BOOK[key] = line.rstrip("\n")
        with open(book, "w", encoding="utf-8") as stream:
            json.dump(BOOK, stream)
        say(line)
        request = sys.stdin.buffer.readline()
        if not request:
            return
        key = key_of(json.loads(request))
        worker.stdin.write(request)
        worker.stdin.flush()


def is_time(plan):
    if plan["times"] is None:
        return True
    for number in range(plan["times"]):
        try:
            os.close(os.open(os.path.join(plan["count"], str(number)), os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            pass
    return False


def serve(plan):
    key = HELLO
    while True:
        answer = BOOK[key]
        if plan["misdeed"] and key == plan["at"] and is_time(plan):
            MISDEEDS[plan["misdeed"]](answer)
        else:
            say(answer + "\n")
        request = sys.stdin.buffer.readline()
        if not request:
            return
        key = key_of(json.loads(request))


def main():
    with open(os.environ["STAND_IN"], encoding="utf-8") as stream:
        plan = json.load(stream)
    if not os.path.exists(plan["book"]):
        record(plan["book"], plan["program"])
        return
    with open(plan["book"], encoding="utf-8") as stream:
        BOOK.update(json.load(stream))
    serve(plan)


if __name__ == "__main__":
    main()
