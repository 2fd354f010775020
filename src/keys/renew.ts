import { generateKey as generatePackets } from 'openpgp';
import type { AnySecretKeyPacket } from 'openpgp';
import { PacksignError } from '../errors.js';
import { formatInstant, wholeSeconds } from '../model/time.js';
import type { Components, Component } from '../pgp/components.js';
import { assemblePackets } from '../pgp/components.js';
import { encodeArmor } from '../pgp/armor.js';
import type { Certificate, CertificateKey } from '../pgp/certificate.js';
import { inspectCertificate, subjectOf } from '../pgp/certificate.js';
import type { Binding } from '../pgp/self-signatures.js';
import type { Packet } from '../pgp/packets.js';
import { joinPackets, TAG } from '../pgp/packets.js';
import { KEY_FILE } from '../pgp/origin.js';
import {
  hashedKey,
  publicPacketOf,
  readSecretKeyPacket,
  readSignaturePacket,
} from '../pgp/packet-objects.js';
import { POLICY } from '../pgp/policy.js';
import { publicComponentsOf, secretComponentsOf, unlock } from '../signers/secret-key.js';
import { bindAnew, revokeNow } from './make-self-signature.js';
import type { RevocationReason } from './make-self-signature.js';
import { revocationAt, signingSubkeys } from '../pgp/key-status.js';

export type { RevocationReason } from './make-self-signature.js';

export interface RenewalOptions {
  /** Asked only when the key is locked. Null: there is none to be had. */
  readonly passphrase: () => Promise<string | null>;
  readonly date: Date;
}

/** A key after it was changed, each form one armor block. */
export interface RenewedKey {
  readonly fingerprint: string;
  readonly certificate: Certificate;
  readonly armored: Uint8Array;
  /** The whole secret key. */
  readonly secret: Uint8Array;
  /** Its subkeys without the secret primary key, without those that were given up. */
  readonly signing: Uint8Array;
}

/** A whole secret key whose primary half is unlocked: it can say new things about itself. */
interface OpenKey {
  readonly certificate: Certificate;
  /** As the file has it, locked. */
  readonly anatomy: Components;
  readonly primary: AnySecretKeyPacket;
  readonly secrets: ReadonlyMap<string, AnySecretKeyPacket>;
  /** What new subkeys are locked with. */
  readonly passphrase: string | null;
  readonly date: Date;
}

/**
 * Moves the expiry of the primary key and of its newest signing subkey; null is never.
 *
 * @throws {PacksignError} `KEY_MALFORMED`, `KEY_UNUSABLE`: no secret primary key in it. `KEY_REVOKED`,
 * `PASSPHRASE_NEEDED`, `PASSPHRASE_WRONG`.
 */
export async function extendKey(
  bytes: Uint8Array,
  { expires, ...options }: RenewalOptions & { readonly expires: Date | null },
): Promise<RenewedKey> {
  const key = await openWhole(bytes, options);
  const { certificate } = key;
  const signing = currentSigner(key);
  const anatomy: Components = {
    primary: await renewed(key.anatomy.primary, certificate.primary, { key, expires }),
    users: await renewedUsers(key, expires),
    subkeys: await Promise.all(
      key.anatomy.subkeys.map(async (component) => {
        const subkey = subkeyOf(certificate, component);
        return subkey === null || subkey !== signing
          ? component
          : await renewed(component, subkey, { key, expires });
      }),
    ),
  };
  return await finish(anatomy, key);
}

/**
 * Adds a new signing subkey. The old ones are superseded, or with `oldExpires` good until then.
 *
 * @throws {PacksignError} as `extendKey`.
 */
export async function rotateKey(
  bytes: Uint8Array,
  options: RenewalOptions & { readonly expires: Date | null; readonly oldExpires: Date | null },
): Promise<RenewedKey> {
  const key = await openWhole(bytes, options);
  const { certificate } = key;
  const old = new Set(
    signingSubkeys(certificate).filter((subkey) => revocationAt(subkey, key.date) === null),
  );
  const subkeys: Component[] = [];
  for (const component of key.anatomy.subkeys) {
    const subkey = subkeyOf(certificate, component);
    if (subkey === null || !old.has(subkey)) subkeys.push(component);
    else if (options.oldExpires !== null)
      subkeys.push(await renewed(component, subkey, { key, expires: options.oldExpires }));
    else subkeys.push(await revoked(component, key, { reason: 'superseded', text: 'a newer subkey signs' }));
  }
  subkeys.push(await newSubkey(key, options.expires));
  return await finish({ ...key.anatomy, subkeys }, key);
}

/**
 * Revokes the whole key, or one of its subkeys, as of now.
 *
 * @throws {PacksignError} as `extendKey`, but a revoked key may be revoked again for a graver reason. `NO_KEY`: no such
 * subkey.
 */
