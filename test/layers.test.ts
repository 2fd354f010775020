import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Room → the rooms that its files may import, apart from their own, from the top of the house to its ground
 * (CONTRIBUTING.md, law 1). `index` and `verify.ts` are the two front doors.
 */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  bin: ['cli'],
  cli: ['index'],
  index: [
    'watch',
    'upload',
    'release',
    'consume',
    'keys',
    'page',
    'signers',
    'verify',
    'run',
    'net',
    'model',
    'errors',
  ],
  watch: [
    ...['release', 'keys', 'page', 'published', 'signers', 'pgp', 'run'],
    ...['places', 'programs', 'disk', 'model', 'errors'],
  ],
  upload: [
    ...['release', 'consume', 'keys', 'published', 'verify', 'workers', 'stores', 'pgp', 'archives', 'run'],
    ...['places', 'programs', 'disk', 'net', 'model', 'errors'],
  ],
  release: [
    ...['consume', 'keys', 'page', 'published', 'signers', 'verify', 'workers', 'pgp', 'format', 'run'],
    ...['places', 'disk', 'net', 'model', 'errors'],
  ],
  consume: [
    ...['published', 'verify', 'workers', 'stores', 'pgp', 'format', 'run'],
    ...['places', 'programs', 'disk', 'net', 'model', 'errors'],
  ],
  keys: ['page', 'published', 'signers', 'pgp', 'run', 'disk', 'model', 'errors'],
  page: ['published', 'verify', 'pgp', 'run', 'places', 'disk', 'net', 'model', 'errors'],
  published: ['verify', 'pgp', 'places', 'format', 'disk', 'model', 'errors'],
  signers: ['pgp', 'programs', 'disk', 'model', 'errors'],
  workers: ['pgp', 'archives', 'places', 'disk', 'model', 'errors'],
  stores: ['archives', 'run', 'places', 'disk', 'net', 'model', 'errors'],
  // What runs in the browser of somebody who reads the trust page.
  'page/browser': ['verify.ts', 'model'],
  // The door for those who only verify, in browsers too, and the room behind it.
  'verify.ts': ['verify', 'model', 'errors'],
  verify: ['format', 'pgp', 'model', 'errors'],
  pgp: ['model', 'errors'],
  format: ['model', 'errors'],
  archives: ['model'],
  // The value that is made at the edge and handed down.
  run: ['places', 'net', 'disk', 'model'],
  places: ['disk', 'net', 'model', 'errors'],
  programs: ['errors'],
  net: ['errors'],
  disk: ['model', 'errors'],
  model: ['errors'],
  errors: [],
};

/** The public API also names types of these. */
const TYPES_FOR_INDEX = ['pgp'];

/** Rooms that must not reach the clock, the environment, the current folder or the terminal. */
const ABOVE_THE_EDGE = ['bin', 'cli', 'page/browser'];
const OUTSIDE_WORLD = /process\.env\b|process\.cwd\b|\bconsole\.|\bDate\.now\(|\bnew Date\(\s*\)/;

/** What the verifier and everything below it may load of Node; the bundle for browsers has the same in its place. */
const OF_NODE_FOR_VERIFIERS = ['node:crypto'];
const OPENPGP_ROOMS = ['keys', 'pgp', 'signers'];
const VERIFIER_ROOMS = ['verify.ts', 'verify', 'pgp', 'format', 'model', 'errors'];

interface Import {
  readonly file: string;
  readonly target: string;
  readonly isType: boolean;
}

const files = ['src', 'bin'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
);
const texts = new Map(files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]));
const imports = files.flatMap(importsOf);
const ownImports = imports.filter(({ target }) => texts.has(target));
const foreignImports = imports.filter(
  ({ target }) => !target.startsWith('src/') && !target.startsWith('node:'),
);

