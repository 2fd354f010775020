import { beforeAll, expect, test } from 'vitest';
import { choosePins } from '../../src/consume/pins.js';
import type { PinCandidates } from '../../src/consume/pins.js';
import { certificateOf, fingerprint, forgeKey } from '../pgp/forge.js';
import { newPlace } from '../packsign.js';
import { ISSUED, certificateFile } from '../threats/scene.js';

const NO_NAMES = { keysFile: null, fingerprints: [], threshold: null } as const;
const A = 'A'.repeat(40);
const B = 'B'.repeat(40);
let all: Required<PinCandidates>;
let keysFile: string;
let named: string;

beforeAll(async () => {
  const [key, published, signing] = await Promise.all(
    ['Named', 'Published', 'Signing'].map((name) => forgeKey({ name })),
  );
  if (key === undefined || published === undefined || signing === undefined) throw new Error('no keys');
  const place = newPlace();
  place.write('named.asc', certificateFile(key));
  keysFile = place.path('named.asc');
  named = fingerprint(key);
  const url = 'https://example.org/packages.plist';
  all = {
    named: { ...NO_NAMES, keysFile },
    known: [],
    published: [await certificateOf(published)],
    signers: [A],
    entry: {
      ...{ name: 'x', url, fingerprints: [B], threshold: 1, grounds: { kind: 'keys' }, added: ISSUED },
      ...{ certificates: null, refreshed: null, accepted: null },
    },
    note: { fingerprints: [A, B], threshold: 2, issued: ISSUED, sha256: '0'.repeat(64) },
    signing: [await certificateOf(signing)],
    beside: true,
  };
});

test('the first candidate that there is decides, from what the user says now to the keys beside the database', async () => {
  const order = ['named', 'published', 'signers', 'entry', 'note', 'signing', 'beside'] as const;
  const chosen: unknown[] = [];
  for (let first = 0; first <= order.length; first += 1) {
    const rest = Object.fromEntries(order.slice(first).map((name) => [name, all[name]]));
    const { pins, pinnedBy } = await choosePins(rest);
    chosen.push([pinnedBy, pins === null || pins === 'beside' ? pins : [pins.fingerprints, pins.threshold]]);
  }
  const [published] = all.published;
  const [signing] = all.signing;
  expect(chosen).toEqual([
    ['option', [[named], 1]],
    ['option', [[published?.fingerprint], 'own']],
    ['option', [[A], 'own']],
    ['store', [[B], 1]],
    ['publisher', [[A, B], 2]],
    ['option', [[signing?.fingerprint], 'own']],
    ['directory', 'beside'],
    [null, null],
  ]);
});

test('a name in the store without keys pins nothing', async () => {
  const { entry } = all;
  if (entry === null) throw new Error('no entry');
  const { pins, pinnedBy } = await choosePins({ named: NO_NAMES, entry: { ...entry, fingerprints: [] } });
  expect([pins, pinnedBy]).toEqual([null, null]);
});

test('a fingerprint that is named twice is one key, which no threshold of two can ask', async () => {
  const twice = { ...NO_NAMES, fingerprints: [A, A] };
  expect((await choosePins({ named: twice })).pins).toEqual({ fingerprints: [A], threshold: 1 });
  await expect(choosePins({ named: { ...twice, threshold: 2 } })).rejects.toMatchObject({ code: 'USAGE' });
  await expect(choosePins({ named: { ...twice, threshold: 0 } })).rejects.toMatchObject({ code: 'USAGE' });
});

test('a named file that is missing or no certificate is an error, not a reason to look further', async () => {
  const gone = { ...all, named: { ...NO_NAMES, keysFile: `${keysFile}.gone` } };
  await expect(choosePins(gone)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  const place = newPlace();
  place.write('x.asc', 'no key');
  const wrong = { ...all, named: { ...NO_NAMES, keysFile: place.path('x.asc') } };
  await expect(choosePins(wrong)).rejects.toMatchObject({ code: 'KEYS_MALFORMED' });
});
