/** What `packages.unsigned.plist.asc` holds: a signature file of the waiting database, and one of its checksums. */
export interface WaitingSignatures {
  readonly database: Uint8Array;
  /** Null if nobody has signed them. */
  readonly checksums: Uint8Array | null;
}

// gpg and sqv skip a block of this name: they check the signatures of the database alone.
const BLOCK = 'SHA256SUMS SIGNATURE';
const USUAL = 'PGP SIGNATURE';

/** Both in one file, so that a person who carries signatures from host to host carries both (docs/FORMAT.md §1). */
export function joinWaiting({ database, checksums }: WaitingSignatures): Uint8Array {
  if (checksums === null) return database;
  return Buffer.concat([database, Buffer.from(textOf(checksums).replaceAll(USUAL, BLOCK), 'latin1')]);
}

export function splitWaiting(bytes: Uint8Array): WaitingSignatures {
  const text = textOf(bytes);
  const at = text.indexOf(`-----BEGIN ${BLOCK}-----`);
  if (at === -1) return { database: bytes, checksums: null };
  return {
    database: bytes.subarray(0, at),
    checksums: Buffer.from(text.slice(at).replaceAll(BLOCK, USUAL), 'latin1'),
  };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