export async function revokeKey(
  bytes: Uint8Array,
  options: RenewalOptions & {
    readonly reason: RevocationReason;
    readonly text: string;
    /** Fingerprint; null revokes the primary key, and all with it. */
    readonly subkey: string | null;
  },
): Promise<RenewedKey> {
  const key = await openWhole(bytes, { ...options, mayBeRevoked: true });
  const { subkey, reason, text } = options;
  if (subkey === null || subkey === key.certificate.fingerprint) {
    const primary = await revoked(key.anatomy.primary, key, { reason, text });
    return await finish({ ...key.anatomy, primary }, key);
  }
  const isIt = (component: Component) => subkeyOf(key.certificate, component)?.fingerprint === subkey;
  if (!key.anatomy.subkeys.some(isIt)) throw new PacksignError('NO_KEY', `the key has no subkey ${subkey}`);
  const subkeys = await Promise.all(
    key.anatomy.subkeys.map(async (component) => {
      return isIt(component) ? await revoked(component, key, { reason, text }) : component;
    }),
  );
  return await finish({ ...key.anatomy, subkeys }, key);
}

async function openWhole(
  bytes: Uint8Array,
  options: RenewalOptions & { readonly mayBeRevoked?: boolean },
): Promise<OpenKey> {
  const anatomy = secretComponentsOf(bytes);
  const { anatomy: shown, secrets } = await publicComponentsOf(anatomy);
  const certificate = await inspectCertificate(shown, KEY_FILE);
  const date = wholeSeconds(options.date);
  const { fingerprint } = certificate;
  const primary = secrets.get(fingerprint);
  if (primary === undefined || primary.isMissingSecretKeyMaterial()) {
    throw new PacksignError('KEY_UNUSABLE', `the secret primary key ${fingerprint} is not in this file`, {
      hint: 'take the file with the whole key, which packsign key generate tells you to keep offline',
    });
  }
  const revocation = revocationAt(certificate.primary, date);
  if (revocation !== null && options.mayBeRevoked !== true) {
    const when = formatInstant(revocation.created);
    throw new PacksignError('KEY_REVOKED', `key ${fingerprint} was revoked at ${when}`, {
      hint: 'make a new key: packsign key generate',
    });
  }
  const isLocked = !primary.isDecrypted();
  const passphrase = isLocked ? await options.passphrase() : null;
  await unlock(primary, { fingerprint, passphrase: () => Promise.resolve(passphrase) });
  return { certificate, anatomy, primary, secrets, passphrase, date };
}

/** A secret packet begins with the public half. */
function subkeyOf({ subkeys }: Certificate, { packet }: Component): CertificateKey | null {
  const named = subkeys.find((subkey) => {
    const shown = Buffer.from(subkey.packet?.write() ?? []);
    return shown.length > 0 && shown.equals(packet.body.subarray(0, shown.length));
  });
  return named ?? null;
}

/** The subkey that is kept alive: the newest that was not given up. */
function currentSigner({ certificate, date }: OpenKey): CertificateKey | null {
  return signingSubkeys(certificate).find((subkey) => revocationAt(subkey, date) === null) ?? null;
}

interface Renewing {
  readonly key: OpenKey;
  readonly expires: Date | null;
}

/** The component with its newest self-signature said again; as it was where there never was one. */
async function renewed(
  component: Component,
  {
    bindings,
    weakBindings,
    created,
    fingerprint,
  }: Pick<CertificateKey, 'bindings' | 'weakBindings' | 'created' | 'fingerprint'>,
  { key, expires }: Renewing,
): Promise<Component> {
  const before = newestOf(component.signatures, [...bindings, ...weakBindings]);
  if (before === null) return component;
  const anew = await bindAnew({
    by: key.primary,
    over: await subjectFor(component, key),
    date: key.date,
    before,
    expiresAfter: secondsAfter(created, expires),
    subkey: await unlockedSubkey(key, fingerprint),
  });
  return { ...component, signatures: [...component.signatures, anew] };
}

async function renewedUsers(key: OpenKey, expires: Date | null): Promise<readonly Component[]> {
  const { users, created, fingerprint } = key.certificate;
  return await Promise.all(
    key.anatomy.users.map(async (component) => {
      const text = Buffer.from(component.packet.body).toString('utf8');
      const user = users.find(({ userId }) => userId === text);
      if (component.packet.tag !== TAG.userId || user === undefined) return component;
      if (revocationAt(user, key.date) !== null) return component;
      return await renewed(component, { ...user, created, fingerprint }, { key, expires });
    }),
  );
}

