"""Faults that the tests of nvcc's PTX must find, so that these are known to be able to.

  planted.py TEST       TEST, a kernel's test program over a PTX with a fault, must fail
                        by its own checks (not by a crash); and translate.py must refuse what
                        it does not know, by name
"""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import translate  # noqa: E402

ENTRY = """\
.version 9.0
.target sm_90
.entry _ZN2gs1kEv(
    .param .u64 _ZN2gs1kEv_param_0
)
{
    .reg .b32 %r<3>;
    .reg .b64 %rd<2>;
    ld.param.u64 %rd1, [_ZN2gs1kEv_param_0];
    INSTRUCTION;
    ret;
}
"""
REFUSED = {
    "frob.f32 %r1, %r2": "opcode frob.f32",
    "add.f32 %r1, %r2, %r2": "opcode add.f32",  # no rounding: may be contracted
    "fma.rn.ftz.f32 %r1, %r2, %r2, %r2": "opcode fma.rn.ftz.f32",
    "ld.local.u32 %r1, [%rd1]": "opcode ld.local.u32",
    "bar.sync 1": "opcode bar.sync",
    "mov.u32 %r1, %clock": "operand %clock",
    "mov.u32 %r1, nowhere": "operand nowhere",
    ".local .align 4 .b8 depot[16]": "declaration .local",
}


def main(test):
    right = translate.translate(ENTRY.replace("INSTRUCTION", "add.s32 %r1, %r2, 1"), "k")
    assert "put(r1, int32_t(as<int32_t>(r2) + as<int32_t>(int64_t(1ll))));" in right, right
    for instruction, words in REFUSED.items():
        try:
            translate.translate(ENTRY.replace("INSTRUCTION", instruction), "k")
        except translate.Untranslatable as refusal:
            assert str(refusal).startswith(words), refusal
        else:
            sys.exit(f"{instruction} was translated")
    done = subprocess.run([test], text=True, capture_output=True, check=False)
    print(done.stdout[-400:] + done.stderr[-400:])
    if done.returncode <= 0 or "FAILED" not in done.stdout + done.stderr:
        sys.exit("the planted fault was not found")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
