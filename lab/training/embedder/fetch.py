"""Downloads the packages of sources.tsv by name and unpacks them: PyPI with pip, npm with `npm pack`, Debian with
`apt-get download`. Nothing is installed or run. Usage: fetch.py SOURCES.TSV WORKDIR

The columns of SOURCES.TSV are kind, name, version ("-" takes the newest) and SPDX licence. What was fetched, with its
version, is written to WORKDIR/fetched.tsv.
"""
import csv
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile


def run(arguments, folder):
    return subprocess.run(arguments, cwd=folder, check=True, capture_output=True, text=True, timeout=900)


def unpack(archive, folder):
    name = archive.name
    if name.endswith((".whl", ".zip")):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)
    elif name.endswith(".deb"):
        run(["dpkg-deb", "-x", str(archive), str(folder)], folder)
    else:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    archive.unlink()


def fetch(kind, name, version, work):
    """Fetches one package into WORK/kind/name; returns its version."""
    folder = work / kind / name.replace("/", "__")
    done = folder / ".version"
    if done.exists():
        return done.read_text()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pinned = version != "-"
    if kind in ("pypi", "pypi-sdist"):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", "-d", "."]
        if kind == "pypi-sdist":
            # Read as an archive only: pip would otherwise build its metadata.
            command += ["--no-binary", ":all:"]
        else:
            command += ["--only-binary", ":all:"]
        run(command + [f"{name}=={version}" if pinned else name], folder)
    elif kind == "npm":
        run(["npm", "pack", "--silent", f"{name}@{version}" if pinned else name], folder)
    elif kind == "apt":
        run(["apt-get", "download", "-qq", f"{name}={version}" if pinned else name], folder)
    else:
        raise ValueError(f"unknown kind {kind}")
    archive = next(path for path in folder.iterdir() if path.suffix in (".whl", ".zip", ".gz", ".tgz", ".deb", ".xz", ".bz2"))
    if kind == "npm":
        found = archive.name.removesuffix(".tgz").replace(name.lstrip("@").replace("/", "-") + "-", "", 1)
    elif kind == "apt":
        found = run(["dpkg-deb", "-f", str(archive), "Version"], folder).stdout.strip()
    elif archive.suffix == ".whl":
        found = archive.name.split("-")[1]
    else:
        found = re.sub(r"\.(tar\..*|zip)$", "", archive.name).rsplit("-", 1)[1]
    unpack(archive, folder)
    done.write_text(found)
    return found


def main():
    sources, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    work.mkdir(parents=True, exist_ok=True)
    rows = [row for row in csv.reader(sources.open(), delimiter="\t") if row and not row[0].startswith("#")]
    with (work / "fetched.tsv").open("w") as out:
        for kind, name, version, licence, *_ in rows:
            try:
                found = fetch(kind, name, version, work)
                print("\t".join((kind, name, found, licence)), file=out, flush=True)
            except (subprocess.SubprocessError, StopIteration, OSError, tarfile.TarError) as error:
                print(f"not fetched: {kind} {name}: {getattr(error, 'stderr', error)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
