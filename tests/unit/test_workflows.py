"""The workflows of GitHub, dependabot and pre-commit: what they may do, what they run, and that all of them agree."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
TEXTS = {path.stem: path.read_text("utf-8") for path in sorted((GITHUB / "workflows").glob("*.yml"))}
WORKFLOWS: Mapping[str, Mapping[Any, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
# YAML 1.1 reads the key `on` as true.
TRIGGERS = {name: set(workflow[True]) for name, workflow in WORKFLOWS.items()}
JOBS = {(name, job): definition for name, workflow in WORKFLOWS.items() for job, definition in workflow["jobs"].items()}
STEPS = [(place, step) for place, job in JOBS.items() for step in job.get("steps", [])]
PRE_COMMIT = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
HOOKS = {hook["id"]: hook for repository in PRE_COMMIT["repos"] for hook in repository["hooks"]}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

OWN_WORKFLOWS = "$/.github/workflows/"
MAX_MINUTES = 60
# Everything beyond reading the sources; each job that needs more is named here.
WRITING_JOBS = {
    ("release", "attest"): {"attestations": "write", "id-token": "write"},
    ("release", "publish"): {"id-token": "write"},
    ("release", "announce"): {"contents": "write"},
}
OPERATING_SYSTEMS = {"ubuntu": "Operating System :: POSIX :: Linux", "macos": "Operating System :: MacOS"}
RUN_CHECKS = "uv run --locked pre-commit run --all-files"


def uses(text: str) -> Iterator[str]:
    """Yield what stands behind each `uses:`, with its comment."""
    yield from re.findall(r"\buses: (.+)$", text, flags=re.MULTILINE)


def script(step_name: str) -> str:
    """Return the commands of a step of the release."""
    [found] = [step["run"] for (workflow, _), step in STEPS if workflow == "release" and step.get("name") == step_name]
    return str(found)


# What workflows may do


@pytest.mark.parametrize("used", sorted({used for text in TEXTS.values() for used in uses(text)}))
def test_an_action_is_pinned_by_a_hash_with_its_version_beside(used: str) -> None:
    assert used.startswith(OWN_WORKFLOWS) or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)


def test_an_action_has_the_same_pin_everywhere() -> None:
    pins = {used for text in TEXTS.values() for used in uses(text)}

    assert len({pin.partition("@")[0] for pin in pins}) == len(pins)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_starts_without_permissions(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}


@pytest.mark.parametrize("place", JOBS, ids="-".join)
def test_a_job_has_the_least_permissions(place: tuple[str, str]) -> None:
    assert JOBS[place]["permissions"] == WRITING_JOBS.get(place, {"contents": "read"})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_never_runs_code_of_others_with_our_rights(name: str) -> None:
    assert not TRIGGERS[name] & {"issue_comment", "issues", "pull_request_target", "workflow_run"}
    assert "secrets." not in TEXTS[name]


@pytest.mark.parametrize("place", [place for place, job in JOBS.items() if "steps" in job], ids="-".join)
def test_a_job_ends_within_an_hour(place: tuple[str, str]) -> None:
    assert 0 < JOBS[place]["timeout-minutes"] <= MAX_MINUTES


def test_a_checkout_leaves_no_credentials_behind() -> None:
    checkouts = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]

    assert checkouts
    assert {step["with"]["persist-credentials"] for step in checkouts} == {False}


def test_no_cache_reaches_a_build() -> None:
    installs = [step for _, step in STEPS if step.get("uses", "").startswith("astral-sh/setup-uv@")]

    assert installs
    assert {step["with"]["enable-cache"] for step in installs} == {False}


def test_commands_take_values_from_variables_only() -> None:
    assert [step["run"] for _, step in STEPS if "${{" in step.get("run", "")] == []


# What the tests run on


def test_the_tests_run_on_each_python_of_the_classifiers() -> None:
    prefix = "Programming Language :: Python :: "
    classifiers = PROJECT["project"]["classifiers"]
    versions = [text.removeprefix(prefix) for text in classifiers if re.fullmatch(rf"{prefix}3\.\d+", text)]

    assert JOBS["test", "test"]["strategy"]["matrix"]["python"] == versions
    assert PROJECT["project"]["requires-python"] == f">={versions[0]}"


def test_the_tests_run_on_each_operating_system_of_the_classifiers() -> None:
    systems = {text for text in PROJECT["project"]["classifiers"] if text.startswith("Operating System ::")}

    runners = JOBS["test", "test"]["strategy"]["matrix"]["os"]

    assert {OPERATING_SYSTEMS[runner.partition("-")[0]] for runner in runners} == systems


def test_only_what_is_not_supported_may_fail() -> None:
    may_fail = {place: job["continue-on-error"] for place, job in JOBS.items() if "continue-on-error" in job}

    assert may_fail == {("test", "windows"): True, ("test", "packages"): "${{ matrix.may-fail }}"}
    entries = JOBS["test", "packages"]["strategy"]["matrix"]["include"]
    assert [entry["dependencies"] for entry in entries if entry["may-fail"]] == ["sdk-prerelease"]


def test_the_tests_of_a_python_are_what_decides() -> None:
    assert [step["run"] for step in JOBS["test", "test"]["steps"] if "run" in step] == ["bash .ci/run"]


# The checks


def test_the_checks_are_the_same_before_a_commit_and_in_ci() -> None:
    assert [step["run"] for step in JOBS["test", "checks"]["steps"] if "run" in step] == [
        f"{RUN_CHECKS} --hook-stage pre-push --show-diff-on-failure"
    ]
    assert RUN_CHECKS in (ROOT / ".ci" / "run").read_text("utf-8")


def test_lint_format_types_and_workflows_are_checked() -> None:
    commands = [" ".join(shlex.split(hook["entry"])[3:5]) for hook in HOOKS.values()]

    assert {"ruff check", "ruff format", "mypy", "zizmor --offline", "check-jsonschema --builtin-schema"} <= set(
        commands
    )


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_runs_a_tool_of_the_lock_file(hook: str) -> None:
    groups = PROJECT["dependency-groups"]
    packages = {re.split(r"[\[<>=~]", text)[0] for group in ("lint", "test") for text in groups[group]}
    tools = {package.removesuffix("-bin") for package in packages}

    uv, run, locked, tool, *_ = shlex.split(HOOKS[hook]["entry"])

    assert (uv, run, locked) == ("uv", "run", "--locked")
    assert HOOKS[hook]["language"] == "system"
    assert tool in tools


def test_hooks_check_files_that_exist() -> None:
    paths = (*GITHUB.rglob("*.yml"), ROOT / "Dockerfile", ROOT / "meltano.yml")
    files = [path.relative_to(ROOT).as_posix() for path in paths]

    patterns = {hook["id"]: hook["files"] for hook in HOOKS.values() if "files" in hook}

    assert {hook for hook, pattern in patterns.items() if any(re.search(pattern, file) for file in files)} == set(
        patterns
    )
    assert {file for file in files if any(re.search(pattern, file) for pattern in patterns.values())} == set(files)


# Dependabot and the forms


def test_dependabot_waits_a_week_and_groups_its_updates() -> None:
    updates = {
        update["package-ecosystem"]: update
        for update in yaml.safe_load((GITHUB / "dependabot.yml").read_text("utf-8"))["updates"]
    }

    assert set(updates) >= {"github-actions", "uv"}
    for update in updates.values():
        assert update["schedule"]["interval"] == "weekly"
        assert update["cooldown"]["default-days"] >= 7
        assert [group["patterns"] for group in update["groups"].values()] == [["*"]]


def test_forms_and_pages_lead_to_the_address_of_the_project() -> None:
    source = PROJECT["project"]["urls"]["Source"]
    files = [*GITHUB.rglob("*.yml"), *GITHUB.rglob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]

    texts = "".join(path.read_text("utf-8") for path in files)

    addresses = re.findall(r"https://github\.com/[^\s)]+", texts)
    assert addresses
    assert [address for address in addresses if not address.startswith(f"{source}/")] == []
    assert re.findall(r"--repo (\S+)", texts) == [source.removeprefix("https://github.com/")]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_a_link_of_a_page_for_contributors_leads_to_a_file(page: str) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text("utf-8"))

    files = [target.partition("#")[0] for target in targets if not target.startswith("https://")]

    assert [file for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "docs/maintenance.md"])
def test_a_page_for_maintainers_names_files_that_exist(page: str) -> None:
    names = re.findall(r"`(?:[^`]* )?((?:docs|hub|tap_pigment|tests)/[\w./]*)`", (ROOT / page).read_text("utf-8"))

    assert [name for name in names if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("command", ["bash .ci/run", "uv run pre-commit run --all-files"])
def test_the_page_for_contributors_has_the_command(command: str) -> None:
    assert command in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


# The release


def test_a_release_is_tested_then_attested_then_published() -> None:
    release = WORKFLOWS["release"]["jobs"]

    assert release["test"]["uses"] == f"{OWN_WORKFLOWS}test.yml"
    assert {job: definition.get("needs") for job, definition in release.items()} == {
        "test": None,
        "describe": "test",
        "attest": "describe",
        "publish": "attest",
        "announce": "publish",
    }
    assert release["publish"]["environment"] == "pypi"


def test_what_is_published_was_built_once() -> None:
    builds = [place for place, step in STEPS if "uv build" in step.get("run", "")]

    assert builds == [("test", "build")]


CHANGELOG = """\
# Changelog

