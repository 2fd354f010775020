import { createServer } from 'node:http';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import { enums } from 'openpgp';
import type { PrivateKey } from 'openpgp';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifyDatabase } from '../../../src/verify.js';
import type { Verdict } from '../../../src/verify.js';
import { encodeArmor } from '../../../src/pgp/armor.js';
import { CERTIFICATE_FILE } from '../../../src/pgp/origin.js';
import { hashedKey } from '../../../src/pgp/packet-objects.js';
import { joinPackets, splitPackets } from '../../../src/pgp/packets.js';
import type { Packet } from '../../../src/pgp/packets.js';
import { joinSignatures } from '../../../src/pgp/signatures.js';
import { forgeKey, forgePacket, forgeSignature, primaryOf, publicBytes, subkeyOf } from '../../pgp/forge.js';
import {
  ISSUED,
  certificateFile,
  databaseText,
  minutes,
  people,
  signatureFile,
} from '../../threats/scene.js';
import { hasBrowser, useBrowser, visit } from './browser.js';
import type { Visit } from './browser.js';

/** The cases, for Node and the browser alike. */
interface Case {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array | null;
  readonly keys: Uint8Array;
  readonly minutes: number;
  readonly threshold: number;
}

const GOOD = Buffer.from(databaseText());

async function cases(): Promise<readonly Case[]> {
  const { ann, bob, mallory } = await people();
  const rsa = await forgeKey({ name: 'Rsa', rsa: true });
  const curves = await Promise.all(
    (['nistP256', 'nistP384', 'nistP521'] as const).map((curve) => forgeKey({ name: curve, curve })),
  );
  const both = await signatureFile(GOOD, { by: [subkeyOf(ann), subkeyOf(bob)] });
  const ours = await signatureFile(GOOD, { by: [subkeyOf(ann)] });
  const over = async (hash: enums.hash) =>
    joinSignatures([await forgeSignature(subkeyOf(ann), GOOD, { date: ISSUED, hash })]);
  const base = { bytes: GOOD, signature: ours, keys: certificateFile(ann), minutes: 60, threshold: 1 };
  const named = (text: string) => Buffer.from(text);
  const odd = named(GOOD.toString().replace('does demo', 'does\u2028demo'));
  const spaced = named(GOOD.toString().replace('<dict>', '<dict> '));
  return [
    { ...base, name: 'good' },
    { ...base, name: 'by its primary key', signature: await signatureFile(GOOD, { by: [primaryOf(ann)] }) },
    { ...base, name: 'stale', minutes: 1e6 },
    { ...base, name: 'of the future', minutes: -11 },
    { ...base, name: 'unsigned', signature: null },
    { ...base, name: 'changed', bytes: named(GOOD.toString().replace('1.0', '1.1')) },
    { ...base, name: 'by another key', keys: certificateFile(mallory) },
    { ...base, name: 'two of two', keys: certificateFile(ann, bob), signature: both, threshold: 2 },
    { ...base, name: 'one of two', keys: certificateFile(ann, bob), threshold: 2 },
    { ...base, name: 'no signature file', signature: GOOD },
    { ...base, name: 'no certificate file', keys: GOOD },
    { ...base, name: 'a binary signature', signature: Buffer.from([0xc2, 0x01, 0x04]) },
    {
      ...base,
      name: 'a forbidden character',
      bytes: odd,
      signature: await signatureFile(odd, { by: [subkeyOf(ann)] }),
    },
    {
      ...base,
      name: 'not canonical',
      bytes: spaced,
      signature: await signatureFile(spaced, { by: [subkeyOf(ann)] }),
    },
    {
      ...base,
      name: 'RSA',
      keys: certificateFile(rsa),
      signature: await signatureFile(GOOD, { by: [subkeyOf(rsa)] }),
    },
    // The browser loads the code for these hashes only now.
    ...(await Promise.all(
      (['ripemd', 'sha224', 'sha3_256'] as const).map(async (hash) => ({
        ...base,
        name: `revoked over ${hash}`,
        keys: await revokedFile(rsa, hash),
        signature: await signatureFile(GOOD, { by: [subkeyOf(rsa)] }),
      })),
    )),
    { ...base, name: 'signed over SHA-512', signature: await over(enums.hash.sha512) },
    { ...base, name: 'signed over SHA3-512', signature: await over(enums.hash.sha3_512) },
    ...(await Promise.all(
      curves.map(async (key, index) => ({
        ...base,
        name: `NIST ${['P-256', 'P-384', 'P-521'][index] ?? ''}`,
        keys: certificateFile(key),
        signature: await signatureFile(GOOD, { by: [subkeyOf(key)] }),
      })),
    )),
  ];
}

