import type { ErrorCode } from '../errors.js';
import { PacksignError } from '../errors.js';

/** The kind of file that bytes came from, for errors about them. */
export interface Origin {
  readonly code: ErrorCode;
  readonly what: string;
}

export const CERTIFICATE_FILE: Origin = { code: 'KEYS_MALFORMED', what: 'certificate file' };
export const KEY_FILE: Origin = { code: 'KEY_MALFORMED', what: 'key file' };
export const SIGNATURE_FILE: Origin = { code: 'SIGNATURE_MALFORMED', what: 'signature file' };

/** Reads a file whose path the reader does not know, and names it in what is wrong with its keys. */
export async function inFile<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof PacksignError) || !isAboutFile(error) || error.message.includes(path)) throw error;
    const { code, message, hint } = error;
    throw new PacksignError(code, `${path}: ${message}`, { hint, cause: error });
  }
}

function isAboutFile({ code }: PacksignError): boolean {
  return code === CERTIFICATE_FILE.code || code === KEY_FILE.code;
}

/** The error that says what is wrong with a file. */
export function malformed(origin: Origin, problem: string, hint: string | null = null): PacksignError {
  return new PacksignError(origin.code, `${origin.what} ${problem}`, { hint });
}
