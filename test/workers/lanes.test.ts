import { createHash, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import type { Database } from '../../src/model/database.js';
import { epoch, newPlace, tarball } from '../packsign.js';
import type { Place } from '../packsign.js';

const MIB = 1024 * 1024;
const COUNT = 18;

/** Large enough to be read together; some have their metadata behind all that is read at first. */
function newRelease(index: number): Buffer {
  const top = `many${index}-1.0`;
  const info = {
    path: `${top}/PKG-INFO`,
    bytes: `Name: many${index}\nVersion: 1.0\nSummary: number ${index}\n\n`,
  };
  const body = { path: `${top}/data`, bytes: randomBytes(4 * MIB + index * 1001) };
  return tarball(index % 3 === 0 ? [body, info] : [info, body]);
}

let place: Place;
const releases = new Map<string, Buffer>();

beforeAll(() => {
  place = newPlace();
  for (let index = 0; index < COUNT; index += 1) releases.set(`many${index}-1.0.tar.gz`, newRelease(index));
  for (const [name, bytes] of releases) place.write(`dist/${name}`, bytes);
});

async function build(settings: object, nodeOptions = ''): Promise<Database> {
  place.write('dist/packsign.json', JSON.stringify({ Maintainer: 'Ann <ann@example.org>', ...settings }));
  const env = { ...epoch('2026-03-01T12:00:00Z'), NODE_OPTIONS: nodeOptions };
  const outcome = await place.process(['build', 'dist', '--rehash'], { env });
  // Node says what becomes of its own flags.
  const said = outcome.stderr.replace(/^Warning: disabling flag --expose_wasm .*\n/m, '');
  expect([outcome.status, said]).toEqual([0, '']);
  return decodeDatabase(place.read('dist/packages.unsigned.plist'));
}

describe('MD5 of many long archives', () => {
  test('is right for each file, read once with its SHA-256 and its metadata', async () => {
    const { Files, Packages } = await build({});
    for (const [name, bytes] of releases) {
      expect(Files.get(name)?.SHA256).toBe(createHash('sha256').update(bytes).digest('hex'));
      const entry = Packages.find((each) => each['Download-URL'] === name);
      expect(entry?.MD5Sum).toBe(createHash('md5').update(bytes).digest('hex'));
      expect(entry?.Description).toMatch(/^number \d+$/);
    }
    expect(Packages).toHaveLength(COUNT);
  });

  test('is the same without WebAssembly', async () => {
    const together = await build({});
    expect(await build({}, '--jitless')).toEqual(together);
  });

  test('is not computed if no PackMan client is served', async () => {
    const { Packages } = await build({ PackMan: false });
    expect(Packages.filter((entry) => entry.MD5Sum !== undefined)).toEqual([]);
  });
});
