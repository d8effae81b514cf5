"""Findings as a Markdown page: the answer, the figure, the table, how it was made, and what it does not show."""

from collections.abc import Mapping, Sequence
from typing import Any

from viewfinder.studies.study import NAMES, Findings, Study, find_study


def page(study: Study, findings: Findings, manifest: Mapping[str, Any], figure: str | None) -> str:
    """The page of one study; the answer comes first."""
    lines = [f"# {study.number}. {study.title}", ""]
    if manifest["smoke"]:
        lines += ["*Smoke version: a few questions, no result.*", ""]
    lines += [f"**{findings.answer}**", "", f"*The report leaves open:* {study.asked}", ""]
    if figure:
        lines += [f"![{study.title}]({figure})", ""]
    lines += [*table(findings.heads, findings.rows), ""]
    lines += ["Made by", "", "```", manifest["command"], "```", "", *_made(manifest), ""]
    if findings.differently:
        lines += ["## What follows", "", findings.differently, ""]
    lines += ["## What this does not show", "", *(f"- {one}" for one in findings.not_shown)]
    return "\n".join(lines) + "\n"


def _made(manifest: Mapping[str, Any]) -> list[str]:
    model = manifest["model"]
    of = f"with model `{model['name']}` (fingerprint `{model['fingerprint'][:16]}`), " if model["name"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    return [
        (
            f"{of}on {manifest['machine']}, in {manifest['seconds'] / 60:.1f} minutes; {versions}; records "
            f"`{manifest['records'][:16]}`. Values in brackets are 95 % intervals."
        )
    ]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def summary(results: Mapping[str, Mapping[str, Any]], notes: Mapping[str, str]) -> str:
    """The page of all studies: answers of those that were run, reasons (`notes`) for those that were not."""
    lines = ["# Fourteen open questions", "", INTRODUCTION, ""]
    follows, minutes = [], 0.0
    for name in NAMES:
        study = find_study(name)
        lines += [f"## {study.number}. {study.title}", ""]
        if name not in results:
            lines += [f"*Not run:* {notes.get(name) or 'no results yet.'} `viewfinder study {name}`", ""]
            continue
        findings = study.find(results[name]["records"])
        minutes += results[name]["manifest"]["seconds"] / 60
        lines += [f"{findings.answer} [Page]({study.page}.md)", ""]
        if findings.differently:
            follows.append(f"- {findings.differently} ([{study.number}]({study.page}.md))")
    lines += ["## What we would do differently", "", *follows, ""]
    lines += [f"All studies together took {minutes / 60:.1f} hours where they were run."]
    return "\n".join(lines) + "\n"


INTRODUCTION = (
    "The report of Qwen2.5-VL leaves fourteen questions open. Each has a command, `viewfinder study NAME --model DIR` "
    "(or `--server URL`), that answers it for any checkpoint; the answers here are those of the built-in model (8 "
    "million parameters) and of the cost model, so they say what happens at this scale and how to ask at a larger one. "
    "Settings of a study share what they draw, the features of the tower and prefixes: 2.5 times as fast as the same "
    "runs one by one in processor time, 2.6 by the clock (`python bench/study_sharing.py`, two pairs on two shared "
    "cores). The figures were made on a shared machine: scores do not depend on that, seconds do."
)
