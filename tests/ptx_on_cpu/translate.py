"""Turns the PTX that nvcc made of kernels into C++ over the CUDA runtime on the CPU.

  translate.py OUT NAME.cu NAME.ptx ...      writes OUT/NAME.host.cpp and OUT/NAME.ptx.cpp
      --plant NAME 'TEXT' 'OTHER'            with its first TEXT turned into OTHER: a fault

NAME.ptx.cpp has a function for each kernel: an instruction is a statement, a register a
variable, a label a label; ptx.h says what instructions mean. An instruction that is not in
RULES below ends the translation with its name.

NAME.host.cpp is the kernel's own file for a host compiler, for its launches: what has no
name outside of it gets one, so that the linker puts the PTX's kernels in the place of those
that the host compiler made (kernel.h). Both compilers' names are the same but for that.
"""
import pathlib
import re
import sys

TYPES = {"pred": "bool", "f32": "float", "f64": "double", "f16": "F16", "bf16": "Bf16"}
for _bits in (8, 16, 32, 64):
    TYPES.update({f"s{_bits}": f"int{_bits}_t", f"u{_bits}": f"uint{_bits}_t",
                  f"b{_bits}": f"uint{_bits}_t"})
INTEGER, REAL, ANY = r"[sub](?:8|16|32|64)", r"f(?:32|64)", r"(?:[subf](?:16|32|64)|pred)"

# Opcode -> the result's type and what it is. T is the opcode's (first) type, S its second;
# A, B, C are the operands that are read, as T (as S where there is one).
RULES = [(re.compile(opcode), result, expression) for opcode, result, expression in [
    (rf"mov\.(?P<T>{ANY})", "T", "A"),
    (rf"add\.(?P<T>{INTEGER})|add\.rn\.(?P<T2>{REAL})", "T", "A + B"),
    (rf"sub\.(?P<T>{INTEGER})|sub\.rn\.(?P<T2>{REAL})", "T", "A - B"),
    (rf"mul\.lo\.(?P<T>{INTEGER})|mul\.rn\.(?P<T2>{REAL})", "T", "A * B"),
    (rf"mul\.hi\.(?P<T>{INTEGER})", "T", "multiply_high(A, B)"),
    (rf"mul\.wide\.(?P<T>{INTEGER})", "wide<T>", "wide<T>(A) * wide<T>(B)"),
    (rf"mad\.lo\.(?P<T>{INTEGER})", "T", "A * B + C"),
    (rf"div\.(?P<T>{INTEGER})", "T", "quotient(A, B)"),
    (rf"rem\.(?P<T>{INTEGER})", "T", "remainder_of(A, B)"),
    (rf"fma\.rn\.(?P<T>{REAL})", "T", "std::fma(A, B, C)"),
    (rf"div\.rn\.(?P<T>{REAL})", "T", "A / B"),
    (rf"rcp\.rn\.(?P<T>{REAL})", "T", "T(1) / A"),
    (rf"sqrt\.rn\.(?P<T>{REAL})", "T", "std::sqrt(A)"),
    (r"rcp\.approx\.ftz\.(?P<T>f64)", "T", "gross_reciprocal(A)"),
    (r"ex2\.approx\.ftz\.(?P<T>f32)", "T", "gross_power_of_two(A)"),
    (rf"neg\.(?P<T>{INTEGER}|{REAL})", "T", "-A"),
    (rf"abs\.(?P<T>{INTEGER})", "T", "A < 0 ? -A : A"),
    (rf"abs\.(?P<T>{REAL})", "T", "std::fabs(A)"),
    (rf"copysign\.(?P<T>{REAL})", "T", "std::copysign(B, A)"),
    (rf"min\.(?P<T>{INTEGER})", "T", "A < B ? A : B"),
    (rf"max\.(?P<T>{INTEGER})", "T", "A > B ? A : B"),
    (rf"(?P<F>min|max)\.(?P<T>{REAL})", "T", "real_F(A, B)"),
    (rf"and\.(?P<T>{ANY})", "T", "A & B"),
    (rf"or\.(?P<T>{ANY})", "T", "A | B"),
    (rf"xor\.(?P<T>{ANY})", "T", "A ^ B"),
    (r"not\.(?P<T>pred)", "T", "!A"),
    (rf"not\.(?P<T>{ANY})", "T", "~A"),
    (rf"shl\.(?P<T>{INTEGER})", "T", "shift_left(A, N)"),
    (rf"shr\.(?P<T>{INTEGER})", "T", "shift_right(A, N)"),
    (rf"bfi\.(?P<T>{INTEGER})", "T", "insert_bits(A, B, N, M)"),
    (r"brev\.(?P<T>b32)", "T", "reverse_bits(A)"),
    (rf"(?P<F>clz|popc)\.(?P<T>{INTEGER})", "uint32_t", "F(A)"),
    (r"bfind\.shiftamt\.(?P<T>u32)", "T", "shift_to_top(A)"),
    (rf"selp\.(?P<T>{ANY})", "T", "P ? A : B"),
    (rf"setp\.(?P<F>eq|ne|lt|le|gt|ge)\.(?P<T>{INTEGER})", "bool", "F(A, B)"),
    (rf"setp\.(?P<F>(?:eq|ne|lt|le|gt|ge)u?)\.(?P<T>{REAL})", "bool", "F(A, B)"),
    (rf"cvt\.(?P<T>{INTEGER})\.(?P<S>{INTEGER})", "T", "T(A)"),
    (rf"cvt\.rn\.(?P<T>{REAL})\.(?P<S>{INTEGER})", "T", "T(A)"),
    (rf"cvt\.rni\.(?P<T>{REAL})\.(?P<S>(?P=T))", "T", "std::nearbyint(A)"),
    (r"cvt\.(?P<T>f64)\.(?P<S>f32)|cvt\.rn\.(?P<T2>f32)\.(?P<S2>f64)", "T", "T(A)"),
    (r"cvt\.rn\.(?P<T>b?f16)\.(?P<S>f32)", "T", "narrow<T>(A)"),
    (r"cvt\.(?P<T>f32)\.(?P<S>b?f16)", "T", "widen(A)"),
    (rf"cvta\.to\.(?:global|param)\.(?P<T>u64)", "T", "A"),
    (r"cvta\.shared\.(?P<T>u64)", "T", "shared.generic(A)"),
    (r"mapa\.(?P<T>u64)", "T", "neighbour(A, N)"),
]]
ORDER = r"(?:\.(?:relaxed|acquire|release|acq_rel)\.\w+)?"
ATOMIC = re.compile(rf"(?P<V>atom|red){ORDER}(?:\.(?P<space>global|shared))?\.(?P<F>add|min|max|inc|"
                    rf"and|or|xor|exch){ORDER}\.(?P<T>{ANY})")
