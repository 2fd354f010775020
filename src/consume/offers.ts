import { besideAddress, namedAddress } from '../model/address.js';
import type { Database } from '../model/database.js';

/** The addresses of the databases that a database vouches for. */
export function offersOf({ Packsign: { Trusts = [] } }: Database): readonly string[] {
  return Trusts.flatMap(({ URL: url }) => namedAddress(url) ?? []);
}

/** Those of them in whose folder a path of the database at an address lies, the innermost first. */
export function offersFor(offers: readonly string[], address: string, path: string): readonly string[] {
  const file = besideAddress(address, path);
  const around = offers.filter((url) => file.startsWith(new URL('.', url).href));
  return around.toSorted((a, b) => b.length - a.length);
}