/** `import … from '…'`, `export … from '…'`, `import '…'` and `import('…')`. */
function importsOf(file: string): Import[] {
  const text = texts.get(file) ?? '';
  const statement = /^(?:import|export)\s+(type\s)?(?:[^;'"]*?\sfrom\s+)?'([^']+)'/gm;
  const dynamic = /\bimport\(\s*'([^']+)'/g;
  return [
    ...Array.from(text.matchAll(statement), ([, type, name = '']) => ({ name, isType: type !== undefined })),
    ...Array.from(text.matchAll(dynamic), ([, name = '']) => ({ name, isType: false })),
  ].map(({ name, isType }) => ({ file, target: resolve(file, name), isType }));
}

function resolve(file: string, name: string): string {
  if (!name.startsWith('.')) return name.startsWith('node:') ? name : packageOf(name);
  return posix.join(posix.dirname(file), name).replace(/\.js$/, '.ts');
}

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

function roomOf(file: string): string {
  const [top = '', room = '', ...below] = file.split('/');
  if (top === 'bin') return 'bin';
  if (room === 'page' && below[0] === 'browser') return 'page/browser';
  // `verify` is a room and, as a file, the door before it.
  return room === 'verify.ts' ? room : room.replace(/\.ts$/, '');
}

function mayImport({ file, target, isType }: Import): boolean {
  const [from, to] = [roomOf(file), roomOf(target)];
  if (from === to || TABLE[from]?.includes(to) === true) return true;
  return from === 'index' && isType && TYPES_FOR_INDEX.includes(to);
}

/** A way from a file back to itself, or nothing. */
function circleThrough(start: string): string[] | null {
  const ways = [[start]];
  const seen = new Set<string>();
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    const last = way.at(-1) ?? '';
    for (const { target } of ownImports.filter(({ file }) => file === last)) {
      if (target === start) return [...way, start];
      if (seen.has(target)) continue;
      seen.add(target);
      ways.push([...way, target]);
    }
  }
  return null;
}

describe('layers', () => {
  it('finds the files and what they import', () => {
    expect(files).toContain('src/index.ts');
    expect(ownImports.length).toBeGreaterThan(files.length);
    expect(imports.filter(({ target }) => target.startsWith('src/') && !texts.has(target))).toEqual([]);
  });

  it('every file belongs to a room of the table, and every room has files', () => {
    const rooms = new Set(files.map(roomOf));
    expect(Array.from(rooms).sort()).toEqual(Object.keys(TABLE).sort());
  });

  it('the table allows nothing that no file needs', () => {
    const used = new Set(ownImports.map(({ file, target }) => `${roomOf(file)} → ${roomOf(target)}`));
    const idle = Object.entries(TABLE).flatMap(([room, rooms]) =>
      rooms.map((one) => `${room} → ${one}`).filter((arrow) => !used.has(arrow)),
    );
    expect(idle).toEqual([]);
  });

  it('imports go one way down', () => {
    const wrong = ownImports.filter((one) => !mayImport(one));
    expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  it('there are no import circles', () => {
    const circles = files.map(circleThrough).filter((way) => way !== null);
    expect(circles.map((way) => way.join(' → '))).toEqual([]);
  });

  it('of Node the verifier loads node:crypto and nothing else', () => {
    const loaded = imports.filter(
      ({ file, target, isType }) =>
        VERIFIER_ROOMS.includes(roomOf(file)) && target.startsWith('node:') && !isType,
    );
    expect(loaded.filter(({ target }) => !OF_NODE_FOR_VERIFIERS.includes(target))).toEqual([]);
  });

  it('every third-party package is loaded by one file, openpgp by the rooms that read, hold and make keys', () => {
    const loading = foreignImports.filter(({ isType }) => !isType);
    const filesThatLoad = (name: string) =>
      new Set(loading.filter(({ target }) => target === name).map(({ file }) => file));
    const packages = Array.from(new Set(foreignImports.map(({ target }) => target)));
    const others = packages.filter((name) => name !== 'openpgp');
    expect(others.filter((name) => filesThatLoad(name).size !== 1)).toEqual([]);
    expect(Array.from(new Set(Array.from(filesThatLoad('openpgp'), roomOf))).sort()).toEqual(OPENPGP_ROOMS);
    // A type leaves no trace at run time; it only has to stay in the room.
    const roomsOf = (name: string) =>
      new Set(foreignImports.filter(({ target }) => target === name).map(({ file }) => roomOf(file)));
    expect(others.filter((name) => roomsOf(name).size > 1)).toEqual([]);
  });

  it('nothing below cli reaches the clock, the environment, the current folder or the terminal', () => {
    const reaching = files
      .filter((file) => !ABOVE_THE_EDGE.includes(roomOf(file)))
      .flatMap((file) =>
        (texts.get(file) ?? '')
          .split('\n')
          .filter((line) => !/^\s*(?:\/\/|\/?\*)/.test(line) && OUTSIDE_WORLD.test(line))
          .map((line) => `${file}: ${line.trim()}`),
      );
    expect(reaching).toEqual([]);
  });
});
