"""Hostile names: every text that someone may give as a name, to break out of it or to meet another one."""

from __future__ import annotations

import builtins
import itertools
import keyword
import math
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator

import numpy as np
import torch

STEMS = ("m", "beta1", "AdamW", "x_prev", "lambda", "exp_avg", "class")
SHELL = ["; rm -rf x", "$(id)", "`id`", "| tee x", "&& id", "> x", "< x", "*", "?", "~", "!", "#", "%PATH%", "$HOME"]
PATHS = [
    "../x",
    "..",
    ".",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "C:\\x",
    "nul:",
    "con",
    "aux",
    "~/x",
    "x/../../y",
    "file:///x",
    "x.py",
]
TEMPLATES = [
    "{{ 7 * 7 }}",
    "{% set x = 1 %}",
    "{# x #}",
    "{x}",
    "{0.__class__}",
    "%s",
    "%(x)s",
    "${x}",
    "<%= x %>",
    "{{ x.__class__ }}",
]
PYTHON = [
    "__import__('os').system('id')",
    "exec('x')",
    "eval('1')",
    "lambda: 0",
    "x := 1",
    "x = 1",
    "x\nimport os",
    "x\r\ny",
    "x;y",
    "x#y",
    '"""',
    "'''",
    '"',
    "'",
    "\\",
    'x", "y',
    "x') or ('y",
    "x: int",
    "x, y",
    "x if y else z",
    "[x for x in y]",
    "import os",
    "from os import *",
    "open('x','w')",
    "().__class__",
    "f'{x}'",
    "1e9",
    "0x1",
    "1_000",
    "x.y",
    "x[0]",
    "x()",
    "-x",
    "@x",
]
C_TEXT = [
    "#include <x>",
    "*/",
    "/*",
    "//",
    "int x",
    "x->y",
    "&x",
    "x[1]",
    "??/",
    '_Pragma("x")',
    "#define x",
    "\\x00",
    "0;}",
]
C_WORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int long
register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
_Bool _Complex _Atomic _Generic bool true false nullptr alignas alignof constexpr thread_local typeof asm
class delete new this throw try catch template typename operator namespace using virtual friend private public
protected mutable explicit export main errno stdin stdout stderr NULL EOF INFINITY NAN HUGE_VAL assert
offsetof va_list size_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t intptr_t uintptr_t
ptrdiff_t SIZE_MAX INT_MAX FLT_MAX DBL_MAX M_PI printf scanf malloc free calloc memcpy memset exit abort
signal sqrtf expf logf fabsf powf fmaf cosf sinf tanhf floorf copysignf fminf fmaxf sqrt exp log fabs pow fma
cos sin tanh floor copysign fmin fmax pthread_t pthread_create omp_get_max_threads j0 j1 jn y0 y1 yn gamma
lgamma tgamma erf erfc index rindex div remainder time clock I complex imaginary linux unix i386 BLOCK
restrict
""".split()
UNICODE = [
    "\ufb01",
    "\u210c",
    "\u212f",
    "\xb5",
    "\u03b8",
    "\u0430",
    "\uff4d",
    "m\u200b",
    "m\u202e",
    "\ufeffm",
    "m\u0301",
    "m\x00",
    "m\x1b[31m",
    "\ud800",
    "m\U0001f600",
    "\xb2",
    "m\xb2",
    "\xaa",
    "\u017f",
    "K",
    "\u2177",
    "\u0663",
    "m\u00a0",
    "m\u2028",
    "m\u0085",
    "m\x0c",
    "m\t",
    " m",
    "m ",
    "",
    " ",
    "\n",
    "\u0130",
    "\xdf",
    "\u01c5",
]
DUNDERS = [name for kind in (object, type, int, float, str, dict, list, type(sys), type(len)) for name in dir(kind)]


def texts() -> list[str]:
    """All of them, each once."""
    made = itertools.chain(
        SHELL,
        PATHS,
        TEMPLATES,
        PYTHON,
        C_TEXT,
        C_WORDS,
        UNICODE,
        DUNDERS,
        keyword.kwlist,
        keyword.softkwlist,
        dir(builtins),
        _library(),
        _spliced(),
        _long(),
        _code_points(),
        (f"{stem}{text}" for stem in STEMS for text in _payloads()),
        (f"{text}{stem}" for stem in STEMS for text in _payloads()),
    )
    return list(dict.fromkeys(made))


def _payloads() -> Iterable[str]:
    return itertools.chain(SHELL, PATHS, TEMPLATES, PYTHON, C_TEXT, UNICODE)


def _library() -> Iterator[str]:
    """What generated code may call by the same name: NumPy's, torch's and Python's names."""
    for module in (np, math, torch, torch.Tensor, torch.optim.Optimizer, np.ndarray):
        yield from dir(module)
    yield from sys.stdlib_module_names


def _spliced() -> Iterator[str]:
    """Every printable character that is no letter, before, inside and after a name."""
    for character in map(chr, range(128)):
        for stem in STEMS:
            yield from (character + stem, stem[:1] + character + stem[1:], stem + character)


def _long() -> Iterator[str]:
    for length in (63, 64, 65, 66, 127, 255, 256, 4096, 1_000_000):
        yield "x" * length
        yield "x" * (length - 1) + "\xe9"
        yield "_" * length


def _code_points() -> Iterator[str]:
    """A name of one character from all over Unicode, alone and after a letter, and what compatibility makes of it."""
    for point in itertools.chain(range(0x80, 0x3000, 7), range(0x3000, 0x110000, 997)):
        character = chr(point)
        yield from (character, "x" + character)
        yield unicodedata.normalize("NFKC", character)


def words(text: str) -> list[str]:
    """The identifiers in a text of code."""
    return re.findall(r"(?<![\w])[A-Za-z_]\w*", text)
