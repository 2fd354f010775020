import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Room → rooms that its files may import, apart from their own. CONTRIBUTING.md, law 1. */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  bin: ['cli', 'index'],
  cli: ['index'],
  index: ['verbs', 'model', 'errors'],
  // The other door: for those who only verify, in browsers too.
  verify: ['verbs', 'model', 'errors'],
  browser: ['verify', 'model'],
  verbs: ['disk', 'format', 'pgp', 'net', 'web', 'model', 'errors'],
  disk: ['format', 'model', 'errors'],
  net: ['format', 'model', 'errors'],
  web: ['format', 'model', 'errors'],
  format: ['model', 'errors'],
  pgp: ['model', 'errors'],
  model: ['errors'],
  errors: [],
};

/** The public API also names types of these. */
const TYPES_FOR_INDEX = ['pgp', 'disk', 'net'];

/** Rooms that must not reach the clock, the environment, the current folder or the terminal. */
const BELOW_CLI = ['verbs', 'disk', 'net', 'web', 'format', 'pgp', 'model', 'errors'];
const OUTSIDE_WORLD = /process\.env\b|process\.cwd\b|\bconsole\.|\bDate\.now\(|\bnew Date\(\s*\)/;

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
  if (file.startsWith('bin/')) return 'bin';
  const [, room = ''] = file.split('/');
  return room.replace(/\.ts$/, '');
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

  it('every file stands in a room of the table', () => {
    expect(files.filter((file) => !Object.hasOwn(TABLE, roomOf(file)))).toEqual([]);
  });

  it('imports go one way down', () => {
    const wrong = ownImports.filter((one) => !mayImport(one));
    expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  it('there are no import circles', () => {
    const circles = files.map(circleThrough).filter((way) => way !== null);
    expect(circles.map((way) => way.join(' → '))).toEqual([]);
  });

  it('every third-party package is loaded by one file, openpgp by those of pgp/', () => {
    const users = new Map<string, Set<string>>();
    for (const { file, target, isType } of foreignImports) {
      // A type leaves no trace at run time; it only has to stay in the room.
      const user = isType || target === 'openpgp' ? roomOf(file) : file;
      users.set(target, (users.get(target) ?? new Set()).add(user));
    }
    const spread = Array.from(users, ([name, who]) => ({ name, who: Array.from(who) })).filter(
      ({ who }) =>
        new Set(who.map((user) => (user.includes('/') ? roomOf(user) : user))).size > 1 ||
        who.filter((user) => user.includes('/')).length > 1,
    );
    expect(spread).toEqual([]);
    expect(Array.from(users.get('openpgp') ?? [])).toEqual(['pgp']);
  });

  it('nothing below cli reaches the clock, the environment, the current folder or the terminal', () => {
    const reaching = files
      .filter((file) => BELOW_CLI.includes(roomOf(file)))
      .flatMap((file) =>
        (texts.get(file) ?? '')
          .split('\n')
          .filter((line) => !/^\s*(?:\/\/|\/?\*)/.test(line) && OUTSIDE_WORLD.test(line))
          .map((line) => `${file}: ${line.trim()}`),
      );
    expect(reaching).toEqual([]);
  });
});
