"""Nothing that we publish may name a package index, a path of one machine, or a word that means something only there.

Run as `python -m checks.hosts`. Looks at every text file that git tracks or would offer to add; exits 1 on a finding.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

LOCKS = ("*.lock", "*lock.toml", "*lock.json", "*lock.yaml", "requirements*.txt")

# Each pattern is written so that it does not match its own line.
EVERYWHERE = (
    (re.compile(r"--(?:extra-)?(?:index[-]url|find[-]links)\b"), "chooses a package index"),
    (re.compile(r"^\s*(?:extra-)?index[-]url\s*="), "chooses a package index"),
    (re.compile(r"(?:(?<![\w./-])|(?<=//))/(?:work|root|farm)/"), "is a path of one machine"),
    (re.compile(r"steering[ ]repo|before[-]stop|[.]library\b", re.IGNORECASE), "means nothing to a reader elsewhere"),
)
IN_LOCKS = (*EVERYWHERE, (re.compile(r"://"), "names a host; a lock names only versions and hashes"))


def main(root: Path) -> int:
    findings = [finding for path in published(root) for finding in findings_in(root, path)]
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


def published(root: Path) -> list[str]:
    """Paths of all files tracked, and of those neither tracked nor ignored."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return sorted({path for path in listed.split("\0") if (root / path).is_file()})


def findings_in(root: Path, path: str) -> Iterator[str]:
    text = read_text(root / path)
    patterns = IN_LOCKS if any(fnmatch(Path(path).name, lock) for lock in LOCKS) else EVERYWHERE
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, meaning in patterns:
            if found := pattern.search(line):
                yield f"{path}:{number}: {found.group().strip()!r} {meaning}"


def read_text(path: Path) -> str:
    """The text of a file; empty for pictures and the like."""
    content = path.read_bytes()
    if b"\0" in content:
        return ""
    return content.decode("utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
