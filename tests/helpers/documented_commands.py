"""The commands in the code blocks of a page."""

import re


def commands(text: str):
    """Each command of the page's code blocks, its lines joined, without what is piped on."""
    fenced = re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(
        r"(?:^    .*\n?)+", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M
    )
    for block in [*fenced, *indented]:
        joined = re.sub(r"\\\n\s*", " ", block)
        for line in joined.splitlines():
            if re.search(r"\S+\.py\b|\bavatx\b|\bmake\b", line):
                yield line.strip()
