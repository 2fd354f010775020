import type { AnySecretKeyPacket } from 'openpgp';
import { PacksignError } from '../errors.js';
import { formatInstant, wholeSeconds } from '../model/time.js';
import { encodeArmor } from '../pgp/armor.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { inspectCertificate } from '../pgp/certificate.js';
import { assemblePackets, subjectOf } from '../pgp/components.js';
import type { Component, Components } from '../pgp/components.js';
import { revocationAt, signingSubkeys } from '../pgp/key-status.js';
import { KEY_FILE } from '../pgp/origin.js';
import { publicPacketOf, readSecretKeyPacket, readSignaturePacket } from '../pgp/packet-objects.js';
import type { KeySubject } from '../pgp/packet-objects.js';
import { joinPackets, TAG } from '../pgp/packets.js';
import type { Packet } from '../pgp/packets.js';
import { POLICY } from '../pgp/policy.js';
import type { Binding } from '../pgp/self-signatures.js';
import { publicComponentsOf, secretComponentsOf, secretOf, unlock } from '../signers/secret-key.js';
import type { SecretKeyFile, UnlockOptions } from '../signers/secret-key.js';
import { generateParts } from './generate.js';
import { bindAnew, revokeNow } from './make-self-signature.js';
import type { RevocationReason } from './make-self-signature.js';

/** A changed key, each form one armor block. */
export interface RenewedKey {
  readonly certificate: Certificate;
  readonly armored: Uint8Array;
  /** The whole secret key. */
  readonly secret: Uint8Array;
  /** Its subkeys that are not revoked, without the secret primary key. */
  readonly signing: Uint8Array;
}

/** A whole secret key whose primary key is unlocked, so that it can make new self-signatures. */
interface OpenKey extends SecretKeyFile {
  /** The packets of the file, still locked. */
  readonly anatomy: Components;
  readonly primary: AnySecretKeyPacket;
  /** Locks new subkeys. */
  readonly passphrase: string | null;
  readonly date: Date;
}

/**
 * Changes the expiry of the primary key and of its newest signing subkey; null means never.
 *
 * @throws {PacksignError} `KEY_MALFORMED`, `KEY_UNUSABLE`: no secret primary key in it. `KEY_REVOKED`,
 * `PASSPHRASE_NEEDED`, `PASSPHRASE_WRONG`.
 */
export async function extendKey(
  bytes: Uint8Array,
  { expires, ...options }: UnlockOptions & { readonly expires: Date | null },
): Promise<RenewedKey> {
  const key = await openWhole(bytes, options);
  const { certificate, anatomy, date } = key;
  const signing = signingSubkeys(certificate).find((subkey) => revocationAt(subkey, date) === null);
  const primary = await renewed(anatomy.primary, certificate.primary, { key, expires });
  const users = await renewedUsers(key, expires);
  const subkeys = await changeSubkeys(key, async (component, subkey) =>
    subkey === signing ? await renewed(component, subkey, { key, expires }) : component,
  );
  return await finish({ primary, users, subkeys }, key);
}

/**
 * A key as it is, which an earlier run changed: to write its other forms.
 *
 * @throws {PacksignError} as `extendKey`.
 */
export async function keepKey(bytes: Uint8Array, options: UnlockOptions): Promise<RenewedKey> {
  const key = await openWhole(bytes, options);
  return await finish(key.anatomy, key);
}

/**
 * Adds a new signing subkey. Revokes the old ones as superseded, or lets them expire at `oldExpires`.
 *
 * @throws {PacksignError} as `extendKey`.
 */
export async function rotateKey(
  bytes: Uint8Array,
  options: UnlockOptions & { readonly expires: Date | null; readonly oldExpires: Date | null },
): Promise<RenewedKey> {
  const key = await openWhole(bytes, options);
  const { expires, oldExpires } = options;
  const old = signingSubkeys(key.certificate).filter((subkey) => revocationAt(subkey, key.date) === null);
  const subkeys = await changeSubkeys(key, async (component, subkey) => {
    if (!old.includes(subkey)) return component;
    if (oldExpires !== null) return await renewed(component, subkey, { key, expires: oldExpires });
    return await revoked(component, key, { reason: 'superseded', text: 'a newer subkey signs' });
  });
  return await finish({ ...key.anatomy, subkeys: [...subkeys, await newSubkey(key, expires)] }, key);
}

