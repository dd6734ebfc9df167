"""The sizes we hold ourselves to: a file is one idea, a function a paragraph, six parameters are a value."""

from __future__ import annotations

import ast

from tests.architecture.sources import files_of_tests, shown, sources, tree

FILE, TEST_FILE, FUNCTION, PARAMETERS = 300, 400, 50, 6


def functions(path):
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def lines(path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def parameters(function) -> int:
    arguments = function.args
    named = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in named if name not in ("self", "cls")])


def test_there_is_something_to_measure():
    assert len(sources()) > 50
    assert len(files_of_tests()) > 20


def test_no_source_file_is_too_long():
    assert {shown(path): lines(path) for path in sources() if lines(path) > FILE} == {}


def test_no_test_file_is_too_long():
    assert {shown(path): lines(path) for path in files_of_tests() if lines(path) > TEST_FILE} == {}


def test_no_function_is_too_long():
    long = {
        f"{shown(path)}:{function.name}": function.end_lineno - function.lineno + 1
        for path in sources()
        for function in functions(path)
        if function.end_lineno - function.lineno + 1 > FUNCTION
    }

    assert long == {}


def test_no_function_has_too_many_parameters():
    many = {
        f"{shown(path)}:{function.name}": parameters(function)
        for path in sources()
        for function in functions(path)
        if parameters(function) > PARAMETERS
    }

    assert many == {}
