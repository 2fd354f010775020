import type { Packet } from './packets.js';
import { TAG } from './packets.js';
import type { Origin } from './origin.js';
import { malformed } from './origin.js';
import { hashedKey } from './packet-objects.js';
import type { KeySubject } from './packet-objects.js';

/** A key, user id or attribute, and the signatures that follow it in the file. */
export interface Component {
  readonly packet: Packet;
  readonly signatures: readonly Packet[];
}

/** The parts of a certificate or secret key: nothing checked, nothing left out. */
export interface Components {
  readonly primary: Component;
  readonly users: readonly Component[];
  readonly subkeys: readonly Component[];
}

/** What a file holds of one certificate, in one place or several. */
export type Copies = readonly [Components, ...Components[]];

/** Packets that readers ignore anywhere (RFC 9580 §5.8, §5.10, §5.14). */
const IGNORED: ReadonlySet<number> = new Set([TAG.marker, TAG.trust, TAG.padding]);
const FIRST_PRIVATE_TAG = 40;

const PRIMARIES: ReadonlySet<number> = new Set([TAG.publicKey, TAG.secretKey]);
const SUBKEYS: ReadonlySet<number> = new Set([TAG.publicSubkey, TAG.secretSubkey]);
const USERS: ReadonlySet<number> = new Set([TAG.userId, TAG.userAttribute]);

/**
 * Splits a sequence of packets into the components of each primary key.
 *
 * @throws {PacksignError} the origin's code: the sequence does not begin with a primary key, or holds a packet that
 * does not belong in a key.
 */
export function splitComponents(packets: readonly Packet[], origin: Origin): Copies {
  const groups: Packet[][] = [];
  for (const packet of packets) {
    if (IGNORED.has(packet.tag) || packet.tag >= FIRST_PRIVATE_TAG) continue;
    const group = groups.at(-1);
    if (PRIMARIES.has(packet.tag)) groups.push([packet]);
    else if (group === undefined) throw malformed(origin, 'does not begin with a key');
    else group.push(packet);
  }
  const [first, ...others] = groups;
  if (first === undefined) throw malformed(origin, 'holds no key');
  return [componentsOf(first, origin), ...others.map((group) => componentsOf(group, origin))];
}

/** Equal for equal keys, user ids and attributes. */
export function nameOf({ packet: { tag, body } }: Component): string {
  return `${tag}:${Buffer.from(body).toString('latin1')}`;
}

/** What the signatures of a component are over. */
export function subjectOf({ packet: { tag, body } }: Component, { primary }: Components): KeySubject {
  const key = hashedKey(primary.packet.body);
  switch (tag) {
    case TAG.userId:
      return { key, userID: { write: () => body } };
    case TAG.userAttribute:
      return { key, userAttribute: { write: () => body } };
    case TAG.publicSubkey:
      return { key, bind: hashedKey(body) };
    default:
      return { key };
  }
}

/** Copies of one certificate as one: each part once, with the signatures of all its copies. */
export function joinCopies(copies: Copies): Components {
  return {
    primary: {
      packet: copies[0].primary.packet,
      signatures: copies.flatMap(({ primary }) => primary.signatures),
    },
    users: joinComponents(copies.flatMap(({ users }) => users)),
    subkeys: joinComponents(copies.flatMap(({ subkeys }) => subkeys)),
  };
}

function joinComponents(components: readonly Component[]): readonly Component[] {
  const joined = new Map<string, { packet: Packet; signatures: Packet[] }>();
  for (const component of components) {
    const { packet, signatures } = component;
    const before = joined.get(nameOf(component));
    if (before === undefined) joined.set(nameOf(component), { packet, signatures: [...signatures] });
    else before.signatures.push(...signatures);
  }
  return [...joined.values()];
}

/** The packets of a key in the order in which they are published. */
export function assemblePackets(anatomy: Components): readonly Packet[] {
  const components = [anatomy.primary, ...anatomy.users, ...anatomy.subkeys];
  return components.flatMap(({ packet, signatures }) => [packet, ...signatures]);
}

function componentsOf(group: readonly Packet[], origin: Origin): Components {
  const components: { packet: Packet; signatures: Packet[] }[] = [];
  for (const packet of group) {
    if (packet.tag === TAG.signature) components.at(-1)?.signatures.push(packet);
    else if (PRIMARIES.has(packet.tag) || SUBKEYS.has(packet.tag) || USERS.has(packet.tag)) {
      components.push({ packet, signatures: [] });
    } else throw malformed(origin, `holds a packet that does not belong in a key (type ${packet.tag})`);
  }
  const [primary, ...rest] = components;
  if (primary === undefined) throw malformed(origin, 'holds no key');
  return {
    primary,
    users: rest.filter(({ packet }) => USERS.has(packet.tag)),
    subkeys: rest.filter(({ packet }) => SUBKEYS.has(packet.tag)),
  };
}
