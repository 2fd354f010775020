import { newBudget } from './budget.js';
import { describeCertificate, withStatements } from './certificate.js';
import type { Certificate, SignedComponent } from './certificate.js';
import { nameOf } from './components.js';
import { knownRevokers, withOthers } from './other-signatures.js';
import type { OtherKeys } from './other-signatures.js';
import { CERTIFICATE_FILE } from './origin.js';
import type { Statement } from './self-signatures.js';
import type { LooseSignature } from './sort-signatures.js';

/**
 * Adds to certificates what fresh copies of them hold (docs/FORMAT.md §8): subkeys, user ids, longer expiry,
 * revocations. Loses, replaces and reorders nothing that verified before. The server of the fresh copy cannot add
 * packets of its own: each is signed by the certificate's primary key, by another primary key of either list, or by a
 * designated revoker. Fresh certificates of other primary keys follow at the end. Checks nothing twice.
 *
 * OpenPGP.js's own `update` replaces a subkey's binding by a newer one without checking it.
 *
 * @throws {PacksignError} `KEYS_MALFORMED`: too much to compute (threat T29).
 */
export async function mergeCertificates(
  known: readonly Certificate[],
  fresh: readonly Certificate[],
): Promise<readonly Certificate[]> {
  const merged = new Map<string, Certificate>();
  for (const certificate of [...known, ...fresh]) {
    const before = merged.get(certificate.fingerprint);
    const joined = before === undefined ? certificate : await mergeTwo(before, certificate);
    merged.set(certificate.fingerprint, joined);
  }
  const all = [...merged.values()];
  return await checkOthers(all, { all, findKey: () => null, budget: newBudget(CERTIFICATE_FILE) });
}

/** The certificates with what they, and other known keys, signed of one another. */
export async function checkOthers(
  certificates: readonly Certificate[],
  others: OtherKeys,
): Promise<readonly Certificate[]> {
  const checked: Certificate[] = [];
  for (const certificate of certificates) checked.push(await withOthers(certificate, others));
  return checked;
}

async function mergeTwo(known: Certificate, fresh: Certificate): Promise<Certificate> {
  const anatomy = {
    primary: mergeComponent(known.anatomy.primary, fresh.anatomy.primary),
    users: mergeComponents(known.anatomy.users, fresh.anatomy.users),
    subkeys: mergeComponents(known.anatomy.subkeys, fresh.anatomy.subkeys),
  };
  const loose = new Map([...known.loose, ...fresh.loose].map((one) => [looseName(one), one]));
  const revokers = new Set([...knownRevokers(known), ...knownRevokers(fresh)]);
  return await describeCertificate(anatomy, [...loose.values()], revokers);
}

/** A part that its primary key never signed is not added. */
function mergeComponents(
  known: readonly SignedComponent[],
  fresh: readonly SignedComponent[],
): readonly SignedComponent[] {
  const merged = new Map(known.map((component) => [nameOf(component), component]));
  for (const component of fresh) {
    const before = merged.get(nameOf(component));
    if (before !== undefined) merged.set(nameOf(component), mergeComponent(before, component));
    else if (component.statements.length > 0) merged.set(nameOf(component), component);
  }
  return [...merged.values()];
}

function mergeComponent(known: SignedComponent, fresh: SignedComponent): SignedComponent {
  const merged = new Map(known.statements.map((statement) => [keyOf(statement), statement]));
  for (const statement of fresh.statements) {
    const before = merged.get(keyOf(statement));
    if (before === undefined || (!isSignedBack(before) && isSignedBack(statement)))
      merged.set(keyOf(statement), statement);
  }
  return withStatements(known.packet, [...merged.values()]);
}

function keyOf({ by, name }: Statement): string {
  return `${by}:${name}`;
}

/** The signature back may stand in the unhashed area, where a server can remove it. */
function isSignedBack({ claim }: Statement): boolean {
  return 'signedBack' in claim && claim.signedBack;
}

function looseName({ target, variants }: LooseSignature): string {
  const copies = variants.map(({ name, rest }) => [name, Buffer.from(rest).toString('latin1')]);
  return JSON.stringify([target, ...copies]);
}
