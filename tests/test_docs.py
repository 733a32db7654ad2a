"""The pages: their links lead somewhere, and their commands are such as the tools take.

Commands are parsed by the tools' own parsers; tests/test_pages_run.py runs those that can be.
"""

import argparse
import ast
import importlib.util
import pathlib
import re
import shlex
import sys

import pytest
from documented_commands import commands

from avatx.commands import BY_NAME, Command

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("docs/**/*.md"), *ROOT.glob("configs/**/*.md"), *ROOT.glob("*.md")],
    key=lambda path: path.as_posix(),
)
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
LINK = re.compile(r"\]\(([^)\s]+)\)")
IN_QUOTES = re.compile(r"`[^`\n]*`")


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and MkDocs make it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"[^\w\s-]", "", text.strip().lower())
    return re.sub(r"[-\s]+", "-", text).strip("-")


def without_blocks(text: str) -> str:
    """Without fenced and indented code, which has brackets of its own."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


def anchors(path: pathlib.Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_blocks(path.read_text()), re.MULTILINE)
    return {slug(heading) for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_every_link_inside_leads_somewhere(name):
    path = ROOT / name
    wrong = []
    for target in LINK.findall(IN_QUOTES.sub("", without_blocks(path.read_text()))):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if not there.exists():
            wrong.append(f"{target}: no such file")
        elif anchor and there.suffix == ".md" and anchor not in anchors(there):
            wrong.append(f"{target}: no such heading")
        # The site has docs/ alone.
        elif "docs" in path.parts and "docs" not in there.parts:
            wrong.append(f"{target}: is not on the site; name it in `backquotes`")
    assert not wrong


def words(command: str) -> list[str]:
    """The command's words; those after a remark, a pipe or a redirection are left out."""
    splitter = shlex.shlex(command, posix=True, punctuation_chars="|;&<>")
    splitter.whitespace_split = True
    found = []
    for word in splitter:
        if set(word) <= set("|;&<>"):
            break
        found.append(word)
    return found


class Parsed(Exception):
    pass


def parser_of(script: pathlib.Path, monkeypatch) -> argparse.ArgumentParser:
    """The parser that a tool makes."""
    spec = importlib.util.spec_from_file_location(f"documented_{script.stem}", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def parse(self, *arguments, **keywords):
        raise Parsed(self)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [script.name])
        patch.setattr(argparse.ArgumentParser, "parse_args", parse)
        patch.setattr(argparse.ArgumentParser, "parse_known_args", parse)
        with pytest.raises(Parsed) as raised:
            (getattr(module, "parse_arguments", None) or module.main)([])
    return raised.value.args[0]


BEAM = {"create_ava_tfrecord.py", "create_kinetics_tfrecord.py", "detect_video.py"}


def tool_commands():
    for page in PAGES:
        for command in commands(page.read_text()):
            for script in re.findall(
                r"(?:^|\s)((?:tools|docs/examples|benchmarks)/\w+\.py)", command
            ):
                yield page.relative_to(ROOT).as_posix(), script, command
            called = re.match(r"(?:\$ )?(?:python -m )?avatx (.*)", command)
            if called and (found := sub_command(called[1])):
                script = f"tools/{found.tool}.py"
                rest = called[1].removeprefix(found.name)
                yield page.relative_to(ROOT).as_posix(), script, script + rest


def sub_command(arguments: str) -> Command | None:
    """Which sub-command of `avatx` a command line calls."""
    first = arguments.split()[:2]
    return BY_NAME.get(" ".join(first)) or BY_NAME.get(first[0])


SCRIPTS = sorted({script for _, script, _ in tool_commands()})


