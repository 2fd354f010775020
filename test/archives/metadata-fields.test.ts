import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseDebianControl,
  parseManifest,
  parsePkgInfoLines,
  parsePomProperties,
} from '../../src/archives/metadata-fields.js';

const of = (text: string, encoding: BufferEncoding = 'utf8') => Buffer.from(text, encoding);
const CONTROL = 'Package: tiny\nVersion: 1.0\n';

describe('the control file of a Debian package', () => {
  it('gives name, version, architecture, the first line of the description, and the homepage', () => {
    const text = `\n\npackage: tiny\nVERSION:1:2.0~rc1-1\t\nArchitecture: all\nDescription: d\u00e9mo\n of more\n .\nHomepage: https://example.org\n\nPackage: other\n`;
    for (const bytes of [of(text), of(text, 'latin1'), of(text.replaceAll('\n', '\r\n'))]) {
      expect(parseDebianControl(bytes)).toEqual({
        ...{ kind: 'deb', name: 'tiny', version: '1:2.0~rc1-1', platform: 'all' },
        ...{ summary: 'd\u00e9mo', homePage: 'https://example.org' },
      });
    }
  });

  it.each([
    '',
    'Package: tiny\n',
    'Package: tiny\nVersion:\n',
    'Package: tiny\n\nVersion: 1.0\n',
    `${CONTROL}package: other\n`,
    'Package: tiny\nVersion: 1.0\0\n',
    'Package: two words\nVersion: 1.0\n',
    'Package: tiny\n Version: 1.0\n',
  ])('T16: is absent in %j', (text) => {
    expect(parseDebianControl(of(text))).toBeNull();
  });
});

describe('.PKGINFO', () => {
  it('gives name, version and architecture, whatever else comes twice', () => {
    const text =
      '# x\npkgname = tiny\npkgver=1:1.0-2\narch = any\ndepend = a\ndepend = b\npkgdesc = a tool = good\n';
    expect(parsePkgInfoLines(of(text), 'pacman')).toEqual({
      ...{ kind: 'pacman', name: 'tiny', version: '1:1.0-2', platform: 'any' },
      ...{ summary: 'a tool = good', homePage: null },
    });
    expect(parsePkgInfoLines(of(`${text}pkgver = 2\n`), 'alpine')).toBeNull();
  });
});

describe('what a jar says', () => {
  it('is the artifact and version of a pom.properties', () => {
    expect(parsePomProperties(of('#x\r\nversion = 1.0\r\nartifactId=tiny\r\n'))).toMatchObject({
      name: 'tiny',
      version: '1.0',
    });
    expect(parsePomProperties(of('version=1.0\n'))).toBeNull();
  });

  it('is the program of a manifest, or else its bundle, on folded lines too', () => {
    const bundle = 'Bundle-SymbolicName: org.example.ti\r\n ny;singleton:=true\r\nBundle-Version: 1.0.0\r\n';
    expect(parseManifest(of(bundle))).toMatchObject({ name: 'org.example.tiny', version: '1.0.0' });
    const program = 'Implementation-Title: tiny\r\nIMPLEMENTATION-VERSION: 2.0\r\n';
    expect(parseManifest(of(bundle + program))).toMatchObject({ name: 'tiny', version: '2.0' });
    expect(
      parseManifest(of(`${bundle}Implementation-Title: A Tiny Tool\nImplementation-Version: 2.0\n`)),
    ).toMatchObject({
      name: 'org.example.tiny',
    });
    expect(parseManifest(of(`Manifest-Version: 1.0\n\n${program}`))).toBeNull();
  });
});

it('T16: a mebibyte of anything is read without a step for each pair of bytes, and nothing throws', () => {
  const parsers = [
    parseDebianControl,
    parseManifest,
    parsePomProperties,
    (bytes: Buffer) => parsePkgInfoLines(bytes, 'alpine'),
  ];
  for (const unit of ['x', ' ', '\n', '\r', ':', '=', 'a:\n', 'a=\n', ' \n', '\n ', ';', 'a ']) {
    for (const start of ['', CONTROL, 'Bundle-SymbolicName: ']) {
      const bytes = of(start + unit.repeat(2 ** 20 / unit.length));
      for (const parse of parsers) parse(bytes);
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      for (const parse of parsers) parse(Buffer.from(bytes));
    }),
  );
});
