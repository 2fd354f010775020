import { kindOf } from '../disk/files.js';
import { PacksignError } from '../errors.js';
import { isAddress } from '../model/address.js';
import { shellWord } from '../model/shell.js';
import type { TrustPlace } from '../model/trust.js';
import { findEntry, meantIn, trustedIn } from './sources.js';

/** What a target is; `remote` is an address, or the name of a trusted database. */
export type TargetKind = 'remote' | 'folder' | 'file' | 'special';

/**
 * Tells what a person means by a target. A directory goes before a trusted name. Throws AMBIGUOUS for a file that has the
 * name of a trusted database, FILE_UNREADABLE where there is neither, and TRUST_DAMAGED.
 */
export function kindOfTarget(target: string, trust: TrustPlace): TargetKind {
  if (isAddress(target)) return 'remote';
  const kind = kindOf(target);
  if (kind === 'folder') return kind;
  if (kind !== null) {
    refuseTrustedName(target, trust);
    return kind === 'file' ? kind : 'special';
  }
  if (findEntry(target, trust) !== null) return 'remote';
  const meant = meantIn(trust, target);
  const words = meant === null ? '' : `; did you mean the trusted database ${meant}?`;
  throw new PacksignError('FILE_UNREADABLE', `there is no file or directory ${target}${words}`, {
    hint: 'name a directory with a packages.plist, a database file, or a file that you downloaded',
  });
}

function refuseTrustedName(target: string, trust: TrustPlace): void {
  // A trusted name has no slash: then the store does not matter.
  if (target.includes('/')) return;
  const { entries, damaged } = trustedIn(trust);
  const entry = [...entries, ...damaged].find(({ name }) => name === target);
  if (entry === undefined) return;
  throw new PacksignError('AMBIGUOUS', `${target} is a file here, and the name of a trusted database`, {
    hint: `for the file, write ./${target}; for the database, ${entry.url ?? 'its address'}`,
  });
}

export interface TargetOptions {
  readonly trust: TrustPlace;
  /** A signature that the user named: then the target is a database. */
  readonly signatureFile: string | null;
  /** Where files are looked up: a database file, or the address or name of a database. */
  readonly database: string | null;
  readonly from: string | null;
}

/**
 * Whether targets are files to look up; otherwise there is one, and it is a database. A file named `*.plist` is a
 * database, and so is one whose signature is named. Throws USAGE for a mixture, and what `kindOfTarget` throws.
 */
export function areFiles(targets: readonly string[], options: TargetOptions): boolean {
  const { trust, signatureFile, database, from } = options;
  const isSigned = signatureFile !== null && database === null;
  const kinds = targets.map((target) => ({ target, kind: kindOfTarget(target, trust) }));
  const isDatabase = ({ target, kind }: (typeof kinds)[number]) =>
    isSigned || kind === 'remote' || kind === 'folder' || /\.plist$/i.test(target);
  const first = kinds.find(isDatabase);
  if (first === undefined) return true;
  const what = first.kind === 'folder' ? 'a directory' : 'a database';
  if (targets.length > 1) {
    throw new PacksignError('USAGE', `${first.target} is ${what}: verify takes one of these, or only files`, {
      hint: `packsign verify ${first.target}, and the others by themselves`,
    });
  }
  if (database !== null || from !== null) {
    const option = database === null ? '--from' : '--database';
    const message = `${option} says where to look files up, and ${first.target} is ${what}`;
    const hint = `verify it by itself: packsign verify ${shellWord(first.target)}`;
    throw new PacksignError('USAGE', message, { hint });
  }
  return false;
}