def test_commands_are_found():
    """So that the tests below test something."""
    assert len([*tool_commands()]) > 50
    assert {"tools/model_main.py", "docs/examples/serving_client.py"} <= {*SCRIPTS}
    assert words("a --b 'c d' | e --f") == ["a", "--b", "c d"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_commands_name_tools_and_flags_that_exist(script, monkeypatch):
    path = ROOT / script
    assert path.is_file()
    # Not its older names: what a page says must not be answered with "is called ... now".
    flags = {*parser_of(path, monkeypatch)._option_string_actions}
    if path.name in BEAM:
        from apache_beam.options.pipeline_options import PipelineOptions

        parser = argparse.ArgumentParser(allow_abbrev=False)
        for options in PipelineOptions.__subclasses__():
            options._add_argparse_args(parser)
        flags |= {*parser._option_string_actions}
    wrong = []
    for page, named, command in tool_commands():
        if named != script:
            continue
        rest = command[command.index(script) :]
        for word in words(rest)[1:]:
            flag = word.partition("=")[0]
            if flag.startswith("--") and flag not in flags:
                wrong.append(f"{page}: {flag} in: {command[:100]}")
    assert not wrong


def test_no_page_names_a_flag_as_it_was_called(monkeypatch):
    parsers = [parser_of(path, monkeypatch) for path in sorted(ROOT.glob("tools/[a-z]*.py"))]
    now = {flag for parser in parsers for flag in parser._option_string_actions}
    older = {flag for parser in parsers for flag in getattr(parser, "older", ())} - now
    assert {"--groundtruth", "--person_detector"} <= older
    # One says what was, the other what the Object Detection API's users may type.
    pages = [path for path in PAGES if path.name not in ("CHANGELOG.md", "detection-api.md")]
    wrong = [
        f"{path.name}: {flag}"
        for path in [*pages, *ROOT.glob("docs/*.ipynb")]
        for flag in re.findall(r"(?<![\w-])--\w+", path.read_text())
        if flag in older
    ]
    assert not wrong


def test_pages_call_sub_commands_that_exist():
    wrong = [
        f"{page.name}: {command}"
        for page in PAGES
        for command in commands(page.read_text())
        if (called := re.match(r"(?:\$ )?(?:python -m )?avatx ([a-z].*)", command))
        and sub_command(called[1]) is None
    ]
    assert not wrong


def test_what_needs_a_data_set_that_is_not_here_says_so():
    """In the paragraph before the commands, or in the one before that."""
    files = re.compile(
        r"\bAVA/|(?<!/)kinetics/(train|val)|\bava_(train|val)|configs/ava/|runs/ava/"
    )
    wrong, marked = [], 0
    for page in PAGES:
        paragraphs = page.read_text().split("\n\n")
        for i, paragraph in enumerate(paragraphs):
            block = "".join(re.findall(r"^    .*\n?", paragraph, re.MULTILINE))
            if not (files.search(block) and re.search(r"\.py\b|^    avatx ", block, re.MULTILINE)):
                continue
            marked += 1
            if not re.search(r"[Nn]eeds (AVA|Kinetics)", " ".join(paragraphs[max(i - 2, 0) : i])):
                wrong.append(f"{page.name}: {block[:100]}")
    assert not wrong and marked >= 6


def test_configs_and_make_targets_that_pages_name_exist():
    targets = {*re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    wrong = []
    for page in PAGES:
        text = page.read_text()
        for config in re.findall(r"(?<![\w/{])configs/[\w/]+\.config", text):
            if not (ROOT / config).is_file():
                wrong.append(f"{page.name}: {config}")
        for command in commands(text):
            match = re.match(r"make(?: [A-Z_]+=\S+)* ([a-z][\w-]*)", command)
            if match and match[1] not in targets:
                wrong.append(f"{page.name}: make {match[1]}")
    assert not wrong


def test_the_site_has_every_page():
    """And `docs` in setup.py is what `make docs` installs."""
    site = (ROOT / "mkdocs.yml").read_text()
    named = {*re.findall(r"\b([\w-]+\.(?:md|ipynb))\b", site[site.index("nav:") :])}
    there = {path.name for path in [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/*.ipynb")]}
    assert named == there
    required = re.findall(r"^[^#\s]\S*", (ROOT / "requirements/docs.txt").read_text(), re.MULTILINE)
    extra = re.search(r'"docs": \[(.*?)\]', (ROOT / "setup.py").read_text().replace("[python]", ""))
    assert [r.replace("[python]", "") for r in required] == re.findall(r'"(.*?)"', extra[1])


def documented_functions():
    """(Where, function) of all that docs/api.md shows, by their source."""
    for name in re.findall(r"^::: (\S+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE):
        parts = name.split(".")
        long = next(n for n in range(len(parts), 0, -1) if module_file(parts[:n]).is_file())
        body = ast.parse(module_file(parts[:long]).read_text()).body
        for part in parts[long:]:
            (found,) = [one for one in body if getattr(one, "name", None) == part]
            body = [found] if isinstance(found, ast.FunctionDef) else found.body
        for one in body:
            inside = one.body if isinstance(one, ast.ClassDef) else [one]
            functions = [one for one in inside if isinstance(one, ast.FunctionDef)]
            yield from ((name, one) for one in functions)


def module_file(parts: list[str]) -> pathlib.Path:
    return ROOT.joinpath(*parts).with_suffix(".py")


def test_the_reference_has_a_type_for_each_argument_that_it_tells_of():
    """`make docs` is strict about it."""
    looked_at, untyped = 0, []
    for where, function in documented_functions():
        told = re.search(
            r"^Args:\n((?:  .*\n?|\n)*)", ast.get_docstring(function) or "", re.MULTILINE
        )
        names = re.findall(r"^  (\w+):", told[1], re.MULTILINE) if told else []
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        looked_at += len(names)
        untyped += [
            f"{where}: {function.name}: {one.arg}"
            for one in arguments
            if one.arg in names and one.annotation is None
        ]
    assert not untyped
    assert looked_at > 20