## Unreleased

## 1.2.3 - 2027-01-31

### Fixed

- A row.

## 1.2.2 - 2027-01-01

- Old.
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder as a job of the release has it: the sources, and the packages that the tests built."""
    for file in ("pyproject.toml", "uv.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "dist").mkdir()
    for file in ("tap_pigment-1.2.3-py3-none-any.whl", "tap_pigment-1.2.3.tar.gz"):
        (tmp_path / "dist" / file).touch()
    return tmp_path


def run_step(name: str, checkout: Path, tag: str) -> subprocess.CompletedProcess[str]:
    """Run the commands of a step of the release, as its shell does."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        raise FileNotFoundError("uv is needed to make the SBOM: set UV, or put it on the PATH.")
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script(name)],  # noqa: S607 - whichever bash is on the PATH.
        cwd=checkout,
        env={**os.environ, "PATH": f"{Path(uv).parent}{os.pathsep}{os.environ['PATH']}", "TAG": tag},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("tag", "exit_code"), [("v1.2.3", 0), ("v1.2.4", 2)])
def test_a_release_has_the_version_of_its_tag(checkout: Path, tag: str, exit_code: int) -> None:
    checked = run_step("Check that the packages have the version of the tag", checkout, tag)

    assert checked.returncode == exit_code


