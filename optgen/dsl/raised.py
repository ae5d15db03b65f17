"""Raised: what a rule file raised while it ran, where, and how to mend it."""

from __future__ import annotations

import difflib
import inspect
import re
import traceback
from collections.abc import Mapping

from optgen.dsl import functions
from optgen.dsl.rule import Eq, Rule, Schedule
from optgen.dsl.symbols import BUILT_IN, flag, hyper, tensors
from optgen.errors import MOST_QUOTED, Loc, RuleError

# A sign in what Python says -> how to mend it. The first that fits counts.
HINTS: Mapping[str, str] = {
    "truth value": "write & | ~ for `and`, `or`, `not`, Max and Min for max and min; a branch is a Piecewise",
    "SystemExit": "a rule file only defines `rule`; it must not stop the program",
    "RecursionError": "end the recursion, or name the parts of a deep expression in equations of their own",
    "NameError": "import it from optgen, or declare it with tensors(...), hyper(...) or flag(...)",
    "cannot import name": "correct the name or leave it out",
    "operand type(s) for @": "a matrix product is matmul(a, b)",
    "operand type(s) for ^": "a power is written with **",
    "'Declaration'": "declare it with hyper(...), which returns a symbol",
    "unsupported operand": "a condition is no number, and a text neither; Piecewise((1, t > 3), (0, True)) is one",
    "no attribute 'T'": "inside a matrix product write transpose: matmul(x, transpose(x))",
    "'Recurrence' object has no attribute": "a quantity is read as m[t] or m[t - 1], and has no parts",
    "Cannot convert expression to float": "use sqrt, exp, log, ... of optgen: Python's take numbers only",
    "has no callable": "use sqrt, exp, log, ... of optgen: NumPy's take numbers only",
    "must be Tensor": "use sqrt, exp, log, ... of optgen: torch's take tensors only",
    "'Recurrence' object is not callable": "an index stands in square brackets: m[t - 1]",
    "'Hyper' object is not subscriptable": "a hyperparameter has no index: remove it",
    "non-iterable Hyper": 'several symbols need a tuple of defaults, such as hyper("betas", (0.9, 0.999))',
    "multiply sequence": 'a tuple default gives several symbols: beta1, beta2 = hyper("betas", (0.9, 0.999))',
    "values to unpack": "give as many variables as names",
    "does not support item assignment": "write Eq(m[t], ...) into the equations of the rule",
    "cannot contain assignment": "write Eq(left, right), with a comma between the two sides",
    "Max takes exactly 2": "nest them: Max(a, Max(b, c))",
    "Min takes exactly 2": "nest them: Min(a, Min(b, c))",
    "matmul takes exactly 2": "nest them: matmul(a, matmul(b, c))",
    "takes exactly 2": "name last what it is taken over: norm(x, elems), or rows, cols, model",
    "is not iterable": "a sum over elements is total(x, elems), where elems may be rows, cols or model",
    "has no len()": "the number of elements is numel of optgen",
    "null bytes": "save the file as text",
    "SyntaxError": "mend the Python of this line, or of the one above",
    "IndentationError": "mend the blanks that the line starts with",
}
CALLS = {made.__name__: made for made in (Eq, Rule, Schedule, flag, hyper, tensors)}
LANGUAGE = frozenset([*functions.__all__, *CALLS, *(symbol.name for symbol in BUILT_IN)])
FORMS: Mapping[str, str] = {
    "Eq": "Eq(m[t], ...)",
    "Rule": "Rule(param=theta, grad=g, equations=[...])",
    "Schedule": "Schedule(value=...)",
    "flag": 'flag("amsgrad", False)',
    "hyper": 'hyper("lr", 1e-3, at_least=0)',
    "tensors": 'tensors("theta g m")',
}


def raised(error: BaseException, shown: str) -> RuleError:
    """The error for a rule file, called `shown`, that raised another; it quotes the file's line that did."""
    line = error.lineno or 1 if isinstance(error, SyntaxError) else 1
    for frame in traceback.extract_tb(error.__traceback__):
        line = frame.lineno or line if frame.filename == shown else line
    loc = Loc(shown, line, line)
    *_, text = traceback.format_exception_only(type(error), error)  # a str() that fails itself is told as such
    _, relational, relation = text.strip().partition("truth value of Relational: ")
    if relational:
        return RuleError(f"Python cannot decide whether {relation} holds", loc, HINTS["truth value"])
    words = text.removeprefix(f"{type(error).__module__}.").split()
    if isinstance(error, RecursionError) and "exceeded" in words:
        del words[words.index("exceeded") + 1 :]  # where Python was at that moment
    if isinstance(error, ImportError) and words[-1].startswith("("):
        words.pop()  # where optgen is installed
    if isinstance(error, NameError):
        return RuleError(f"the name {error.name} is not defined", loc, _declare(error))
    message = f"the rule file raises {' '.join(words)}"
    if isinstance(error, TypeError) and (word := re.search(r"unexpected keyword argument '(\w+)'", text)):
        call = Loc(shown, line, line + MOST_QUOTED)
        return RuleError(message, loc if call.of(word[1]) == call else call.of(word[1]), _hint(text))
    return RuleError(message, loc, _hint(text))


def _declare(error: NameError) -> str:
    """Where a name may come from: optgen, another name of the file, a declaration."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    name, known = str(error.name), {word.lower(): word for word in frame.f_globals if not word.startswith("_")}
    if name in LANGUAGE:
        return f"from optgen import {name}"
    near = difflib.get_close_matches(name.lower(), known, 1, 0.75)
    return (f"did you mean {known[near[0]]}? Else " if near else "") + HINTS["NameError"]


def _hint(text: str) -> str:
    call = re.search(r"(\w+)(?:\.__init__)?\(\) (?:got an unexpected keyword argument '(\w+)'|missing|takes)", text)
    if call and call[1] in CALLS:
        known = [name for name in inspect.signature(CALLS[call[1]]).parameters if name != "loc"]
        near = difflib.get_close_matches(call[2] or "", known, 1)
        if call[2]:
            return f"did you mean {near[0]}?" if near else f"{call[1]} takes {', '.join(known)}"
        return f"write {FORMS[call[1]]}"
    default = "optgen runs the file as Python, which stops here; mend this line"
    return next((hint for sign, hint in HINTS.items() if sign in text), default)