/**
 * Revokes the whole key, or one of its subkeys, from now on.
 *
 * @throws {PacksignError} as `extendKey`, but a revoked key may be revoked again for a graver reason. `NO_KEY`: no such
 * subkey.
 */
export async function revokeKey(
  bytes: Uint8Array,
  options: UnlockOptions & {
    readonly reason: RevocationReason;
    readonly text: string;
    /** Fingerprint; null revokes the primary key, and so the whole key. */
    readonly subkey: string | null;
  },
): Promise<RenewedKey> {
  const key = await openWhole(bytes, { ...options, mayBeRevoked: true });
  const { certificate, anatomy } = key;
  const { subkey: wanted } = options;
  if (wanted === null || wanted === certificate.fingerprint) {
    return await finish({ ...anatomy, primary: await revoked(anatomy.primary, key, options) }, key);
  }
  const isWanted = (subkey: CertificateKey | undefined) => subkey?.fingerprint === wanted;
  if (!anatomy.subkeys.some((component) => isWanted(subkeyOf(certificate, component))))
    throw new PacksignError('NO_KEY', `the key has no subkey ${wanted}`);
  const subkeys = await changeSubkeys(key, async (component, subkey) =>
    isWanted(subkey) ? await revoked(component, key, options) : component,
  );
  return await finish({ ...anatomy, subkeys }, key);
}

async function openWhole(
  bytes: Uint8Array,
  options: UnlockOptions & { readonly mayBeRevoked?: boolean },
): Promise<OpenKey> {
  const anatomy = secretComponentsOf(bytes);
  const { anatomy: shown, secrets } = await publicComponentsOf(anatomy);
  const certificate = await inspectCertificate([shown], KEY_FILE);
  const date = wholeSeconds(options.date);
  const { fingerprint } = certificate;
  const primary = secretOf(certificate.primary, secrets);
  if (primary === null) {
    throw new PacksignError('KEY_UNUSABLE', `the secret primary key ${fingerprint} is not in this file`, {
      hint: 'use the file with the whole key, such as packsign-key.asc, which may be offline',
    });
  }
  const revocation = revocationAt(certificate.primary, date);
  if (revocation !== null && options.mayBeRevoked !== true) {
    const when = formatInstant(revocation.created);
    throw new PacksignError('KEY_REVOKED', `key ${fingerprint} was revoked at ${when}`, {
      hint: 'make a new key: packsign key generate',
    });
  }
  const passphrase = primary.isDecrypted() ? null : await options.passphrase();
  await unlock(primary, { fingerprint, passphrase: () => Promise.resolve(passphrase) });
  return { certificate, anatomy, primary, secrets, passphrase, date };
}

/** Changes the subkeys that packsign can read; keeps the others as they are. */
async function changeSubkeys(
  { anatomy, certificate }: OpenKey,
  change: (component: Component, subkey: CertificateKey) => Promise<Component>,
): Promise<readonly Component[]> {
  return await Promise.all(
    anatomy.subkeys.map(async (component) => {
      const subkey = subkeyOf(certificate, component);
      return subkey === undefined ? component : await change(component, subkey);
    }),
  );
}

/** A secret packet begins with the public half. */
function subkeyOf({ subkeys }: Certificate, { packet }: Component): CertificateKey | undefined {
  return subkeys.find((subkey) => {
    const shown = Buffer.from(subkey.packet?.write() ?? []);
    return shown.length > 0 && shown.equals(packet.body.subarray(0, shown.length));
  });
}

/** Adds a self-signature that repeats the newest with another expiry; changes nothing if there is none. */
async function renewed(
  component: Component,
  named: Pick<CertificateKey, 'bindings' | 'weakBindings' | 'created' | 'fingerprint'>,
  { key, expires }: { readonly key: OpenKey; readonly expires: Date | null },
): Promise<Component> {
  const before = newestOf(component.signatures, [...named.bindings, ...named.weakBindings]);
  if (before === null) return component;
  const anew = await bindAnew({
    by: key.primary,
    over: await subjectFor(component.packet, key),
    date: key.date,
    before,
    expiresAfter: secondsAfter(named.created, expires),
    subkey: await unlocked(key, named),
  });
  return { ...component, signatures: [...component.signatures, anew] };
}

async function renewedUsers(key: OpenKey, expires: Date | null): Promise<readonly Component[]> {
  const { users, primary } = key.certificate;
  return await Promise.all(
    key.anatomy.users.map(async (component) => {
      const text = Buffer.from(component.packet.body).toString('utf8');
      const user = users.find(({ userId }) => userId === text);
      if (component.packet.tag !== TAG.userId || user === undefined) return component;
      if (revocationAt(user, key.date) !== null) return component;
      return await renewed(component, { ...primary, ...user }, { key, expires });
    }),
  );
}

