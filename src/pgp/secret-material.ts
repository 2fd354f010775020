const ARMOR = /^-----BEGIN PGP PRIVATE KEY BLOCK-----[\t\r ]*$/m;

/** How much of a file is looked at: a larger one is no key. */
export const SECRET_LIMIT_BYTES = 1024 * 1024;

/** Whether the bytes of a file hold an armored secret key, among whatever else (threat T19). */
export function holdsSecretKey(bytes: Buffer): boolean {
  return ARMOR.test(bytes.toString('latin1'));
}
