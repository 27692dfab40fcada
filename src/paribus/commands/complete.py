"""Tab completion: what may stand where the cursor is, and the scripts by which shells ask.

Shells ask with `paribus completion query LINE`. Commands and options are known at once; overrides are completed by
Hydra, and only where overrides are taken. Whatever goes wrong, the answer is empty: nobody's line is written into.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from paribus.commands.arguments import RUN_OPTIONS, SHELLS, Parser, parsers

QUERY = "query"
SHOWN_CONFIGS = ("job", "hydra", "all")

SCRIPTS = {
    "bash": r"""# bash completion for paribus
_paribus() {
    local line=${COMP_LINE:0:COMP_POINT} word head="" one
    word=${line##*[[:space:]]}
    # Readline replaces what follows the last = or : alone.
    case $COMP_WORDBREAKS in *=*) head=${word%"${word##*[=:]}"} ;; esac
    COMPREPLY=()
    while IFS= read -r one; do
        [ -n "$one" ] && COMPREPLY+=("${one#"$head"}")
    done < <("${COMP_WORDS[0]}" completion query "$line" 2>/dev/null)
    case ${COMPREPLY[0]} in *[=./,]) compopt -o nospace 2>/dev/null ;; esac
}
complete -o bashdefault -o default -F _paribus paribus
""",
    "zsh": r"""#compdef paribus
_paribus() {
    local -a found
    found=(${(f)"$(${words[1]} completion query "${(j: :)words[1,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then
        compadd -Q -S '' -- $found
    else
        _files
    fi
}
if [ "$funcstack[1]" = _paribus ]; then _paribus "$@"; else compdef _paribus paribus; fi
""",
    "fish": r"""# fish completion for paribus
complete -c paribus -a '(paribus completion query (commandline -cp | string collect) 2>/dev/null)'
""",
}
"""The script for each shell."""


def completions(line: str) -> list[str]:
    """The words that the last word of a command line, up to the cursor, may become; none where files may stand.

    Args:
        line: with the name of the program, and a blank at its end where a new word begins.
    """
    words = line.split()[1:]
    if line[-1:].isspace() or not words:
        words.append("")
    *before, word = words
    parser, commands = parsers()
    if not before:
        return _starting(word, [*commands, *parser.options] if word.startswith("-") else commands)
    command, *given = before
    if command not in commands:
        return []
    return _starting(word, _of_command(command, commands[command], given, word))


def _of_command(command: str, parser: Parser, given: Sequence[str], word: str) -> Sequence[str]:
    """What may follow the words given of a command; it need not start with `word`."""
    last = given[-1] if given else ""
    if last == "--cfg":
        return SHOWN_CONFIGS
    if last in ("--config-dir", "--output", "--package", "--factor", "--metric", "--replicate", "--members"):
        return []
    if word.startswith("-"):
        return RUN_OPTIONS if command == "run" else parser.options
    if command in ("run", "plan"):
        return [] if "--key" in given else overrides(given, word)
    if command == "evaluate" and len(given) >= 1:
        return [each for each in overrides((), word or "evaluation") if each.startswith(("evaluation=", "evaluation."))]
    if command == "list" and not given:
        from paribus.config.tree import config_groups

        return sorted(config_groups())
    return SHELLS if command == "completion" and not given else []


def overrides(given: Sequence[str], word: str) -> list[str]:
    """What an override that begins with `word` may be, after others; after a comma, one more value of a sweep."""
    from hydra.plugins.completion_plugin import DefaultCompletionPlugin

    from paribus.config.compose import ROOT
    from paribus.config.loading import open_tree
    from paribus.study.states import RUN_AGAIN

    key, equals, values = word.partition("=")
    listed, comma, begun = values.rpartition(",")
    if key == "rerun" and equals:
        return [f"rerun={policy}" for policy in RUN_AGAIN]
    folder = next((Path(after) for flag, after in pairwise(given) if flag == "--config-dir"), None)
    others = [each.split(",")[0] for each in given if "=" in each and not each.startswith("-")]
    line = " ".join([*others, f"{key}{equals}{begun}"])
    found = DefaultCompletionPlugin(open_tree(extra=folder))._query(ROOT, line + (" " if not word else ""))
    found = [each for each in found if "_target_" not in each or "_target_" in word]
    if not comma:
        return found
    taken = listed.lstrip("[").split(",")
    choices = [each.partition("=")[2] for each in found]
    return [f"{key}={listed},{choice}" for choice in choices if choice not in taken]


def _starting(word: str, known: Sequence[str] | dict[str, Parser]) -> list[str]:
    return [each for each in known if each.startswith(word)]


def answer(line: str) -> None:
    """Print the completions of a line, one a line; nothing at all where they cannot be found."""
    try:
        found = completions(line)
    except Exception:  # the shell's line is no place for what is wrong with it: the command itself will say
        return
    print("".join(f"{each}\n" for each in found), end="")
