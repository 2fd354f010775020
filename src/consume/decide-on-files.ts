import type { ErrorCode } from '../errors.js';
import type { DigestedFile, Lookup } from '../model/lookup.js';
import type { Agreement, AskedDatabase } from './agreement.js';
import type { AskFailure } from './asked-databases.js';
import type { Decision } from './outcome.js';

/** What is known of one file. */
export interface VerifiedFile extends Agreement, Pick<DigestedFile, 'size' | 'sha256'> {
  /** As the caller named it. */
  readonly path: string;
  /** Whether a database lists it that the options accept, and none contradicts. */
  readonly ok: boolean;
  /** The databases that were asked about it. */
  readonly asked: readonly AskedDatabase[];
}

/** What makes the answer a refusal. */
interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
}

type FaultyKind = Exclude<Lookup['kind'], 'listed'>;

const WORDS: Readonly<Record<FaultyKind, string>> = {
  altered: 'not what was signed',
  renamed: 'listed under another name',
  yanked: 'yanked',
  withdrawn: 'no longer listed',
  unknown: 'in no database that was asked',
};
const [WORST, ...OTHERS] = ['altered', 'yanked', 'withdrawn', 'renamed', 'unknown'] as const;

export interface Hindrances {
  /** Databases that were asked, and refused. */
  readonly refused: readonly AskedDatabase[];
  readonly failures: readonly AskFailure[];
}

/**
 * The answer about files: refused if one is not listed, or if a database that might contradict could not be asked or was
 * refused. The code is that of the first fault, and the message has them all: what leaves the question open comes first.
 */
export function decideOnFiles(files: readonly VerifiedFile[], { refused, failures }: Hindrances): Decision {
  const ofKind = (kind: FaultyKind) => files.filter((file) => faultIn(file) === kind);
  const faults = [
    ...disagreements(files),
    ...failures.map(unasked),
    ...faultOf(WORST, ofKind(WORST)),
    ...refused.map(refusal),
    ...OTHERS.flatMap((kind) => faultOf(kind, ofKind(kind))),
  ];
  const [first] = faults;
  if (first === undefined) return leastOf(files);
  return { status: 'refused', code: first.code, message: faults.map(({ message }) => message).join('; ') };
}

function disagreements(files: readonly VerifiedFile[]): readonly Fault[] {
  const [first, ...more] = files.filter(({ isAmbiguous }) => isAmbiguous);
  if (first === undefined) return [];
  const what = more.length === 0 ? first.path : `${more.length + 1} files`;
  return [{ code: 'AMBIGUOUS', message: `databases disagree about ${what}` }];
}

function unasked({ target, error: { code, message } }: AskFailure): Fault {
  return { code, message: `${target ?? 'a trusted database'} could not be asked: ${message}` };
}

function refusal({ name, database, code, message }: AskedDatabase): Fault {
  const who = name === null ? database : `${name} (${database})`;
  return { code: code ?? 'SIGNATURE_INVALID', message: `${who} is refused: ${message ?? ''}` };
}

function faultOf(kind: FaultyKind, [first, ...more]: readonly VerifiedFile[]): readonly Fault[] {
  if (first === undefined) return [];
  const who = more.length === 0 ? `${first.path} is` : `${more.length + 1} files are`;
  const code = kind === 'altered' ? 'FILE_ALTERED' : 'FILE_NOT_LISTED';
  return [{ code, message: `${who} ${WORDS[kind]}` }];
}

/** Null for a listed file, and where databases disagree, or one was refused that may know the file. */
function faultIn({ answers: [first], isAmbiguous, asked }: VerifiedFile): FaultyKind | null {
  if (isAmbiguous) return null;
  if (first !== undefined) return first.lookup.kind === 'listed' ? null : first.lookup.kind;
  return asked.some(({ status }) => status === 'refused') ? null : 'unknown';
}

/** Of databases that list the files, the status of the one that can be believed the least. */
function leastOf(files: readonly VerifiedFile[]): Decision {
  const databases = files.flatMap(({ answers: [first] }) => (first === undefined ? [] : [first.database]));
  const withStatus = (wanted: AskedDatabase['status']) => databases.find(({ status }) => status === wanted);
  const least = withStatus('unauthenticated') ?? withStatus('stale');
  if (least === undefined) return { status: 'authentic', code: null, message: null };
  const { status, code, message } = least;
  return { status, code, message };
}
