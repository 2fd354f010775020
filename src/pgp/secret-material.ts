const ARMOR = /^-----BEGIN PGP PRIVATE KEY BLOCK-----[\t\r ]*$/m;

/** A larger file is not a key. */
export const SECRET_LIMIT_BYTES = 1024 * 1024;

/** Whether the bytes of a file hold an armored secret key, among other things (threat T19). */
export function holdsSecretKey(bytes: Buffer): boolean {
  return ARMOR.test(bytes.toString('latin1'));
}