/** The key after a hard revocation over this hash. */
async function revokedFile(key: PrivateKey, hash: 'ripemd' | 'sha224' | 'sha3_256'): Promise<Uint8Array> {
  const [primary, ...rest] = splitPackets(publicBytes(key), CERTIFICATE_FILE) as readonly [
    Packet,
    ...Packet[],
  ];
  const revocation = await forgePacket(
    primaryOf(key),
    { key: hashedKey(primary.body) },
    {
      type: enums.signature.keyRevocation,
      hash: enums.hash[hash],
    },
  );
  const packets = [primary, { tag: 2, body: revocation.write() }, ...rest];
  return encodeArmor(joinPackets(packets), 'PUBLIC KEY BLOCK');
}

/** A verdict as JSON carries it. */
function plain({ status, code, sha256, message, signatures, database }: Verdict): unknown {
  const archives = Array.from(database?.Files ?? []);
  return JSON.parse(JSON.stringify({ status, code, sha256, message, signatures, archives })) as unknown;
}

// As in a web application, whose bundler finds the build for browsers by itself.
const APPLICATION = `
import { verifyDatabase } from 'packsign/verify';
globalThis.judge = async ({ bytes, signature, keys, now, threshold }) => {
  const verdict = await verifyDatabase(new Uint8Array(bytes), signature && new Uint8Array(signature), {
    keys: new Uint8Array(keys), fingerprints: null, threshold, now: new Date(now),
  });
  const { status, code, sha256, message, signatures, database } = verdict;
  const archives = Array.from(database?.Files ?? []);
  return JSON.stringify({ status, code, sha256, message, signatures, archives });
};`;

async function application(): Promise<Visit> {
  const { outputFiles } = await build({
    stdin: { contents: APPLICATION, resolveDir: resolve('.') },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    logLevel: 'silent',
  });
  const script = outputFiles[0]?.text ?? '';
  const server = createServer((request, response) => {
    const isScript = request.url === '/application.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    response.end(
      isScript
        ? script
        : '<!doctype html><link rel="icon" href="data:,"><script type="module" src="application.js"></script>',
    );
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  server.unref();
  const { port } = server.address() as { port: number };
  return await visit('', { url: `http://localhost:${port}/` });
}

describe.skipIf(!hasBrowser)('packsign/verify in a browser', () => {
  useBrowser();
  let all: readonly Case[];
  let there: Visit;
  beforeAll(async () => {
    all = await cases();
    there = await application();
  });

  it('gives the same verdict as in Node for every case', async () => {
    const answers: Record<string, { node: unknown; browser: unknown }> = {};
    for (const { name, bytes, signature, keys, threshold, minutes: age } of all) {
      const now = minutes(ISSUED, age);
      const node = plain(
        await verifyDatabase(bytes, signature, { keys, fingerprints: null, threshold, now }),
      );
      const sent = {
        bytes: Array.from(bytes),
        signature: signature === null ? null : Array.from(signature),
        keys: Array.from(keys),
        threshold,
        now: now.toISOString(),
      };
      const said = await there.page.evaluate(
        (input) => (globalThis as unknown as { judge: (value: object) => Promise<string> }).judge(input),
        sent,
      );
      answers[name] = { node, browser: JSON.parse(said) };
    }
    const ofNode = Object.entries(answers).map(([name, { node }]) => [name, node]);
    const ofBrowser = Object.entries(answers).map(([name, { browser }]) => [name, browser]);
    expect(ofBrowser).toEqual(ofNode);
    const statuses = Object.entries(answers).map(
      ([name, { node }]) => `${name}: ${(node as Verdict).status}`,
    );
    expect(statuses.filter((line) => line.endsWith('authentic')).map((line) => line.split(':')[0])).toEqual([
      'good',
      'by its primary key',
      'two of two',
      'RSA',
      'signed over SHA-512',
      'signed over SHA3-512',
      'NIST P-256',
      'NIST P-384',
      'NIST P-521',
    ]);
    // It says so when WebCrypto lacks a hash, and computes it itself.
    const complaints = there.complaints.filter((line) => !line.startsWith('[OpenPGP.js debug]'));
    expect(complaints).toEqual([]);
  });
});
