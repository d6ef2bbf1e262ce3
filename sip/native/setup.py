"""setuptools script of the pjsua2 wheel; run by scripts/build-pjsua2 in the SWIG folder of a built tree.

The SWIG wrapper is compiled beside the libraries beforehand (it takes as long as they do), so this
only links.
"""

import os
import subprocess

from setuptools import Extension, setup  # type: ignore[import-untyped]


def make(target: str) -> list[str]:
    """Ask pjproject's makefiles for a list of flags."""
    command = ["make", "--no-print-directory", "-f", "helper.mak", target]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


setup(
    name="pjsua2",
    version=os.environ["PJPROJECT_VERSION"],
    description="pjproject's pjsua2 for webtrunk: signalling only",
    license="GPL-2.0-or-later",
    py_modules=["pjsua2"],
    ext_modules=[
        Extension(
            "_pjsua2",
            ["extension.cpp"],
            extra_objects=["pjsua2_wrap.o"],
            libraries=make("libs"),
            extra_compile_args=[*make("cflags"), "-I."],
            extra_link_args=[*make("ldflags"), "-Wl,-s", "-Wl,--exclude-libs,ALL"],
            language="c++",
        )
    ],
)
