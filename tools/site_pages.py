"""What makes the repository's own pages one site: a hook of mkdocs, named in mkdocs.yml.

Pages link to each other as they lie in the repository, so that they can be read there. On the site those of
the root stand beside those of docs; what is no page (an example, a file of code) is shown as its path.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BESIDE = ("README.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md")
"""Pages of the root that the site has."""
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>(?!https?:|mailto:|#)[^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the root."""
    from mkdocs.structure.files import File

    for name in BESIDE:
        files.append(File.generated(config, name, content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn a page's links into those of the site."""
    return relinked(markdown, page.file.src_uri)


def relinked(body: str, name: str) -> str:
    """Return a page with its links as the site has them; code blocks stay as they are.

    Args:
        body: The page.
        name: Its file's name on the site.
    """
    folder = "" if name in BESIDE else "docs"
    parts, end = [], 0
    for fence in FENCE.finditer(body):
        parts += [_links(body[end : fence.start()], folder), fence.group()]
        end = fence.end()
    return "".join([*parts, _links(body[end:], folder)])


def _links(text: str, folder: str) -> str:
    return LINK.sub(lambda found: _link(found["text"], found["target"], folder), text)


def _link(text: str, target: str, folder: str) -> str:
    path, sign, anchor = target.partition("#")
    place = posixpath.normpath(posixpath.join(folder, path))
    if place in BESIDE:
        return f"[{text}]({place}{sign}{anchor})"
    if place.startswith("docs/") and place.endswith(".md"):
        return f"[{text}]({place.removeprefix('docs/')}{sign}{anchor})"
    return text if text.strip("`") == place else f"{text} (`{place}`)"
