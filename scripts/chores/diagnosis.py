"""What the last lines of a failed command mean, in words, and what to do about it."""

import re
from typing import Final

_SYMPTOMS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"No space left on device|Disk quota exceeded",
        "The disk is full: set-up needs about 2 GB here and 200 MB in the cache folder (XDG_CACHE_HOME or ~/.cache).",
    ),
    (
        r"Temporary failure (in name resolution|resolving)|Could not resolve|Name or service not known"
        r"|Network is unreachable|getaddrinfo|EAI_AGAIN|Failed to establish a new connection",
        "The network (or DNS) does not answer: the first set-up downloads from Debian's mirror, the Python package"
        " index, the Rust crate index and, for checks, the npm registry. Behind a proxy, set https_proxy, apt's"
        " Acquire::http::Proxy and npm's proxy. Then run the same command again: what is done stays done.",
    ),
    (
        r"[Cc]onnection (timed out|refused|reset)|Read timed out|ETIMEDOUT|ECONNRE|spurious network error",
        "A download broke off. Run the same command again: what is done stays done.",
    ),
    (
        r"THESE PACKAGES DO NOT MATCH THE HASHES",
        "A download differs from the lock file: a broken mirror, or someone between you and the index."
        " Do not install it; try again from another network.",
    ),
    (
        r"Could not get lock /var/lib|dpkg frontend lock",
        "Another program is using apt. Wait for it to finish (unattended upgrades take some minutes), then run again.",
    ),
    (r"dpkg was interrupted", "An earlier package installation broke off. Run: sudo dpkg --configure -a"),
    (
        r"sudo: (a password is required|.*no tty)",
        "sudo wants a password and cannot ask for it here. Run the command in a terminal, or as root.",
    ),
    (
        r"is not in the sudoers file|may not run sudo",
        "You may not use sudo here. Ask an administrator to run the apt-get line.",
    ),
    (
        r"Unable to locate package|has no installation candidate",
        "This Debian does not carry a package that we need; webtrunk is built on Debian 12 (bookworm) and newer.",
    ),
    (
        r"Python\.h: No such file",
        "The C headers of Python are missing. On Debian: apt-get install python3-dev",
    ),
    (
        r"ensurepip is not available|No module named (ensurepip|venv)",
        "Python's venv module is missing. On Debian: apt-get install python3-venv",
    ),
    (
        r"requires rustc \d|rustc \S+ is not supported|feature `edition20\d\d` is required",
        "The Rust toolchain is too old. Run: rustup update stable",
    ),
    (r"linker `?cc`? not found", "There is no C compiler. On Debian: apt-get install build-essential"),
    (
        r"opus\.pc|pkg-config .*opus|library opus",
        "libopus is missing. On Debian: apt-get install libopus-dev pkg-config",
    ),
    (
        r"Cannot allocate memory|signal: 9|Killed signal|Killed$",
        "The machine ran out of memory while compiling (2 GB are enough). Close something, or add swap, and run again.",
    ),
)


def explain(output: str) -> str:
    """Say what went wrong, as a sentence with a leading newline; empty when the output is not known to us."""
    for pattern, sentence in _SYMPTOMS:
        if re.search(pattern, output, re.MULTILINE):
            return f"\n{sentence}"
    return ""
