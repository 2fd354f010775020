"""Writes sdists, wheels and eggs of many styles into a folder, and prints what they hold.

Python's own tarfile, zipfile, lzma and bz2 make them; its email parser reads their Name and Version.
"""

import bz2
import email.parser
import gzip
import io
import json
import lzma
import os
import sys
import tarfile
import zipfile

PKG_INFOS = {
    "plain": "Metadata-Version: 1.0\nName: {name}\nVersion: {version}\nSummary: A summary\n",
    "crlf": "Metadata-Version: 1.2\r\nName: {name}\r\nVersion: {version}\r\nSummary: A summary\r\n",
    "lower": "metadata-version: 2.1\nname: {name}\nversion: {version}\n",
    "spaces": "Metadata-Version: 2.1\nName:    {name}   \nVersion:\t{version}\t\n",
    "folded": "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: one\n        two\n\tthree\n",
    "late": "Metadata-Version: 2.1\nClassifier: A\nClassifier: B\nVersion: {version}\nName: {name}\n\nName: other\n",
    "twice": "Metadata-Version: 2.1\nName: {name}\nName: other\nVersion: {version}\nVersion: 9\n",
    "utf8": "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nAuthor: J\u00fcrgen \u2603\n",
    "unknown": "Metadata-Version: 1.0\nName: {name}\nVersion: {version}\nSummary: UNKNOWN\nHome-page: UNKNOWN\n",
    "body": "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nDescription-Content-Type: text/markdown\n\n# Title\n\nVersion: 0\n",
    "mbox": "From somebody Mon Jan  1 00:00:00 2024\nMetadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    "unended": "Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
}
TAR_FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
COMPRESSIONS = {
    "tar.gz": lambda data: gzip.compress(data, mtime=0),
    "tgz": lambda data: gzip.compress(data, compresslevel=1, mtime=0),
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar": lambda data: data,
}


def tarball(top, members, form, dotted):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for folder in [top, top + "/src", top + "/src/" + "deep" * (20 if form == tarfile.USTAR_FORMAT else 40)]:
            info = tarfile.TarInfo(("./" if dotted else "") + folder)
            info.type = tarfile.DIRTYPE
            info.mode = 0o755
            tar.addfile(info)
        for name, text in members:
            info = tarfile.TarInfo(("./" if dotted else "") + name)
            data = text.encode("utf-8")
            info.size = len(data)
            info.mtime = 1700000000.25 if form == tarfile.PAX_FORMAT else 1700000000
            info.uname = "\u00fcser" if form == tarfile.PAX_FORMAT else "user"
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def headers(text):
    parsed = email.parser.BytesHeaderParser().parsebytes(text.encode("utf-8"))
    return [parsed["Name"].strip(), parsed["Version"].strip()]


def main(folder):
    said = {}

    def put(path, data, text):
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "wb") as file:
            file.write(data)
        said[path] = headers(text)

    for number, (style, template) in enumerate(PKG_INFOS.items()):
        for form_name, form in TAR_FORMATS.items():
            extension = list(COMPRESSIONS)[(number + len(form_name)) % len(COMPRESSIONS)]
            name, version = "mod_%s_%s" % (style, form_name), "1.%d" % number
            text = template.format(name=name, version=version)
            top = "%s-%s" % (name, version)
            filler = "".join("# line %d of %s\n" % (line, name) for line in range(3000))
            members = [(top + "/setup.py", filler), (top + "/PKG-INFO", text), (top + "/src/%s.egg-info/PKG-INFO" % name, "Name: wrong\nVersion: 0\n")]
            if number % 2:
                members.reverse()
            if number % 3 == 0:
                members.append((top + "/package.json", json.dumps({"name": "wrong", "version": "0.0.1"})))
            data = COMPRESSIONS[extension](tarball(top, members, form, dotted=number % 4 == 0))
            put("sdists/%s.%s" % (top, extension), data, text)
        name, version = "wheel_%s" % style, "2.%d" % number
        text = template.format(name=name, version=version)
        out = io.BytesIO()
        kind = zipfile.ZIP_DEFLATED if number % 2 else zipfile.ZIP_STORED
        with zipfile.ZipFile(out, "w", kind) as wheel:
            wheel.writestr("%s/__init__.py" % name, "x = 1\n" * 2000)
            wheel.writestr("%s/PKG-INFO" % name, "Name: wrong\nVersion: 0\n")
            wheel.writestr("%s-%s.dist-info/METADATA" % (name, version), text.encode("utf-8"))
            wheel.writestr("%s-%s.dist-info/RECORD" % (name, version), "")
        put("wheels/%s-%s-py3-none-any.whl" % (name, version), out.getvalue(), text)
        name = "egg_%s" % style
        text = template.format(name=name, version=version)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as egg:
            egg.writestr("EGG-INFO/PKG-INFO", text.encode("utf-8"))
        put("eggs/%s-%s-py3.11.egg" % (name, version), out.getvalue(), text)
        name = "zipped_%s" % style
        text = template.format(name=name, version=version)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as sdist:
            sdist.writestr("%s-%s/PKG-INFO" % (name, version), text.encode("utf-8"))
        put("sdists/%s-%s.zip" % (name, version), out.getvalue(), text)
    json.dump(said, sys.stdout)


main(sys.argv[1])
