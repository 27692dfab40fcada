"""Pages of methods, made of what the program is made of: docstrings, configs, tests and recorded verdicts.

Nothing in them is written by hand but the titles of the groups, so that they say what the code says.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import oracles
import results
from choices import Choice, Option, arguments, choices

from paribus import metrics

GROUPS = {
    "objective": ("Objectives", "What is minimised."),
    "family": (
        "Families",
        "How the parts are trained together; each brings parts that fit, and any of them can be exchanged.",
    ),
    "data": ("Data sets", "What is learned, split and scaled."),
    "augmentation": ("Augmentations", "What is done to the training part at each step."),
    "network": ("Networks", "What predicts a number or a class."),
    "encoder": ("Encoders", "From an example to its code."),
    "decoder": ("Decoders", "From a code to an example."),
    "likelihood": ("Likelihoods", "Of an example, given its code."),
    "prior": ("Priors", "Of codes, and of a generator's latents."),
    "generator": ("Generators", "From a latent to an example."),
    "discriminator": ("Discriminators", "From an example, or a code, to a score."),
    "penalty": ("Penalties", "On the gradient of the discriminator."),
    "constraint": ("Constraints", "On the weights of the discriminator."),
    "code": ("Codes", "What is to be read from a sample, in InfoGAN."),
    "optimizer": ("Optimizers", "Which step is taken along the gradient."),
    "scheduler": ("Schedules", "Of the learning rate."),
    "evaluation": ("Evaluations", "What is measured after training; it knows nothing of the objective."),
    "calibrator": (
        "Calibrators",
        "What `evaluation=calibration` compares: maps of the logits, fitted on the validation part.",
    ),
    "trainer": ("Trainers", "Budget, device and what is kept."),
    "logger": ("Loggers", "Where else a run is shown."),
}
METRICS = ("Metrics", "What evaluations compute, as functions for programs.")


def escaped(text: str) -> str:
    """Text of a docstring as Markdown that shows it as it is; what stands between backticks stays code."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part[:1] == "`" else re.sub(r"([\\*_<>\[\]#|$~^{}])", r"\\\1", part) for part in parts)


def cell(text: str) -> str:
    """Text in a cell of a table, where a bar would end it, even in code."""
    return re.sub(r"(?<!\\)\|", r"\\|", escaped(text)) or "\N{EN DASH}"


def prose(target: object) -> list[str]:
    """The paragraphs of a docstring before its arguments; its source may stand in the module's."""
    text = re.split(r"\n(?:Args|Raises|Attributes|Returns):\n", inspect.getdoc(target) or "")[0]
    text = re.sub(r"\s*Arguments as `\w+`\.", "", text)
    if "Source:" not in text:
        module = inspect.getdoc(inspect.getmodule(target)) or ""
        text += "\n\n" + "Source:".join(["", *module.split("Source:")[1:]])
    return paragraphs(text)


def paragraphs(text: str) -> list[str]:
    """Text of a docstring or comment as paragraphs of Markdown; what is indented stays as it is, as code."""
    found = []
    for each in re.split(r"\n\n|\n(?=- )|(?=Source:)", text):
        if re.match(r" {4}", each):
            found.append(f"```text\n{inspect.cleandoc(each)}\n```")
        elif each.strip():
            found.append(escaped(each).replace("Source:", "**Source:**", 1))
    return found


def table(head: str, rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    columns = head.split(" | ")
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(choice: Choice) -> str:
    """The page of a choice: formula, source, options with defaults, oracle, and what studies found."""
    target, title = choice.target, GROUPS[choice.group][0]
    word = "evaluation=calibration" if choice.group == "calibrator" else f"{choice.group}={choice.name}"
    told = ["---\norphan: true\n---", f"[{title}](../{choice.group}.md)", f"# {choice.name}"]
    told += paragraphs("\n".join(choice.head)) if choice.siblings else []
    told.append(f"On the command line: `{word}`." + (f" Class: `{dotted(target)}`." if target else ""))
    if target is not None and target.__module__.startswith("paribus"):
        told += prose(target)
    elif target is not None:
        told.append("PyTorch's own.")
    if choice.base:
        told.append(f"As [{choice.base.name}]({choice.base.name}.md), but for the options that its file sets.")
    brought = [entry.replace("override ", "").partition("@")[0].strip("/ ") for entry in choice.brought if "/" in entry]
    values = [entry.rpartition(": ")[2] for entry in choice.brought if "/" in entry]
    parts = [(group, value) for group, value in zip(brought, values, strict=True) if value != "null"]
    if parts:
        links = [(group, f"[{value}](../{group}/{value}.md)") for group, value in parts]
        told += [
            "## What it brings",
            "Each of them can be exchanged on the command line.",
            table("part | choice", links),
        ]
    if choice.options:
        rows = [(f"`{key}`", default(option), meaning(key, option)) for key, option in choice.options.items()]
        told += ["## Options", table("option | default | meaning", rows)]
    told += measured(target)
    held = oracles.holding(target, choice.group, choice.name)
    if held:
        told += ["## Oracle", "Tests that use its class, and what their files hold it against:", *held]
    found = results.found(choice.group, choice.name) if choice.group not in ("trainer", "logger") else []
    return "\n\n".join([*told, *found]) + "\n"


def dotted(target: type) -> str:
    """The name of a class, as a config may write it."""
    package = ".".join(target.__module__.split(".")[:2])
    return f"{package}.{target.__name__}"


def default(option: Option) -> str:
    """The default, as the file writes it."""
    return "required" if option.default == "???" else f"`{option.default}`"


def meaning(key: str, option: Option) -> str:
    """What the docstring says of an option, and what the file adds: parts of its comment with words of their own."""
    said = arguments(option.owner).get(key.rpartition(".")[2], "").rstrip(".").replace("None", "null")
    added = [part for part in option.comment.split("; ") if part and not repeats(part, said)]
    return cell("; ".join([*([said] if said else []), *added]))


def repeats(part: str, said: str) -> bool:
    """Whether at most a third of the words are new."""
    words, known = (re.findall(r"[\w.]*\w", text.lower().replace("none", "null")) for text in (part, said))
    return 3 * sum(word not in known for word in words) <= len(words)


def measured(target: type | None) -> list[str]:
    """The metrics of an evaluator."""
    rows = [
        (f"`{each.name}`", each.direction, cell(each.unit), "ratio" if each.scale == "log" else "difference")
        for each in getattr(target, "measures", ())
    ]
    return ["## Metrics", table("metric | better | unit | arms compared by", rows)] if rows else []


def metric_page() -> str:
    """The functions of metrics."""
    told = [f"# {METRICS[0]}", escaped(inspect.getdoc(metrics) or "")]
    for name in metrics.__all__:
        told += [
            f"## {name}",
            *prose(getattr(metrics, name)),
            *oracles.holding(getattr(metrics, name), "metrics"),
        ]
    return "\n\n".join(told) + "\n"


def pages() -> Iterator[tuple[Path, str]]:
    """All pages, by their place below the site's root: an index, one a group, one a choice, and the metrics."""
    found = choices()
    rows = [(f"[{title}]({group}.md)", cell(says)) for group, (title, says) in (GROUPS | {"metrics": METRICS}).items()]
    head = "# Methods\n\nMade of the code's docstrings, the configs, the tests and the studies' records.\n\n"
    listed = toctree([*GROUPS, "metrics"])
    yield Path("methods", "index.md"), f"{head}{table('group | what it is', rows)}\n\n{listed}"
    for group, (title, says) in GROUPS.items():
        rows = [(f"[{each.name}]({group}/{each.name}.md)", cell(each.description)) for each in found[group]]
        yield Path("methods", f"{group}.md"), f"# {title}\n\n{says}\n\n{table('choice | what it is', rows)}\n"
        for each in found[group]:
            yield Path("methods", group, f"{each.name}.md"), page(each)
    yield Path("methods", "metrics.md"), metric_page()


def toctree(names: list[str], caption: str = "") -> str:
    """Places in the navigation."""
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["```{toctree}", *options, "", *names, "```", ""])