/** The packet of the newest of these bindings. */
function newestOf(signatures: readonly Packet[], bindings: readonly Binding[]): Packet | null {
  const newest = Math.max(...bindings.map(({ created }) => created.getTime()));
  const dated = signatures.filter(({ body }) => {
    // A certification, a direct signature or the binding of a subkey; revocations have other types.
    const isBinding = [0x10, 0x11, 0x12, 0x13, 0x18, 0x1f].includes(body[1] ?? -1);
    return body[0] === 4 && isBinding && readSignaturePacket(body).created?.getTime() === newest;
  });
  return dated.at(-1) ?? null;
}

async function revoked(
  component: Component,
  key: OpenKey,
  why: { readonly reason: RevocationReason; readonly text: string },
): Promise<Component> {
  const over = await subjectFor(component.packet, key);
  const revocation = await revokeNow({ by: key.primary, over, date: key.date }, why);
  return { ...component, signatures: [...component.signatures, revocation] };
}

async function newSubkey(key: OpenKey, expires: Date | null): Promise<Component> {
  const { certificate, date, passphrase, primary: by } = key;
  const rsa = certificate.primary.algorithm.name.startsWith('RSA');
  const { subkey } = await generateParts({ rsa, expiresInSeconds: null, date });
  const binding = await bindAnew({
    by,
    over: await subjectFor(publicPacketOf(subkey, TAG.secretSubkey), key),
    date,
    before: null,
    expiresAfter: secondsAfter(date, expires),
    subkey,
  });
  if (passphrase !== null && passphrase !== '') await subkey.encrypt(passphrase, POLICY);
  return { packet: { tag: TAG.secretSubkey, body: subkey.write() }, signatures: [binding] };
}

/** The secret half of a key, unlocked; null if the file does not have it. */
async function unlocked(
  { secrets, passphrase }: OpenKey,
  { fingerprint }: Pick<CertificateKey, 'fingerprint'>,
): Promise<AnySecretKeyPacket | null> {
  const secret = secretOf({ fingerprint }, secrets);
  if (secret !== null) await unlock(secret, { fingerprint, passphrase: () => Promise.resolve(passphrase) });
  return secret;
}

/** What a self-signature over this packet covers. */
async function subjectFor(packet: Packet, { primary }: OpenKey): Promise<KeySubject> {
  const isSecret = packet.tag === TAG.secretKey || packet.tag === TAG.secretSubkey;
  const shown = isSecret ? publicPacketOf(await readSecretKeyPacket(packet), packet.tag) : packet;
  const publicPrimary = { packet: publicPacketOf(primary, TAG.secretKey), signatures: [] };
  return subjectOf({ packet: shown, signatures: [] }, { primary: publicPrimary, users: [], subkeys: [] });
}

function secondsAfter(created: Date, expires: Date | null): number | null {
  if (expires === null) return null;
  const seconds = Math.floor((expires.getTime() - created.getTime()) / 1000);
  // Zero would mean never.
  if (seconds > 0 && seconds <= 0xffff_ffff) return seconds;
  const message = `a key made at ${formatInstant(created)} cannot expire at ${formatInstant(expires)}`;
  throw new PacksignError('USAGE', message);
}

async function finish(anatomy: Components, { date }: OpenKey): Promise<RenewedKey> {
  const { anatomy: shown } = await publicComponentsOf(anatomy);
  const certificate = await inspectCertificate([shown], KEY_FILE);
  const dummy = await readSecretKeyPacket(anatomy.primary.packet);
  dummy.makeDummy(POLICY);
  const primary = { ...anatomy.primary, packet: { tag: TAG.secretKey, body: dummy.write() } };
  const living = anatomy.subkeys.filter((component) => {
    const subkey = subkeyOf(certificate, component);
    return subkey === undefined || revocationAt(subkey, date) === null;
  });
  const block = (parts: Components) => encodeArmor(joinPackets(assemblePackets(parts)), 'PRIVATE KEY BLOCK');
  return {
    certificate,
    armored: encodeArmor(certificate.binary, 'PUBLIC KEY BLOCK'),
    secret: block(anatomy),
    signing: block({ ...anatomy, primary, subkeys: living }),
  };
}
