import { runChild } from '../programs/child.js';
import type { ChildOutcome } from '../programs/child.js';

/** What another OpenPGP program says about a signature. */
export interface SecondOpinion {
  readonly program: 'gpgv' | 'sqv';
  readonly good: boolean;
  /** Its message if the signature is not good. */
  readonly reason: string | null;
}

export interface OpinionOptions {
  /** Paths of the files: certificates in binary and armored, the signature file, the database. */
  readonly files: Readonly<Record<'keyring' | 'armored' | 'signature' | 'database', string>>;
  /** An empty folder in place of the user's home: no settings count. */
  readonly home: string;
  /** The PATH on which the programs are found. */
  readonly searchPath: string;
  /** How many of these primaries must have signed. */
  readonly threshold: number;
  readonly fingerprints: readonly string[];
}

const PATIENCE_MS = 60_000;

/** Asks each of the programs that is installed. */
export async function secondOpinions(options: OpinionOptions): Promise<readonly SecondOpinion[]> {
  const opinions = [await askGpgv(options), await askSqv(options)];
  return opinions.filter((opinion) => opinion !== null);
}

async function askGpgv(options: OpinionOptions): Promise<SecondOpinion | null> {
  const { files, home, threshold, fingerprints, searchPath } = options;
  const gpgv = ['gpgv', '--homedir', home, '--status-fd', '1', '--keyring', files.keyring];
  const run = await ask([...gpgv, files.signature, files.database], searchPath);
  if (run === null) return null;
  // Threat T13: compare whole tokens of its status; the last one is the primary fingerprint.
  const valid = run.stdout
    .toString('latin1')
    .split('\n')
    .flatMap((line) => {
      const words = line.split(' ');
      return words[0] === '[GNUPG:]' && words[1] === 'VALIDSIG' ? [words.at(-1) ?? ''] : [];
    });
  const signers = new Set(valid.filter((fingerprint) => fingerprints.includes(fingerprint)));
  const good = signers.size >= threshold;
  return { program: 'gpgv', good, reason: good ? null : lastLine(run.stderr) };
}

async function askSqv({ files, threshold, searchPath }: OpinionOptions): Promise<SecondOpinion | null> {
  const sqv = ['sqv', '--signatures', String(threshold), '--keyring', files.armored];
  const run = await ask([...sqv, files.signature, files.database], searchPath);
  if (run === null) return null;
  const good = run.status === 0;
  return { program: 'sqv', good, reason: good ? null : lastLine(run.stderr) };
}

/** Null if the program is not installed. */
async function ask(argv: readonly string[], searchPath: string): Promise<ChildOutcome | null> {
  const environment = { PATH: searchPath, LC_ALL: 'C' };
  const outcome = await runChild(argv, { environment, timeoutMs: PATIENCE_MS });
  return outcome.trouble === 'missing' ? null : outcome;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