ACCESS = re.compile(rf"(?P<V>ld|st)(?:{ORDER}|\.volatile|\.weak)"
                    r"(?:\.(?P<space>global|shared|param))?(?:\.nc|\.c[agsv])?(?:\.v(?P<N>[24]))?"
                    r"\.(?P<T>[subf](?:8|16|32|64))")
SHUFFLE = re.compile(r"shfl\.sync\.(?P<F>up|down|bfly|idx)\.b32")
FENCE = re.compile(r"membar\.(?:gl|cta)|fence\.(?:sc|acq_rel)\.\w+")
ORDERED = re.compile(r"\.(?:acquire|release|acq_rel)\.")  # accesses that order others
BUILT_IN = re.compile(r"%(n?)(tid|ctaid)\.([xyz])")
IGNORED = re.compile(r"\.(pragma|maxntid|minnctapersm|loc|file)\b")


class Untranslatable(Exception):
    pass


def host_name(name):
    """nvcc's name, with that of the file in the place of its nameless namespace."""
    def named(match):
        unit = re.match(r"_GLOBAL__N__\w{8}_\d+_(\w+)_cu_", name[match.end(1):])[1]
        return f"{len(unit) + 5}{unit}_unit" + name[match.end(1) + int(match[1]):]
    return re.sub(r"(\d+)_GLOBAL__N__.*", named, name)


def number(text):
    """A constant of PTX in C++, or None."""
    if re.fullmatch(r"0[fF][0-9a-fA-F]{8}", text):
        return f"float_of(0x{text[2:]}u)"
    if re.fullmatch(r"0[dD][0-9a-fA-F]{16}", text):
        return f"double_of(0x{text[2:]}ull)"
    if re.fullmatch(r"-?(\d+|0x[0-9a-fA-F]+)U?", text):
        return f"int64_t({text.rstrip('U')}ll)" if text != str(-2**63) else "INT64_MIN"
    return None


