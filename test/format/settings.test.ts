import { describe, expect, test } from 'vitest';
import { checkSettings, decodeSettings } from '../../src/format/settings.js';
import type { Settings } from '../../src/model/settings.js';
import { parseDuration, validitySeconds } from '../../src/model/settings.js';

function read(value: unknown): Settings {
  return decodeSettings(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
}

function complaint(value: unknown): string {
  try {
    read(value);
  } catch (error) {
    expect(error).toMatchObject({ code: 'SETTINGS_INVALID' });
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

const FINGERPRINT = 'ABCDEF0123'.repeat(4);

test('every setting', () => {
  const overrides = {
    demo: { Flavor: 'binary', Yanked: 'leaks' },
    'a-1.0.zip': { Name: 'a', 'Systemwide-only': true },
  };
  const trust = {
    URL: 'https://example.org/packages.plist',
    Fingerprints: [FINGERPRINT],
    Threshold: 1,
    Maintainer: 'Bob',
  };
  const settings = {
    Maintainer: 'Ann <ann@example.org>',
    Description: '',
    'Base-URL': 'https://example.org/',
    Database: 'http://example.org/packages.plist',
    Notify: 'mailto:ann@example.org',
    Mirrors: ['https://mirror.example.org/'],
    Validity: '180 days',
    Key: ['ann.asc'],
    Signers: [FINGERPRINT],
    Threshold: 1,
    PackMan: false,
    Scrub: '7 days',
    Settle: '2s',
    Exclude: ['*.whl'],
    Trusts: [{ ...trust, Include: true }],
    Page: true,
    'Store-Hashes': true,
  };
  expect(read({ $schema: 'x', ...settings, Packages: overrides })).toEqual({
    ...settings,
    Packages: new Map(Object.entries(overrides)),
  });
});

test('keys in any order, and none at all', () => {
  expect(read({})).toEqual({});
  expect(read({ Threshold: 2, Description: 'x' })).toEqual({ Description: 'x', Threshold: 2 });
});

describe('an unknown key is an error that names the most similar key', () => {
  test.each([
    ['Maintainr', 'Maintainer'],
    ['maintainer', 'Maintainer'],
    ['BaseURL', 'Base-URL'],
    ['base_url', 'Base-URL'],
    ['Treshold', 'Threshold'],
    ['Mirror', 'Mirrors'],
    ['Excludes', 'Exclude'],
  ])('%s', (key, meant) => {
    expect(complaint({ [key]: 'x' })).toBe(
      `packsign.json: ${key}: is not a setting; did you mean "${meant}"?`,
    );
  });

  test('and names none if none is similar', () => {
    expect(complaint({ Colour: 'x' })).not.toContain('mean');
  });

  test('in overrides and trusts too', () => {
    expect(complaint({ Packages: { demo: { 'Install-Command': 'x' } } })).toContain(
      'did you mean "Install-command"?',
    );
    expect(complaint({ Trusts: [{ Url: 'https://example.org', Fingerprints: [FINGERPRINT] }] })).toContain(
      'did you mean "URL"?',
    );
  });

  test('__proto__ and constructor are unknown keys like any other', () => {
    expect(complaint('{"__proto__": {"Maintainer": "Ann"}}')).toContain('__proto__');
    expect(complaint('{"constructor": "x"}')).toContain('constructor');
  });
});

describe('what would become too long for a database, or for anything else, is an error', () => {
  const long = (length: number) => 'a'.repeat(length);
  const far = `https://example.org/${long(2048)}`;
  test.each<[string, object, string]>([
    ['a glob', { Include: ['*.txt', long(1025)] }, 'expected at most 1024 characters'],
    ['Base-URL', { 'Base-URL': far }, 'Base-URL: expected at most 2048 characters'],
    ['Database', { Database: far }, 'Database: expected at most 2048 characters'],
    ['a mirror', { Mirrors: [far] }, 'expected at most 2048 characters'],
    ['a name', { Packages: { demo: { Name: long(1025) } } }, 'expected at most 1024 characters'],
    ['a version', { Packages: { demo: { Version: long(1025) } } }, 'expected at most 1024 characters'],
    ['a key', { Packages: { [long(1025)]: { Flavor: 'hidden' } } }, 'expected at most 1024 characters'],
  ])('%s', (_what, settings, said) => {
    expect(complaint(settings)).toContain(said);
  });

  test('lists and objects that nest too deep too', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const deep = `${open.repeat(5000)}1${close.repeat(5000)}`;
      expect(complaint(`{"Packages": ${deep}}`)).toContain('nests deeper than 32 levels');
    }
  });
});

test.each(['Include', 'Exclude', 'Mutable'])('an empty glob in %s is an error', (key) => {
  for (const glob of ['', '/'])
    expect(complaint({ [key]: [glob] })).toContain('expected a glob like "*.tar.gz"');
});

test.each([
  ['https://Example.org:443/dist/', 'https://example.org/dist/packages.plist'],
  ['https://example.org/dist', 'https://example.org/dist/packages.plist'],
  ['https://example.org/dist/index.html', 'https://example.org/dist/packages.plist'],
  ['https://example.org', 'https://example.org/packages.plist'],
  ['https://example.org/dist/x.plist', 'https://example.org/dist/x.plist'],
])('the address of a database may name its folder: %s', (typed, address) => {
  const Trusts = [{ URL: typed, Fingerprints: [FINGERPRINT] }];
  const settings = read({ Database: typed, Trusts });
  expect([settings.Database, settings.Trusts?.[0]?.URL]).toEqual([address, address]);
});

test('the keys of Trusts are sorted, each once, and its threshold is not above their number', () => {
  const other = 'A'.repeat(40);
  const URL = 'https://example.org/packages.plist';
  const trusts = (Fingerprints: readonly string[], Threshold: number) => ({
    Trusts: [{ URL, Fingerprints, Threshold }],
  });
  const { Trusts } = read(trusts([FINGERPRINT, other, FINGERPRINT.toLowerCase()], 2));
  expect(Trusts?.[0]?.Fingerprints).toEqual([other, FINGERPRINT]);
  for (const wrong of [trusts([other], 2), trusts([other, other], 2), trusts([other], 0), trusts([], 1)]) {
    expect(complaint(wrong)).toBe(
      'packsign.json: Trusts › "[1]" › the threshold must be from 1 to the number of fingerprints',
    );
  }
});

describe('fingerprints', () => {
  test('in any case, with spaces', () => {
    const typed = FINGERPRINT.toLowerCase().match(/.{4}/g)!.join(' ');
    expect(read({ Signers: [typed, ` ${FINGERPRINT} `] }).Signers).toEqual([FINGERPRINT, FINGERPRINT]);
  });

  test.each(['ABCDEF01', '', 'G'.repeat(40), `${FINGERPRINT}A`, 7])('%s is none', (value) => {
    expect(complaint({ Signers: [value] })).toContain('expected a full fingerprint of 40 hex digits');
  });
});

describe('T26: settings run no commands', () => {
  test.each(['exec:id', ['ann.asc', 'exec:id']])('%j', (Key) => {
    expect(complaint({ Key })).toContain('a command may only be given with --key or PACKSIGN_KEY');
  });

  test.each([' exec:id', 'EXEC:id', 'Exec:id'])('nor in another spelling: %j', (Key) => {
    // Read as the name of a file, or refused; never as a command.
    const outcome = (() => {
      try {
        return read({ Key }).Key;
      } catch {
        return 'refused';
      }
    })();
    expect(['refused', [Key]]).toContainEqual(outcome);
  });
});

test('a single key needs no array', () => {
  expect(read({ Key: 'ann.asc' }).Key).toEqual(['ann.asc']);
  expect(complaint({ Key: '' })).toContain('Key');
});

describe('values', () => {
  test.each<readonly [string, unknown]>([
    ['Maintainer', ''],
    ['Maintainer', 7],
    ['Maintainer', 'Ann\u0007'],
    ['Maintainer', 'Ann\u202e'],
    ['Maintainer', 'Ann\u2028'],
    ['Packages', { 'de mo': {} }],
    ['Base-URL', 'example.org'],
    ['Base-URL', 'https://example.org/a b'],
    ['Base-URL', 'https://example.org/?q'],
    ['Base-URL', 'https://example.org/#f'],
    ['Base-URL', 'HTTPS://example.org/'],
    ['Maintainer', '  '],
    ['Validity', '300ms'],
    ['Database', 'https://ann@example.org/'],
    ['Database', 'https://example.org/#a'],
    ['Notify', 'mailto:'],
    ['Mirrors', ['https://mirror.example.org/?q']],
    ['Packages', { demo: { Description: ' \n' } }],
    ['Database', 'file:///packages.plist'],
    ['Notify', 'ann@example.org'],
    ['Notify', 'http://example.org'],
    ['Mirrors', 'https://example.org'],
    ['Validity', 'soon'],
    ['Validity', '0 days'],
    ['Validity', '-1 day'],
    ['Settle', 'none'],
    ['Threshold', 0],
    ['Threshold', 1.5],
    ['Threshold', '2'],
    ['PackMan', 'false'],
    ['PackMan', null],
    ['Exclude', ['']],
    ['Packages', []],
    ['Packages', { demo: 'x' }],
    ['Packages', { demo: { Name: 'de mo' } }],
    ['Packages', { demo: { Yanked: true } }],
    ['Trusts', [{ URL: 'https://example.org' }]],
  ])('%s: %j', (key, value) => {
    expect(complaint({ [key]: value })).toMatch(new RegExp(`^packsign\\.json: ${key}`));
  });

  test.each(['', 'Maintainer: Ann', '[]', '"x"', 'null', '{"Maintainer": "Ann",}', '\ufeff\ufeff{}'])(
    '%j is no settings file',
    (text) => {
      complaint(text);
    },
  );

  test('text longer than 64 KiB', () => {
    expect(complaint({ Maintainer: 'x'.repeat(64 * 1024 + 1) })).toBe(
      'packsign.json: Maintainer: is longer than 65536 bytes',
    );
  });

  test('the error names the place', () => {
    expect(complaint({ Packages: { demo: { Description: 'a\u0007' } } })).toBe(
      'packsign.json: Packages › demo › Description › holds a control character, which a database cannot hold',
    );
    expect(complaint({ Mirrors: ['https://example.org', 1.5] })).toContain('Mirrors › "[2]"');
  });

  test.each(['de mo', '', 'd\u00e9mo', 'a\u001b', 'xxx\n'])(
    'no package and no archive is called %j',
    (name) => {
      expect(complaint({ Packages: { [name]: { Version: '1' } } })).toContain('the name of a package');
    },
  );

  test('bytes that are not UTF-8', () => {
    expect(() => decodeSettings(Buffer.from('{"Maintainer": "\xe9"}', 'latin1'))).toThrow(/is not JSON/);
  });

  test('the error names the options that a value came from', () => {
    expect(() => checkSettings({ Validity: 'soon' }, 'options')).toThrow(/^options: Validity/);
  });
});

test('durations', () => {
  const day = 86_400;
  const known: Readonly<Record<string, number | null>> = {
    '180 days': 180 * day,
    '1 day': day,
    '2y': 730 * day,
    '1.5 hours': 5400,
    '300ms': 0.3,
    ' 2 s ': 2,
    '2S': 2,
    '3w': 21 * day,
    '10': null,
    day: null,
    '': null,
    '0s': null,
    '-1d': null,
    '1e3s': null,
    '2 constructor': null,
    '1 month': null,
  };
  for (const [text, seconds] of Object.entries(known))
    expect([text, parseDuration(text)]).toEqual([text, seconds]);
  expect(validitySeconds({})).toBe(180 * day);
  expect(validitySeconds({ Validity: 'none' })).toBeNull();
});
