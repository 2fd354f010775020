import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { digestFile, lookUp, sha256Of, verifyDatabase } from '../../src/verify.js';
import type { Database } from '../../src/verify.js';
import { fingerprint, subkeyOf } from '../pgp/forge.js';
import {
  DEMO,
  ISSUED,
  certificateFile,
  database,
  databaseText,
  minutes,
  people,
  sha256,
  signatureFile,
} from '../threats/scene.js';
import type { People } from '../threats/scene.js';

const NOW = minutes(ISSUED, 60);
const bytes = Buffer.from(databaseText());

let all: People;
let signature: Uint8Array;
beforeAll(async () => {
  all = await people();
  signature = await signatureFile(bytes, { by: [subkeyOf(all.ann)] });
});

const keysOfAnn = () => ({ keys: certificateFile(all.ann), fingerprints: [fingerprint(all.ann)], now: NOW });

describe('packsign/verify', () => {
  it('returns a database that enough trusted keys have signed', async () => {
    const verdict = await verifyDatabase(bytes, signature, keysOfAnn());
    expect(verdict).toMatchObject({ status: 'authentic', code: null, sha256: sha256(bytes) });
    expect(Array.from(verdict.database!.Files.keys())).toEqual(['demo-1.0.tar.gz', 'sub/other-2.0.tar.gz']);
    expect(verdict.signatures).toMatchObject([{ fingerprint: fingerprint(all.ann), counts: true }]);
  });

  it('takes fingerprints as people write them', async () => {
    const spaced = fingerprint(all.ann).toLowerCase().replaceAll(/.{4}/g, '$& ');
    const verdict = await verifyDatabase(bytes, signature, { ...keysOfAnn(), fingerprints: [spaced] });
    expect(verdict.status).toBe('authentic');
  });

  it('trusts all given keys if the caller names no fingerprints', async () => {
    const verdict = await verifyDatabase(bytes, signature, { ...keysOfAnn(), fingerprints: null });
    expect(verdict.status).toBe('authentic');
  });

  it.each([
    ['SIGNATURE_MISSING', () => verifyDatabase(bytes, null, keysOfAnn())],
    ['SIGNATURE_INVALID', () => verifyDatabase(Buffer.from(`${bytes.toString()}\n`), signature, keysOfAnn())],
    [
      'SIGNATURE_INVALID',
      () =>
        verifyDatabase(bytes, signature, { keys: certificateFile(all.bob), fingerprints: null, now: NOW }),
    ],
    ['SIGNATURE_MALFORMED', () => verifyDatabase(bytes, bytes, keysOfAnn())],
    ['KEYS_MALFORMED', () => verifyDatabase(bytes, signature, { ...keysOfAnn(), keys: bytes })],
    ['TOO_FEW_SIGNATURES', () => verifyDatabase(bytes, signature, { ...keysOfAnn(), threshold: 2 })],
    [
      'DATABASE_ROLLED_BACK',
      () =>
        verifyDatabase(bytes, signature, {
          ...keysOfAnn(),
          accepted: { issued: minutes(ISSUED, 1), sha256: sha256(DEMO) },
        }),
    ],
  ])('refuses with %s', async (code, verify) => {
    expect(await verify()).toMatchObject({ status: 'refused', code, database: null });
  });

  it('a threshold of 0 requires one signature', async () => {
    const verdict = await verifyDatabase(bytes, signature, {
      keys: certificateFile(all.bob),
      fingerprints: null,
      threshold: 0,
      now: NOW,
    });
    expect(verdict.status).toBe('refused');
  });

  it('calls an expired database stale', async () => {
    const verdict = await verifyDatabase(bytes, signature, { ...keysOfAnn(), now: minutes(ISSUED, 1e6) });
    expect(verdict).toMatchObject({ status: 'stale', code: 'DATABASE_STALE' });
  });

  it('hashes a file piece by piece', async () => {
    // eslint-disable-next-line @typescript-eslint/require-await
    async function* pieces() {
      yield DEMO.subarray(0, 7);
      yield DEMO.subarray(7);
    }
    expect(await digestFile(pieces())).toEqual({ size: DEMO.length, sha256: sha256Of(DEMO) });
  });
});

describe('looking a file up', () => {
  const demo = { name: 'demo-1.0.tar.gz', size: DEMO.length, sha256: sha256(DEMO) };
  const other = sha256(Buffer.from('other bytes'));
  const base = database();
  const [path] = base.Files.keys();

  it('finds it by its bytes, and tells whether it has its name', () => {
    expect(lookUp(base, { ...demo, name: 'demo-1.0.tar (1).gz' })).toMatchObject({ kind: 'listed', path });
    expect(lookUp(base, { ...demo, name: 'download (1).gz' })).toMatchObject({ kind: 'renamed', path });
  });

  it('tells which bytes a file of this name should have', () => {
    expect(lookUp(base, { ...demo, sha256: other })).toMatchObject({
      kind: 'altered',
      path,
      entry: { SHA256: demo.sha256 },
    });
    expect(lookUp(base, { ...demo, size: 1 }).kind).toBe('altered');
  });

  it('finds a file in a folder by its file name alone', () => {
    expect(lookUp(base, { ...demo, name: 'other-2.0.tar.gz', sha256: other })).toMatchObject({
      kind: 'altered',
      path: 'sub/other-2.0.tar.gz',
    });
  });

  it('compares a file with the one that the caller named', () => {
    expect(lookUp(base, demo, 'sub/other-2.0.tar.gz').kind).toBe('altered');
    expect(lookUp(base, demo, 'demo-1.0.tar.gz').kind).toBe('listed');
    expect(lookUp(base, demo, 'nothing-1.0.tar.gz').kind).toBe('unknown');
  });

  it('tells why bytes were yanked or withdrawn', () => {
    const archive = base.Files.get('demo-1.0.tar.gz')!;
    const yanked: Database = {
      ...base,
      Files: new Map([['demo-1.0.tar.gz', { ...archive, Yanked: 'loses data' }]]),
    };
    expect(lookUp(yanked, demo)).toMatchObject({ kind: 'yanked', reason: 'loses data' });
    const withdrawal = { SHA256: other, Until: ISSUED, Reason: 'built again' };
    const replaced: Database = {
      ...base,
      Packsign: { ...base.Packsign, History: new Map([['demo-1.0.tar.gz', [withdrawal]]]) },
    };
    expect(lookUp(replaced, { ...demo, sha256: other })).toEqual({
      kind: 'withdrawn',
      path: 'demo-1.0.tar.gz',
      withdrawal,
    });
    expect(lookUp(replaced, { ...demo, name: 'x', sha256: other }).kind).toBe('withdrawn');
  });

  it('knows nothing of anything else', () => {
    expect(lookUp(base, { name: 'x.zip', size: 3, sha256: other })).toEqual({ kind: 'unknown' });
  });
});

describe('the bundle for browsers', () => {
  const bundle = readFileSync(resolve('dist/browser/verify.js'), 'utf8');

  it('imports OpenPGP.js, which it does not contain, and nothing else', () => {
    const imports = Array.from(bundle.matchAll(/^import[^;]*?from "([^"]+)"/gm), ([, name]) => name);
    expect(Array.from(new Set(imports))).toEqual(['openpgp/lightweight']);
    expect(bundle).not.toMatch(/import\("|require\(/);
  });
});
