"""Is there a GPU, and what is it?"""
import glob
import os
import re
import shutil
import subprocess

# No line that says which of all GPUs it was.
PRIVATE = re.compile(r"serial|uuid|pdi|part number", re.IGNORECASE)


def output_of(command):
    """What it says, or "" where it cannot run."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              check=False, text=True, errors="replace").stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def absence():
    """Why there can be no GPU here, before anything is built; "" where there may be one."""
    if shutil.which("nvidia-smi"):
        listed = re.search(r"^GPU ", output_of(["nvidia-smi", "-L"]), re.MULTILINE)
        return "" if listed else "nvidia-smi lists none"
    search = os.pathsep.join([os.environ.get("PATH", ""), "/sbin", "/usr/sbin"])
    libraries = output_of([shutil.which("ldconfig", path=search) or "ldconfig", "-p"])
    if "libcuda.so.1 " in libraries or glob.glob("/dev/nvidia*") or os.path.exists("/dev/dxg"):
        return ""
    return "neither nvidia-smi nor a CUDA driver is there"


def facts(info, nvcc):
    """What was measured on, in lines."""
    parts = [info]
    if shutil.which("nvidia-smi"):
        parts.append(output_of(["nvidia-smi", "-q", "-d", "MEMORY,CLOCK,POWER,PERFORMANCE,ECC,TEMPERATURE"]))
        parts.append(output_of(["nvidia-smi", "--format=csv", "--query-gpu=name,compute_cap,driver_version,"
                                "vbios_version,pcie.link.gen.current"]))
    parts += [output_of([nvcc, "--version"]) if nvcc else "", output_of(["cmake", "--version"]),
              output_of(["python3", "-c", "import torch; print('PyTorch', torch.__version__, torch.version.cuda)"]),
              output_of(["uname", "-srm"])]
    lines = "\n".join(parts).splitlines()
    return "\n".join(line for line in lines if line.strip() and not PRIVATE.search(line)) + "\n"