/** The packet that the newest of these claims was read from. */
function newestOf(signatures: readonly Packet[], bindings: readonly Binding[]): Packet | null {
  const newest = Math.max(...bindings.map(({ created }) => created.getTime()));
  const dated = signatures.filter(({ body }) => {
    const type = body[1] ?? -1;
    // A certification, a direct signature or the binding of a subkey; revocations are of other types.
    if (body[0] !== 4 || !([0x10, 0x11, 0x12, 0x13, 0x18, 0x1f] as number[]).includes(type)) return false;
    return readSignaturePacket(body).created?.getTime() === newest;
  });
  return dated.at(-1) ?? null;
}

async function revoked(
  component: Component,
  key: OpenKey,
  why: { readonly reason: RevocationReason; readonly text: string },
): Promise<Component> {
  const over = await subjectFor(component, key);
  const revocation = await revokeNow({ by: key.primary, over, date: key.date }, why);
  return { ...component, signatures: [...component.signatures, revocation] };
}

async function newSubkey(key: OpenKey, expires: Date | null): Promise<Component> {
  const { certificate, date, passphrase } = key;
  const rsa = certificate.primary.algorithm.name.startsWith('RSA');
  const { privateKey } = await generatePackets({
    ...(rsa ? ({ type: 'rsa', rsaBits: 4096 } as const) : ({ type: 'ecc', curve: 'ed25519Legacy' } as const)),
    // A key to be thrown away: only its subkey is taken.
    userIDs: [{ name: 'packsign' }],
    subkeys: [{ sign: true }],
    date,
    format: 'object',
    config: POLICY,
  });
  const subkey = privateKey.subkeys[0]?.keyPacket as AnySecretKeyPacket | undefined;
  if (subkey === undefined) throw new Error('OpenPGP.js made no subkey');
  const shown = publicPacketOf(subkey, TAG.secretSubkey);
  const binding = await bindAnew({
    by: key.primary,
    over: { key: hashedKey(publicPacketOf(key.primary, TAG.secretKey).body), bind: hashedKey(shown.body) },
    date,
    before: null,
    expiresAfter: secondsAfter(date, expires),
    subkey,
  });
  if (passphrase !== null && passphrase !== '') await subkey.encrypt(passphrase, POLICY);
  return { packet: { tag: TAG.secretSubkey, body: subkey.write() }, signatures: [binding] };
}

/** Null where its secret half is not in the file. */
async function unlockedSubkey(key: OpenKey, fingerprint: string): Promise<AnySecretKeyPacket | null> {
  const secret = key.secrets.get(fingerprint);
  if (secret === undefined || secret.isMissingSecretKeyMaterial()) return null;
  await unlock(secret, { fingerprint, passphrase: () => Promise.resolve(key.passphrase) });
  return secret;
}

async function subjectFor(component: Component, { primary }: OpenKey): ReturnType<typeof publicSubject> {
  return await publicSubject(component, publicPacketOf(primary, TAG.secretKey));
}

async function publicSubject(component: Component, primary: Packet) {
  const shown = await shownPacket(component.packet);
  const anatomy = { primary: { packet: primary, signatures: [] }, users: [], subkeys: [] };
  return subjectOf({ packet: shown, signatures: [] }, anatomy);
}

async function shownPacket(packet: Packet): Promise<Packet> {
  if (packet.tag !== TAG.secretKey && packet.tag !== TAG.secretSubkey) return packet;
  return publicPacketOf(await readSecretKeyPacket(packet), packet.tag);
}

function secondsAfter(created: Date, expires: Date | null): number | null {
  if (expires === null) return null;
  const seconds = Math.floor((expires.getTime() - created.getTime()) / 1000);
  // A zero would mean: never.
  if (seconds > 0 && seconds <= 0xffff_ffff) return seconds;
  throw new PacksignError(
    'USAGE',
    `a key made at ${formatInstant(created)} cannot expire at ${formatInstant(expires)}`,
  );
}

async function finish(anatomy: Components, { certificate: before, date }: OpenKey): Promise<RenewedKey> {
  const { anatomy: shown } = await publicComponentsOf(anatomy);
  const certificate = await inspectCertificate(shown, KEY_FILE);
  if (certificate.fingerprint !== before.fingerprint)
    throw new Error('a renewed key has another fingerprint');
  const dummy = await readSecretKeyPacket(anatomy.primary.packet);
  dummy.makeDummy(POLICY);
  const primary = { ...anatomy.primary, packet: { tag: TAG.secretKey, body: dummy.write() } };
  const living = anatomy.subkeys.filter((component) => {
    const subkey = subkeyOf(certificate, component);
    return subkey === null || revocationAt(subkey, date) === null;
  });
  const block = (parts: Components) => encodeArmor(joinPackets(assemblePackets(parts)), 'PRIVATE KEY BLOCK');
  return {
    fingerprint: certificate.fingerprint,
    certificate,
    armored: encodeArmor(certificate.binary, 'PUBLIC KEY BLOCK'),
    secret: block(anatomy),
    signing: block({ ...anatomy, primary, subkeys: living }),
  };
}
