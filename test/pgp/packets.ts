import { encodeArmor } from '../../src/pgp/armor.js';
import type { ArmorKind } from '../../src/pgp/armor.js';
import { CERTIFICATE_FILE } from '../../src/pgp/origin.js';
import { joinPackets, splitPackets } from '../../src/pgp/packets.js';

type HeaderOf = (tag: number, length: number) => readonly number[];

/** The bytes of an armor block; with `headerOf`, under other packet headers. */
export function binaryOf(armored: string, headerOf: HeaderOf | null = null): Buffer {
  const base64 = armored.split('\n\n')[1]?.split('\n=')[0] ?? '';
  const packets = splitPackets(Buffer.from(base64, 'base64'), CERTIFICATE_FILE);
  if (headerOf === null) return Buffer.from(joinPackets(packets));
  return Buffer.concat(packets.flatMap(({ tag, body }) => [Buffer.from(headerOf(tag, body.length)), body]));
}

export function armorOf(binary: Uint8Array, kind: ArmorKind): string {
  return Buffer.from(encodeArmor(binary, kind)).toString();
}
