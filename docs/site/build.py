"""Build the site: python docs/site/build.py [FOLDER]. A broken link, a page that is missing or unlisted: it fails.

Pages are docs/*.md, the studies' README.md, CONTRIBUTING.md and CHANGELOG.md, and those of methods.py; links between
them are those of the repository, so that they work there too. Nothing is fetched.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import methods
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "project": "Paribus",
    "html_title": "Paribus",
    "extensions": ["myst_parser"],
    "myst_heading_anchors": 4,
    "html_theme": "furo",
    "html_copy_source": False,
    "html_show_sphinx": False,
    "html_show_copyright": False,
    "html_use_index": False,
    "html_domain_indices": False,
    "html_static_path": [str(Path(__file__).parent / "static")],
    "html_css_files": ["site.css"],
    "highlight_language": "none",
    "suppress_warnings": ["misc.highlighting_failure"],  # csv is no language of Pygments
    "nitpicky": True,
}


def places() -> dict[Path, Path]:
    """Where the repository's files stand in the site."""
    found = {path: Path(path.name) for path in (ROOT / "docs").glob("*.md")}
    found |= {ROOT / name: Path(name) for name in ("CONTRIBUTING.md", "CHANGELOG.md")}
    for path in (ROOT / "experiments").rglob("*.*"):
        place = path.relative_to(ROOT)
        found[path] = place.with_name("index.md") if path.name == "README.md" else place
    return found


def linked(text: str, path: Path, staged: dict[Path, Path]) -> str:
    """A page with its relative links turned from the repository's places to the site's."""

    def turned(link: re.Match[str]) -> str:
        target, hash_, anchor = link[1].partition("#")
        place = staged.get(Path(os.path.normpath(path.parent / target)))
        if not target or place is None:
            return link[0]
        return f"]({os.path.relpath(place, staged[path].parent)}{hash_}{anchor})"

    return re.sub(r"\]\(((?!\w+:)[^)\s]+)\)", turned, text)


def navigation(text: str) -> Iterator[str]:
    """Of a page of links, the places in the navigation: under each heading, the pages that are linked there."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)
    for section in sections[1:] or sections:
        names = re.findall(r"\]\(([^):]+)\.md\)", section)
        yield methods.toctree(list(dict.fromkeys(names)), section.partition("\n")[0] if sections[1:] else "")


def stage(folder: Path) -> None:
    """Lay the pages out as the site has them."""
    shutil.rmtree(folder, ignore_errors=True)
    staged = places()
    for path, place in staged.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        if path.suffix != ".md":
            shutil.copy(path, folder / place)
            continue
        text = linked(path.read_text(), path, staged)
        text = text.replace("<!-- methods -->", "- [Every choice, by group](methods/index.md)")
        if place.name == "index.md" and place.parent in (Path(), Path("experiments")):
            text += "\n" + "\n".join(navigation(text))
        (folder / place).write_text(text)
    for place, text in methods.pages():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)


def rendered(folder: Path) -> int:
    """Turn `folder`/pages into `folder`/html; the exit code, 1 after any warning."""
    site = Sphinx(
        srcdir=folder / "pages",
        confdir=None,
        outdir=folder / "html",
        doctreedir=folder / "doctrees",
        buildername="html",
        confoverrides=SETTINGS,
        status=None,
        warningiserror=True,
        freshenv=True,
    )
    site.build()
    return site.statuscode


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "docs").resolve()
    shutil.rmtree(place / "html", ignore_errors=True)
    stage(place / "pages")
    code = rendered(place)
    print(place / "html" / "index.html")
    sys.exit(code)
