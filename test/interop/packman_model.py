"""A model in Python 3 of how PackMan ('pimp') clients 0.3, 0.4 and 0.5 read a database.

A model of their behaviour, not their code: which keys they insist on, what they warn of, what kills them,
how a package is addressed, and what counts as the right download. It executes nothing.

    packman_model.py CLIENT DATABASE [DOWNLOAD-FOLDER]

prints one JSON object: warnings, crash (null or the exception that a user would see), the listed packages,
and, with a folder, what came of fetching each package that can be addressed.
"""

import hashlib
import json
import os
import plistlib
import posixpath
import sys
import urllib.parse
import urllib.request

KNOWN_KEYS = {
    "Name", "Version", "Flavor", "Description", "Home-page", "Download-URL", "Install-test",
    "Install-command", "Pre-install-command", "Post-install-command", "Prerequisites", "MD5Sum",
    "User-install-skips", "Systemwide-only",
}
UNPACKED = (".tar.Z", ".taz", ".tar.gz", ".tgz", ".tar.bz", ".zip")
FLAVORS = {"0.3": ("source", "binary"), "0.4": ("source", "binary"), "0.5": ("source", "binary", "installer", "hidden")}


def ascii_only(text):
    """For these clients, text beyond ASCII has another type, which they take for a prerequisite's dict."""
    try:
        text.encode("ascii")
    except UnicodeEncodeError:
        raise TypeError("unsubscriptable object") from None
    return text


class Client:
    def __init__(self, version):
        self.version = version
        self.warnings = []
        self.packages = []
        self.urls = []

    def load(self, url, included=False):
        """Reads a database and the databases it includes; an error there ends the client."""
        if url in self.urls:
            return
        self.urls.append(url)
        with urllib.request.urlopen(url) as answer:
            database = plistlib.loads(answer.read(), fmt=plistlib.FMT_XML)
        if not included:
            version = database.get("Version", "")
            if not version:
                self.warnings.append("database has no Version information")
            elif isinstance(version, str) and version > self.version:
                self.warnings.append("database version %s is newer than pimp version %s" % (version, self.version))
            database.get("Description", "").strip()
        for package in database["Packages"]:
            self.append(package, url)
        for more in database.get("Include", []):
            self.load(urllib.parse.urljoin(url, more) if self.version == "0.5" else more, True)

    def append(self, package, url):
        name = package["Name"]
        for key in package:
            if key not in KNOWN_KEYS:
                self.warnings.append("%s: unknown key %s" % (name, key))
        package = dict(package)
        address = package.get("Download-URL")
        if address is not None and self.version == "0.5":
            package["Download-URL"] = urllib.parse.urljoin(url, address)
        self.packages.append(package)

    def full_name(self, package):
        parts = [package["Name"]]
        if package.get("Version"):
            parts.append(package["Version"])
            if package.get("Flavor"):
                parts.append(package["Flavor"])
        return "-".join(parts)

    def find(self, identifier):
        """By name, name-version or name-version-flavor; with one more hyphen the client finds nothing."""
        fields = ascii_only(identifier).split("-")
        if len(fields) > 3:
            return None
        wanted = dict(zip(("Name", "Version", "Flavor"), fields))
        found = None
        for package in self.packages:
            if any(package.get(key) != value for key, value in wanted.items()):
                continue
            # Of several the client keeps the one that sorts last, which is the worst.
            if found is None or self.rank(package) > self.rank(found):
                found = package
        return found

    def rank(self, package):
        order = FLAVORS[self.version]
        flavor = package.get("Flavor") or ""
        return (
            order.index(flavor) if flavor in order else len(order),
            tuple(-ord(char) for char in package.get("Version") or "") + (1,),
        )

    def list(self):
        """-l: one line for each package, its identifier looked up again as the command line does."""
        lines = []
        for identifier in [self.full_name(package) for package in self.packages]:
            package = self.find(identifier)
            if package is None:
                lines.append([identifier, None])
                continue
            # An empty description has no first line.
            first = package["Description"].strip().split("\n")[0:1] if package["Description"] else []
            if not first:
                raise IndexError("list index out of range")
            ascii_only(first[0])
            lines.append([identifier, first[0]])
        return lines

    def read_tests(self):
        """-s needs a test in Python for each package; the model does not run it."""
        for package in self.packages:
            compile(ascii_only(package["Install-test"]), package["Name"], "exec")

    def fetch(self, package, folder):
        """Downloads an archive and checks its MD5 sum."""
        url = ascii_only(package["Download-URL"])
        scheme, _, path, _, _ = urllib.parse.urlsplit(url)
        if self.version != "0.5" and not scheme:
            raise ValueError("unknown url type: %s" % url)
        name = posixpath.basename(urllib.parse.unquote(path))
        if package.get("Flavor") not in FLAVORS[self.version]:
            return {"error": "unknown flavor"}
        if package["Flavor"] in ("source", "binary") and not name.endswith(UNPACKED):
            return {"error": "unknown extension"}
        target = os.path.join(folder, name)
        with urllib.request.urlopen(url) as answer, open(target, "wb") as file:
            file.write(answer.read())
        expected = package.get("MD5Sum")
        if not expected:
            self.warnings.append("no MD5Sum for %s" % package["Name"])
            return {"file": target, "right": True}
        with open(target, "rb") as file:
            return {"file": target, "right": hashlib.md5(file.read()).hexdigest() == expected}


def main(version, url, folder=None):
    client = Client(version)
    result = {"warnings": client.warnings, "crash": None, "listed": [], "fetched": {}}
    try:
        client.load(url)
        result["listed"] = client.list()
        client.read_tests()
        for package in client.packages if folder else []:
            identifier = client.full_name(package)
            if "Download-URL" in package and client.find(identifier) is package:
                result["fetched"][identifier] = client.fetch(package, folder)
    except Exception as error:  # whatever it is, the user sees a traceback
        result["crash"] = "%s: %s" % (type(error).__name__, error)
    json.dump(result, sys.stdout)


main(*sys.argv[1:])