class Kernel:
    """One entry: its statements as C++, with a count of instructions for each run of them."""

    def __init__(self, name, parameters, shared):
        self.name, self.shared = name, dict(shared)  # {symbol: (bytes, alignment)}
        self.parameters, self.used = [], {}  # used: symbol -> offset in shared memory
        offset = 0
        for align, kind, symbol, count in parameters:
            size = int(kind[1:]) // 8
            align = max(int(align or 1), size)
            offset = -(-offset // align) * align
            self.parameters.append((symbol, offset))
            offset += size * int(count or 1)
        self.lines, self.run = [], []
        self.registers, self.variables = {}, []  # registers: name -> variable
        self.instructions = self.fences = self.loads = 0
        self.wide_load = False  # does the run begin with one?

    # ---- operands

    def operand(self, text):
        """A register, constant or address as a C++ expression."""
        text = text.strip()
        if (value := number(text)) is not None:
            return value
        if built_in := BUILT_IN.fullmatch(text):
            count, what, axis = built_in.groups()
            return {"tid": "blockDim" if count else "threadIdx",
                    "ctaid": "gridDim" if count else "blockIdx"}[what] + "." + axis
        if text in self.registers:
            return self.registers[text]
        if self.shared.get(text, (1, 0))[0] == 0:
            return "Shared::dynamic_start"
        for index, (symbol, _) in enumerate(self.parameters):
            if text == symbol:
                return f"parameter_{index}"
        if text in self.shared:
            if text not in self.used:
                taken = max((at + self.shared[other][0] for other, at in self.used.items()),
                            default=0)
                align = self.shared[text][1]
                self.used[text] = -(-taken // align) * align
            return f"(Shared::start + {self.used[text]})"
        raise Untranslatable(f"operand {text}")

    def address(self, text):
        base, plus, offset = text.strip()[1:-1].partition("+")
        return self.operand(base) + (f" + int64_t({offset})" if plus else "")

    # ---- statements

    def end_run(self):
        """Counts what was executed since the last label, branch or wide load, a run's first."""
        if self.wide_load:
            self.lines.append("  count.wide_load();")
        if self.instructions:
            self.lines.append(f"  count.step({self.instructions}, {self.fences}, {self.loads});")
        self.lines += self.run
        self.run, self.instructions, self.fences, self.loads = [], 0, 0, 0
        self.wide_load = False

    def label(self, name):
        self.end_run()
        self.lines.append(f"{name.replace('$', '')}:;")

    def scope(self, brace):
        self.run.append(brace)

    def declaration(self, text):
        """.reg .b32 %r<9>; or .shared .align 16 .b8 name[64];"""
        if match := re.fullmatch(r"\.reg \.(\w+)\s+%(\w+)<(\d+)>", text):
            names = [f"{match[2]}{i}" for i in range(1, int(match[3]))]
            self.registers.update((f"%{name}", name) for name in names)
            self.variables.append(f"{TYPES[match[1]]} {', '.join(names)};" if names else "")
        elif match := re.fullmatch(r"\.reg \.(\w+) %(\w+)", text):  # of a scope
            self.registers[f"%{match[2]}"] = f"{match[2]}_"
            self.run.append(f"  {TYPES[match[1]]} {match[2]}_;")
        elif match := SHARED.fullmatch(text):
            self.shared.update([shared_of(match)])
        elif not IGNORED.match(text):
            raise Untranslatable(f"declaration {text}")

    def statement(self, text, line):
        if text.startswith("."):
            self.declaration(re.sub(r"\s+", " ", text))
            return
        guard = re.match(r"@(!?)%(p\d+)\s+", text)
        if guard:
            text = text[guard.end():]
        opcode, _, rest = text.partition(" ") if " " in text else text.partition("\t")
        operands = [o.strip() for o in re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s][^,]*", rest)]
        cpp = self.instruction(opcode.strip(), operands, line)
        if guard:
            cpp = f"if ({guard[1]}{guard[2]}) {{ {cpp} }}"
        access = ACCESS.fullmatch(opcode)
        if access and access["V"] == "ld" and access["space"] == "global":
            if int(access["T"][1:]) * int(access["N"] or 1) >= 128:
                self.end_run()
                self.wide_load = True
            self.loads += 1
        self.instructions += 1
        self.fences += bool(FENCE.fullmatch(opcode) or ORDERED.search(opcode))
        self.run.append("  " + cpp)
        if opcode.startswith(("bra", "ret")):
            self.end_run()

    def instruction(self, opcode, operands, line):
        if opcode in ("bra", "bra.uni"):
            return f"goto {operands[0].replace('$', '')};"
        if opcode == "ret":
            return "return;"
        if opcode == "trap":
            return 'gs_sim::die("trap");'
        if opcode == "bar.sync" and operands == ["0"]:
            return f"gs_sim::block_barrier({{unit, {line}}});"
        if opcode == "bar.warp.sync":
            return f"gs_sim::warp_barrier(as<uint32_t>({self.operand(operands[0])}), {{unit, {line}}});"
        if opcode == "barrier.cluster.arrive.release.aligned":
            return ""  # the runtime has one meeting, at the wait
        if opcode == "barrier.cluster.wait.acquire.aligned":
            return f"gs_sim::cluster_barrier({{unit, {line}}});"
        if opcode == "nanosleep.u32":
            return "gs_sim::spin_pause();"
        if FENCE.fullmatch(opcode):
            return "gs_sim::fence();"
        if match := SHUFFLE.fullmatch(opcode):
            return self.shuffle(match, operands, line)
        if match := ACCESS.fullmatch(opcode):
            return self.access(match, operands)
        if match := ATOMIC.fullmatch(opcode):
            return self.atomic(match, operands)
        if opcode in ("mov.b64", "mov.b32") and any(o.startswith("{") for o in operands):
            return self.packed(operands)
        for rule, result, expression in RULES:
            if match := rule.fullmatch(opcode):
                return self.arithmetic(match, result, expression, operands)
        raise Untranslatable(f"opcode {opcode}")

    def arithmetic(self, match, result, expression, operands):
        groups = {key.rstrip("2"): value for key, value in match.groupdict().items() if value}
        kind = TYPES[groups["T"]]
        source = TYPES[groups.get("S", groups["T"])]
        target, *reads = [self.operand(o) for o in operands]
        names = {"T": kind, "F": groups.get("F", "F")}
        for letter, read in zip("ABC", reads):
            names[letter] = f"as<{source}>({read})"
        names["P"] = reads[-1]  # selp's predicate
        counts = reads[2:] if "M" in expression else reads[1:]  # bit positions, lanes, blocks
        for letter, read in zip("NM", counts):
            names[letter] = f"as<uint32_t>({read})"
        def filled(text):
            return re.sub(r"\b[TFABCPNM]\b|(?<=real_)F", lambda m: names[m[0]], text)
        return f"put({target}, {filled(result)}({filled(expression)}));"

    def packed(self, operands):
        """mov of two halves into one register, or back."""
        target, source = operands
        if target.startswith("{"):
            low, high = [self.operand(o) for o in target[1:-1].split(",")]
            return f"split({self.operand(source)}, {low}, {high});"
        low, high = [self.operand(o) for o in source[1:-1].split(",")]
        return f"join({self.operand(target)}, {low}, {high});"

    def place(self, match, count, address):
        """Where an access lies, as a pointer to so many of its type."""
        where = "shared.place" if match["space"] == "shared" else "place"
        return f"{where}<{TYPES[match['T']]}, {count}>({self.address(address)})"

    def access(self, match, operands):
        load, kind = match["V"] == "ld", TYPES[match["T"]]
        registers, memory = operands if load else operands[::-1]
        names = [self.operand(r) for r in registers.strip("{}").split(",")]
        moves = [f"put({name}, at[{i}]);" if load else f"at[{i}] = as<{kind}>({name});"
                 for i, name in enumerate(names)]
        return f"{{ {kind} *at = {self.place(match, match['N'] or 1, memory)}; {' '.join(moves)} }}"

    def atomic(self, match, operands):
        target = self.operand(operands.pop(0)) if match["V"] == "atom" else None
        memory, value = operands
        value = f"as<{TYPES[match['T']]}>({self.operand(value)})"
        update = f"atomic_{match['F']}({self.place(match, 1, memory)}, {value})"
        return f"put({target}, {update});" if target else f"{update};"

    def shuffle(self, match, operands, line):
        target, _, found = operands[0].partition("|")
        value, lane, clamp, mask = [f"as<uint32_t>({self.operand(o)})" for o in operands[1:]]
        found = self.operand(found) if found else "unused"
        return (f"put({self.operand(target)}, shuffle(Shuffle::{match['F']}, {value}, {lane}, {clamp}, "
                f"{mask}, {found}, {{unit, {line}}}));")

    def text(self):
        self.end_run()
        size = max((at + self.shared[symbol][0] for symbol, at in self.used.items()), default=0)
        name = host_name(self.name)
        parameters = [f"  const uint64_t parameter_{index} = reinterpret_cast<uint64_t>(parameters) + "
                      f"{offset};" for index, (_, offset) in enumerate(self.parameters)]
        return "\n".join([
            f'static Count count_{name};', f'extern "C" void {name}(const unsigned char *parameters) {{',
            f"  static const char statics = 0;\n  const Shared shared(&statics, {size});",
            f"  CountOfThread count(count_{name});", "  bool unused = false;", *parameters,
            *("  " + variable for variable in self.variables), *self.lines, "}",
            f'static const Registered registered_{name}('
            f'"{name}", reinterpret_cast<const void *>({name}), count_{name});', ""])


SHARED = re.compile(r"(?:\.extern )?\.shared \.align (\d+) \.[bu](\d+) ([\w$]+)(?:\[(\d*)\])?")
ENTRY = re.compile(r"(?:\.visible |\.weak )*\.entry ([\w$]+)\(")
PARAMETER = re.compile(r"\.param (?:\.align (\d+) )?\.(\w+) ([\w$]+)(?:\[(\d+)\])?")
TOKEN = re.compile(r"\s*(?:(?P<brace>[{}])|(?P<label>[$\w]+):|(?P<text>[^;]*);)")
HEADER = re.compile(r"\.(version|target|address_size) .*")


def shared_of(match):
    count = 1 if match[4] is None else int(match[4] or 0)  # name[]: dynamic
    return match[3], (int(match[2]) // 8 * count, int(match[1]))


def translate(ptx, unit):
    """All kernels of one file."""
    ptx = re.sub(r"//[^\n]*", "", ptx)
    shared, texts, at = {}, [], 0
    starts = list(ENTRY.finditer(ptx))
    for module in HEADER.sub("", ptx[:starts[0].start()] if starts else ptx).split(";"):
        if module.strip():
            match = SHARED.fullmatch(re.sub(r"\s+", " ", module.strip()))
            if not match:
                raise Untranslatable(f"declaration {module.strip()}")
            shared.update([shared_of(match)])
    for start in starts:
        at = ptx.index("{", start.end())
        kernel = Kernel(start[1], PARAMETER.findall(re.sub(r"\s+", " ", ptx[start.end():at])), shared)
        line, depth, at = ptx.count("\n", 0, at), 1, at + 1
        while depth > 0:
            token = TOKEN.match(ptx, at)
            line += ptx.count("\n", at, token.end())
            at = token.end()
            if token["label"]:
                kernel.label(token["label"])
            elif token["text"] is not None:
                if token["text"].strip():
                    kernel.statement(token["text"].strip(), line)
            else:
                depth += 1 if token["brace"] == "{" else -1
                if depth > 0:
                    kernel.scope(token["brace"])
        texts.append(kernel.text())
    return f'#include "ptx.h"\nstatic const char unit[] = "{unit}.ptx";\n' + "\n".join(texts)


def host_source(text, unit, path):
    """The file for the host compiler, with a name for what has none."""
    return f'#line 1 "{path}"\n' + re.sub(r"^namespace \{", f"inline namespace {unit}_unit {{", text,
                                          flags=re.M)


def main(out, *arguments):
    planted = {}
    arguments = list(arguments)
    if "--plant" in arguments:
        at = arguments.index("--plant")
        planted = {arguments[at + 1]: arguments[at + 2:at + 4]}
        del arguments[at:at + 4]
    for path in map(pathlib.Path, arguments):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".cu":
            name, made = "host.cpp", host_source(text, path.stem, path)
        else:
            unit = path.name.split(".")[0]
            if unit in planted:
                before, after = planted[unit]
                if before not in text:
                    sys.exit(f"{path}: no {before} to plant a fault in")
                text = text.replace(before, after, 1)
            try:
                name, made = "ptx.cpp", translate(text, unit)
            except Untranslatable as problem:
                sys.exit(f"{path}: cannot translate {problem}")
        target = pathlib.Path(out) / f"{path.name.split('.')[0]}.{name}"
        if not target.exists() or target.read_text(encoding="utf-8") != made:
            target.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
