import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeLock } from '../../src/disk/lock.js';
import { lockPlace } from '../disk/lock-place.js';
import { gnupgHome, hasGnupg } from '../pgp/gnupg.js';
import { epoch, newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';

const DAY_MS = 86_400_000;
const SIGN = ['build', 'dist', '--key', 'ann.signing.asc'];
const UP_TO_DATE = 'published and up to date';

let ann: TestKey;
let bob: TestKey;

beforeAll(async () => {
  [ann, bob] = await Promise.all([newKey('Ann'), newKey('Bob')]);
});

/** A directory with one file, and Ann's key beside it, which the settings name. */
function newDirectory(settings: object = { Key: '../ann.signing.asc' }): Place {
  const place = newPlace();
  place.write('ann.asc', ann.secret);
  place.write('ann.signing.asc', ann.signing);
  place.write('bob.signing.asc', bob.signing);
  place.write('dist/packsign.json', JSON.stringify(settings));
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  return place;
}

/** The headline and the last line of `status`, which agree with its exit status. */
async function ask(
  place: Place,
  args: readonly string[] = ['status', 'dist'],
  env: Readonly<Record<string, string>> = {},
): Promise<readonly [verdict: string, next: string]> {
  const { stdout, status } = await place.packsign(args, { env });
  const lines = stdout.split('\n').slice(0, -1);
  expect(lines.filter((line) => line.startsWith('next: ') || line === 'nothing to do')).toHaveLength(1);
  const [verdict = '', last = ''] = [lines[0]?.replace(/^\S+: /, ''), lines.at(-1)];
  expect([stdout, status]).toEqual([stdout, last === 'nothing to do' ? 0 : 1]);
  return [verdict, last.replace('next: ', '')];
}

/** Types a line as a shell would, but for what the line leaves to the user. */
async function type(place: Place, line: string): Promise<void> {
  const words = (line.match(/(?:'[^']*'|"[^"]*"|\S)+/g) ?? []).map((word) => word.replace(/['"]/g, ''));
  expect(words.shift()).toBe('packsign');
  const filled = words.map((word) =>
    word === 'FILE' ? 'ann.signing.asc' : word === 'TEXT' ? 'rebuilt' : word,
  );
  const { status, stderr } = await place.packsign(filled);
  expect([line, stderr.replace(/^packsign: (?:warning|put back|\d).*\n/gm, ''), status]).toEqual([
    line,
    '',
    0,
  ]);
}

async function publish(place: Place, date = new Date()): Promise<void> {
  const { status, stderr } = await place.packsign(SIGN, { env: epoch(date) });
  expect([stderr, status]).toEqual([expect.any(String), 0]);
}

interface Situation {
  readonly settings?: object;
  readonly make: (place: Place) => unknown;
  readonly verdict: string;
  readonly next: string;
  /** What a person does beforehand; the line is typed if it is a command. */
  readonly mend?: (place: Place) => unknown;
  /** The next line after that; nothing to do if not given. */
  readonly then?: string;
}

const BLOCKED = 'published, and the next release is blocked';

const SITUATIONS: Readonly<Record<string, Situation>> = {
  'a first release': {
    make: () => undefined,
    verdict: 'nothing is published here yet',
    next: 'packsign build dist --sign',
  },
  'a database that waits': {
    make: (place) => place.packsign(['build', 'dist']),
    verdict: 'a database waits to be signed',
    next: 'packsign sign dist',
  },
  'a new file, and no key that is named': {
    settings: {},
    make: async (place) => {
      await publish(place);
      place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
    },
    verdict: 'published, and changes wait to be signed',
    next: 'packsign build dist --key FILE',
  },
  'other bytes': {
    make: async (place) => {
      await publish(place);
      place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0', 'x = 2\n'));
    },
    verdict: BLOCKED,
    next: 'packsign build dist --allow-changed demo-1.0.tar.gz --reason TEXT --sign',
  },
  'other bytes, and no key that is named': {
    settings: {},
    make: async (place) => {
      await publish(place);
      place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0', 'x = 2\n'));
    },
    verdict: BLOCKED,
    next: 'packsign build dist --allow-changed demo-1.0.tar.gz --reason TEXT',
    then: 'packsign sign dist --key FILE',
  },
  'files that changed since a database waits': {
    make: async (place) => {
      await place.packsign(['build', 'dist']);
      place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
    },
    verdict: 'a database waits to be signed, but there are newer changes',
    next: 'packsign build dist --sign',
  },
  'more than half of the files gone': {
    make: async (place) => {
      for (const version of ['1.1', '1.2', '1.3'])
        place.write(`dist/demo-${version}.tar.gz`, sdist('demo', version));
      await publish(place);
      for (const version of ['1.1', '1.2', '1.3']) place.remove(`dist/demo-${version}.tar.gz`);
    },
    verdict: BLOCKED,
    next: 'put the files back',
    mend: (place) => {
      for (const version of ['1.1', '1.2', '1.3'])
        place.write(`dist/demo-${version}.tar.gz`, sdist('demo', version));
    },
  },
  'a damaged file': {
    make: async (place) => {
      await publish(place);
      place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1').subarray(0, 99));
    },
    verdict: BLOCKED,
    next: 'upload it again',
    mend: (place) => place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1')),
    then: 'packsign build dist --sign',
  },
  'a secret': {
    make: async (place) => {
      await publish(place);
      place.write('dist/a.txt', ann.secret);
    },
    verdict: BLOCKED,
    next: 'move them to a place that is never published',
    mend: (place) => {
      place.remove('dist/a.txt');
    },
  },
  'a name of a key that leads nowhere': {
    settings: { Key: '../carl.asc' },
    make: async (place) => {
      await publish(place);
    },
    verdict: 'published; what waits to be signed is unknown',
    next: 'correct "Key" in packsign.json',
    mend: (place) => place.write('dist/packsign.json', '{"Key":"../ann.signing.asc"}'),
  },
  'a key that users do not have': {
    settings: { Key: '../bob.signing.asc' },
    make: async (place) => {
      await publish(place);
    },
    verdict: 'published; what waits to be signed is unknown',
    next: 'packsign key publish dist --key bob.signing.asc',
    mend: (place) => place.write('dist/packsign.json', '{"Key":"../ann.signing.asc"}'),
  },
  'a lost file of the publication': {
    make: async (place) => {
      await publish(place);
      place.remove('dist/keys.gpg');
    },
    verdict: 'published, but files of the publication are missing or out of date',
    next: 'packsign build dist',
  },
  'a page that was edited': {
    settings: { Key: '../ann.signing.asc', Page: true },
    make: async (place) => {
      await publish(place);
      place.write('dist/index.html', 'mine');
    },
    verdict: 'published, but files of the publication are missing or out of date',
    next: 'packsign page dist --force',
  },
  'checksums of somebody else': {
    settings: { Key: '../ann.signing.asc', Checksums: true },
    make: async (place) => {
      await publish(place);
      place.write('dist/SHA256SUMS', 'mine');
    },
    verdict: 'published, but files of the publication are missing or out of date',
    next: 'packsign status dist',
    mend: (place) => {
      for (const name of ['SHA256SUMS', 'SHA256SUMS.asc']) place.remove(`dist/${name}`);
    },
    then: 'packsign build dist --sign',
  },
  'lost keys': {
    make: async (place) => {
      await publish(place);
      place.write('keys', place.read('dist/keys.asc'));
      place.remove('dist/keys.asc');
    },
    verdict: 'what is published does not verify',
    next: 'restore keys.asc from a backup or the published site',
    mend: (place) => place.write('dist/keys.asc', place.read('keys')),
  },
  'a lost database': {
    make: async (place) => {
      await publish(place);
      place.write('kept', place.read('dist/packages.plist'));
      place.remove('dist/packages.plist');
    },
    verdict: 'packages.plist is missing',
    next: 'restore packages.plist from a backup or the published site',
    mend: (place) => place.write('dist/packages.plist', place.read('kept')),
  },
  'a database that is not packsign’s': {
    make: (place) => place.write('dist/packages.plist', '<plist version="1.0"><dict></dict></plist>'),
    verdict: 'packages.plist was not made by packsign',
    next: 'packsign build dist --first --sign',
  },
  'a database that is given up, and no key that is named': {
    settings: {},
    make: (place) => place.write('dist/packages.plist', '<plist version="1.0"><dict></dict></plist>'),
    verdict: 'packages.plist was not made by packsign',
    next: 'packsign build dist --first',
    then: 'packsign sign dist --key FILE',
  },
  'a database that has expired': {
    make: async (place) => {
      await publish(place, new Date(Date.now() - 200 * DAY_MS));
    },
    verdict: 'published, but expired: readers are warned',
    next: 'packsign build dist --sign',
  },
  'a database that expires soon': {
    make: async (place) => {
      await publish(place, new Date(Date.now() - 170 * DAY_MS));
    },
    verdict: 'published, and expires soon',
    next: 'packsign build dist --sign',
  },
  'a destination that has another database': {
    settings: { Key: '../ann.signing.asc', Publish: ['../www'] },
    make: async (place) => {
      mkdirSync(place.path('www'));
      await publish(place);
    },
    verdict: 'signed, and not sent yet',
    next: 'packsign publish dist',
  },
};

describe('status ends with what to do, and when that is done, with nothing to do', () => {
  test.each(Object.entries(SITUATIONS))('%s', async (_, { settings, make, verdict, next, mend, then }) => {
    const place = newDirectory(settings);
    await make(place);
    const before = place.snapshot();
    expect(await ask(place)).toEqual([verdict, next]);
    expect(place.snapshot()).toEqual(before);
    await mend?.(place);
    if (mend === undefined) await type(place, next);
    const after = await ask(place);
    expect(after).toEqual(then === undefined ? [UP_TO_DATE, 'nothing to do'] : [expect.anything(), then]);
    if (then === undefined) return;
    await type(place, then);
    expect(await ask(place)).toEqual([UP_TO_DATE, 'nothing to do']);
  });
});

test('a database that is fresh for less than two weeks needs nothing until packsign would sign it again', async () => {
  const place = newDirectory({ Key: '../ann.signing.asc', Validity: '6 days' });
  await publish(place, new Date(Date.now() - 3 * DAY_MS));
  expect(await ask(place)).toEqual([UP_TO_DATE, 'nothing to do']);
});

test('while another packsign is at work, status says to wait', async () => {
  const place = newDirectory();
  const held = await takeLock(lockPlace(place.path('dist/.packsign')));
  try {
    expect(await ask(place)).toEqual(['another packsign is at work here', 'packsign status dist']);
  } finally {
    held.release();
  }
  expect(await ask(place)).toEqual(['nothing is published here yet', 'packsign build dist --sign']);
});

test('a database that waits for another signature asks for one of the others', async () => {
  const place = newDirectory({ Threshold: 2, Maintainer: 'Ann <ann@example.org>' });
  const keys = ['--key', 'ann.signing.asc', '--key', 'bob.signing.asc'];
  expect(await place.packsign(['build', 'dist', ...keys])).toMatchObject({ status: 0 });
  place.write('dist/demo-1.1.tar.gz', sdist('demo', '1.1'));
  await publish(place);
  place.write('packsign-key.signing.asc', ann.signing);
  expect(await ask(place)).toEqual(['a database waits to be signed', 'packsign sign dist --key FILE']);
  place.write('packsign-key.signing.asc', bob.signing);
  const [, next] = await ask(place);
  expect(next).toBe('packsign sign dist --key packsign-key.signing.asc');
  await type(place, next);
  expect(await ask(place)).toEqual([UP_TO_DATE, 'nothing to do']);
});

test('a host without the files signs only, and the host that publishes takes the signature', async () => {
  const place = newDirectory({});
  await place.packsign(['build', 'dist', '--maintainer', 'Ann <ann@example.org>']);
  place.write('off/packages.unsigned.plist', place.read('dist/packages.unsigned.plist'));
  for (const folder of ['off', 'dist']) place.write(`${folder}/keys.asc`, ann.certificate);
  const offline = ['status', 'off', '--key', 'ann.signing.asc'];
  const [verdict, next] = await ask(place, offline);
  expect([verdict, next]).toEqual([
    'a database waits to be signed',
    'packsign sign off --key ann.signing.asc --without-files',
  ]);
  await type(place, next);
  expect((await ask(place, offline))[1]).toMatch(/^carry packages\.unsigned\.plist\.asc to the host/);
  place.write('dist/packages.unsigned.plist.asc', place.read('off/packages.unsigned.plist.asc'));
  expect(await ask(place)).toEqual([verdict, 'packsign sign dist']);
  await type(place, 'packsign sign dist');
  expect(await ask(place)).toEqual([UP_TO_DATE, 'nothing to do']);
});

test('a waiting database that is damaged is named, with what makes it anew', async () => {
  const place = newDirectory();
  place.write('dist/packages.unsigned.plist', 'x');
  const { stderr, status } = await place.packsign(['status', 'dist']);
  expect([stderr, status]).toEqual([
    expect.stringMatching(
      /dist\/packages\.unsigned\.plist cannot be read[^]*hint: make it again: packsign build dist\n$/,
    ),
    1,
  ]);
  await type(place, 'packsign build dist');
  expect(await ask(place)).toEqual(['a database waits to be signed', 'packsign sign dist']);
});

test('a folder that the user named in another way counts as a destination that has the database', async () => {
  const place = newDirectory({ Key: '../ann.signing.asc', Publish: ['../www', '../mirror'] });
  for (const name of ['www', 'mirror']) mkdirSync(place.path(name));
  await publish(place);
  await type(place, 'packsign publish dist ./www');
  const { value } = await place.json(['status', 'dist']);
  expect([value['attention'], value['unsent']]).toEqual([['UNSENT'], [place.path('mirror')]]);
  await type(place, 'packsign publish dist');
  expect(await ask(place)).toEqual([UP_TO_DATE, 'nothing to do']);
});

describe('a key whose life ends: status says how it gets a new expiry', () => {
  test.each([
    ['soon', 7, 'published; a key expires soon', 'nothing to do'],
    ['before', -1, 'published, but the key that signs has expired', 'packsign build dist --sign'],
  ])('%s', async (...[, days, verdict, then]) => {
    const born = new Date(Date.now() - 20 * DAY_MS);
    const key = await newKey('Eve', { born, lifeSeconds: (20 + days) * 86_400 });
    const place = newDirectory({ Key: '../eve.signing.asc', Validity: `${9 + days} days` });
    place.write('eve.asc', key.secret);
    place.write('eve.signing.asc', key.signing);
    const env = epoch(new Date(Date.now() - 10 * DAY_MS));
    expect(await place.packsign(['build', 'dist', '--sign'], { env })).toMatchObject({ status: 0 });
    expect(await ask(place)).toEqual([verdict, 'packsign key extend eve.asc dist']);
    await type(place, 'packsign key extend eve.asc dist');
    const [, next] = await ask(place);
    expect(next).toBe(then);
  });
});

describe('packsign alone, where nothing is published', () => {
  const NEW = /^packsign key generate --user-id "NAME <ADDRESS>" --output (\S+)$/;

  test('without a key it says how to make one outside of the folder, and then how to sign with it', async () => {
    const place = newDirectory({});
    const [verdict, next] = await ask(place);
    expect([verdict, next]).toEqual(['nothing is published here yet', expect.stringMatching(NEW)]);
    expect(NEW.exec(next)?.[1]).toBe(place.path('home/packsign-key.asc'));
    await type(place, `${next} --no-passphrase`);
    const [, sign] = await ask(place);
    expect(sign).toBe(`packsign build dist --key ${place.path('home/packsign-key.signing.asc')}`);
    await type(place, sign);
    expect(await ask(place)).toEqual([UP_TO_DATE, 'nothing to do']);
  });

  test('in an empty folder it asks for files', async () => {
    const place = newPlace();
    expect(await ask(place, [])).toEqual([
      'nothing is published here yet',
      'copy the files of your release there',
    ]);
    const { stdout } = await place.packsign([]);
    expect(stdout).toContain('packsign --help lists all commands');
  });

  describe.runIf(hasGnupg())('with GnuPG', () => {
    const homes = [gnupgHome(), gnupgHome(), gnupgHome()] as const;
    afterAll(() => {
      for (const home of homes) home.remove();
    });
    const make = (home: (typeof homes)[number], name: string) =>
      home.must([
        '--passphrase',
        '',
        '--quick-generate-key',
        `${name} <x@example.org>`,
        'ed25519',
        'sign',
        '1y',
      ]);

    test('the one secret key is named', async () => {
      const [home] = homes;
      make(home, 'Ann');
      const place = newDirectory({});
      const env = { GNUPGHOME: home.folder };
      const [, next] = await ask(place, ['status', 'dist'], env);
      expect(next).toMatch(/^packsign build dist --key [0-9A-F]{40}$/);
      expect((await place.packsign(next.split(' ').slice(1), { env })).status).toBe(0);
      expect(await ask(place, ['status', 'dist'], env)).toEqual([UP_TO_DATE, 'nothing to do']);
    });

    test('of several keys, the user chooses', async () => {
      const [, home] = homes;
      for (const name of ['Ann', 'Bob']) make(home, name);
      const env = { GNUPGHOME: home.folder };
      const { stdout } = await newDirectory({}).packsign(['status', 'dist'], { env });
      expect(stdout).toMatch(
        /^ {2}name one of [0-9A-F]{40}, [0-9A-F]{40}\nnext: packsign build dist --key FILE\n$/m,
      );
    });

    test('a signing subkey that expires is extended, and not the primary key alone', async () => {
      const [, , home] = homes;
      const quick = (...args: readonly string[]) => home.must(['--passphrase', '', ...args]);
      quick('--quick-generate-key', 'Gus <gus@example.org>', 'ed25519', 'cert', '3y');
      const place = newDirectory({});
      const env = { GNUPGHOME: home.folder };
      const listed = home.must(['--with-colons', '--list-keys']).toString();
      const primary = /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1] ?? '';
      quick('--quick-add-key', primary, 'ed25519', 'sign', '5d');
      const build = ['build', 'dist', '--validity', '3d', '--key', 'gus@example.org'];
      expect((await place.packsign(build, { env })).status).toBe(0);
      const [verdict, next] = await ask(place, ['status', 'dist', '--key', 'gus@example.org'], env);
      expect(verdict).toBe('published; a key expires soon');
      expect(next).toMatch(
        new RegExp(
          `^gpg --quick-set-expire ${primary} 2y [0-9A-F]{40} && packsign key publish dist --key gus@example.org$`,
        ),
      );
      // Nothing tells where the key is: both ways are named.
      const { stdout } = await place.packsign(['status', 'dist'], { env: { GNUPGHOME: place.path('none') } });
      expect(stdout).toContain(`if it is in GnuPG: gpg --quick-set-expire ${primary} 2y `);
    });

    test('packsign makes no folder for GnuPG', async () => {
      const place = newDirectory({});
      await ask(place);
      expect(place.has('home/.gnupg')).toBe(false);
    });
  });
});