def test_the_notes_of_a_release_are_those_of_its_version(checkout: Path) -> None:
    made = run_step("Take the notes from the changelog", checkout, "v1.2.3")

    assert made.returncode == 0
    assert (checkout / "release" / "notes.md").read_text("utf-8").split("\n") == [
        "",
        "### Fixed",
        "",
        "- A row.",
        "",
        "",
    ]


def test_a_version_that_the_changelog_does_not_name_is_not_released(checkout: Path) -> None:
    made = run_step("Take the notes from the changelog", checkout, "v1.2")

    assert made.returncode == 1


def test_the_sbom_lists_the_locked_dependencies_and_no_tools(checkout: Path) -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    versions = {package["name"]: package.get("version") for package in locked}

    made = run_step("Make the SBOM of the locked dependencies", checkout, "v1.2.3")

    assert made.returncode == 0, made.stderr
    sbom = json.loads((checkout / "release" / "tap-pigment.cdx.json").read_text("utf-8"))
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5")
    assert sbom["serialNumber"].startswith("urn:uuid:")
    assert (sbom["metadata"]["component"]["name"], sbom["metadata"]["component"]["version"]) == ("tap-pigment", "1.2.3")
    listed = {component["name"]: component["version"] for component in sbom["components"]}
    assert listed.items() <= versions.items()
    assert {"duckdb", "singer-sdk", "s3fs", "gcsfs", "hypercorn"} <= listed.keys()
    assert not {"pytest", "ruff", "zizmor", "meltano"} & listed.keys()
