import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { AnySecretKeyPacket, PrivateKey } from 'openpgp';
import { encodeDatabase } from '../../src/format/encode-database.js';
import type { Database } from '../../src/model/database.js';
import { encodeArmor } from '../../src/pgp/armor.js';
import { joinSignatures } from '../../src/pgp/signatures.js';
import { newPlace, sdist } from '../packsign.js';
import type { Answer, Place } from '../packsign.js';
import { decodePlist, encodePlist } from '../plist.js';
import type { PlistDict, PlistValue } from '../plist.js';
import { fingerprint, forgeKey, forgeSignature, publicBytes, subkeyOf } from '../pgp/forge.js';

/** Directories as an attacker, or a careless tool, would leave them: signed properly or not, by whomever. */

export const DEMO = sdist('demo', '1.0');
export const OTHER = sdist('other', '2.0');

/** The database was issued an hour ago and has half a year to live. */
export const ISSUED = new Date(Math.floor(Date.now() / 1000) * 1000 - 3_600_000);

/** Later or earlier by so much, in whole seconds as databases have them. */
export function minutes(from: Date, count: number): Date {
  return new Date(Math.floor(from.getTime() / 1000) * 1000 + count * 60_000);
}

/** Ann is the maintainer, Bob signs too, Mallory is nobody. */
export interface People {
  readonly ann: PrivateKey;
  readonly bob: PrivateKey;
  readonly mallory: PrivateKey;
}

export async function people(): Promise<People> {
  return {
    ann: await forgeKey({ name: 'Ann' }),
    bob: await forgeKey({ name: 'Bob' }),
    mallory: await forgeKey({ name: 'Mallory' }),
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export interface DatabaseOptions {
  readonly issued?: Date;
  readonly expires?: Date | null;
  readonly signers?: Database['Packsign']['Signers'];
  readonly archives?: Readonly<Record<string, Uint8Array>>;
}

/** A good database of two archives. */
export function database(options: DatabaseOptions = {}): Database {
  const issued = options.issued ?? ISSUED;
  const expires = options.expires === undefined ? minutes(issued, 180 * 24 * 60) : options.expires;
  const files = options.archives ?? { 'demo-1.0.tar.gz': DEMO, 'sub/other-2.0.tar.gz': OTHER };
  return {
    Version: '0.5',
    ...(options.signers === undefined ? {} : { Maintainer: 'Ann <ann@example.org>' }),
    Description: '',
    Packages: [
      {
        Name: 'demo',
        Version: '1.0',
        Flavor: 'source',
        Description: 'does demo',
        'Download-URL': 'demo-1.0.tar.gz',
        'Install-test': 'import demo',
      },
    ],
    Files: new Map(
      Object.entries(files).map(([path, bytes]) => {
        const identity = { Name: 'demo', Version: '1.0', Flavor: 'source' };
        return [path, { ...identity, Size: bytes.length, SHA256: sha256(bytes), Since: issued }];
      }),
    ),
    Packsign: {
      Format: 1,
      Issued: issued,
      ...(expires === null ? {} : { Expires: expires }),
      ...(options.signers === undefined ? {} : { Signers: options.signers }),
    },
  };
}

export function databaseText(options: DatabaseOptions = {}): string {
  return encodeDatabase(database(options)).toString();
}

/** A canonical document after an edit of its values: signed properly, it is the maintainer who is at fault. */
export function edited(text: string, edit: (document: Map<string, PlistValue>) => void): string {
  const document = new Map(decodePlist(Buffer.from(text)));
  edit(document);
  return encodePlist(document);
}

/** The dictionary at a path of keys, to be changed in place. */
export function dictAt(document: PlistDict, ...path: readonly string[]): Map<string, PlistValue> {
  return path.reduce(
    (dict, key) => dict.get(key) as Map<string, PlistValue>,
    document as Map<string, PlistValue>,
  );
}

export interface Signing {
  /** Whose keys sign; the subkey of each. */
  readonly by: readonly AnySecretKeyPacket[];
  readonly date?: Date;
}

/** A signature file over any bytes. */
export async function signatureFile(bytes: Uint8Array, { by, date = ISSUED }: Signing): Promise<Uint8Array> {
  const signatures = [];
  for (const key of by) signatures.push(await forgeSignature(key, bytes, { date }));
  return joinSignatures(signatures);
}

export function certificateFile(...keys: readonly PrivateKey[]): Uint8Array {
  return encodeArmor(Buffer.concat(keys.map((key) => publicBytes(key))), 'PUBLIC KEY BLOCK');
}

/** Puts a database and a signature file where a reader looks for them. */
export function put(place: Place, text: string | Uint8Array, signature: Uint8Array | null): Buffer {
  const bytes = Buffer.from(text);
  place.write('dist/packages.plist', bytes);
  if (signature !== null) place.write(`dist/signatures/${sha256(bytes)}.asc`, signature);
  return bytes;
}

/** A directory that Ann published, with her key beside it, and the same key in `pins.asc` elsewhere. */
export async function published(
  { ann }: Pick<People, 'ann'>,
  text: string | Uint8Array = databaseText(),
  signing: Partial<Signing> = {},
): Promise<Place> {
  const place = newPlace();
  place.write('dist/demo-1.0.tar.gz', DEMO);
  place.write('dist/sub/other-2.0.tar.gz', OTHER);
  put(place, text, await signatureFile(Buffer.from(text), { by: [subkeyOf(ann)], ...signing }));
  place.write('dist/keys.asc', certificateFile(ann));
  place.write('pins.asc', certificateFile(ann));
  return place;
}

/** What `verify` says of `dist` to somebody who knows Ann's key. */
export async function verify(place: Place, ...more: readonly string[]): Promise<Answer> {
  return await place.json(['verify', 'dist', '--keys', 'pins.asc', ...more]);
}

export async function insistOn(place: Place, key: PrivateKey, ...more: readonly string[]): Promise<Answer> {
  return await place.json(['verify', 'dist', '--fingerprint', fingerprint(key), ...more]);
}

/** Status, code and exit status in one value. */
export function verdict({ value, status }: Answer): readonly unknown[] {
  return [value['status'], value['code'], status];
}

export const AUTHENTIC = ['authentic', null, 0];

export function refused(code: string): readonly unknown[] {
  return ['refused', code, 1];
}

export function replace(place: Place, name: string): string {
  rmSync(place.path(name), { recursive: true, force: true });
  return place.path(name);
}
