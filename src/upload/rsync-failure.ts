import { PacksignError } from '../errors.js';
import type { Destination } from '../model/destination.js';
import { shellWord } from '../model/shell.js';
import { oneLine } from '../model/text.js';
import type { ChildOutcome } from '../programs/child.js';

export type RsyncTarget = Extract<Destination, { readonly kind: 'rsync' }>;

export interface Attempt {
  readonly program: string;
  /** For messages: `read`, `write to`. */
  readonly verb: string;
  readonly target: RsyncTarget;
}

const SAID_LIMIT = 400;

/** The error of a program that did not do what it should. */
export function failed(outcome: ChildOutcome, { program, verb, target }: Attempt): PacksignError {
  const destination = target.target;
  const { trouble } = outcome;
  if (trouble === 'missing') {
    return new PacksignError(
      'DESTINATION_FAILED',
      `cannot ${verb} ${destination}: ${program} is not installed`,
      { hint: installation(program) },
    );
  }
  const said = oneLine(outcome.stderr, SAID_LIMIT);
  const why = said === '' ? (trouble ?? `it ended with status ${outcome.status ?? 'unknown'}`) : said;
  return new PacksignError('DESTINATION_FAILED', `cannot ${verb} ${destination}: ${program} says: ${why}`, {
    hint: hintFor(outcome.stderr, target),
  });
}

/** Whether rsync found no folder there. It says the number that every Unix has for that, whatever the language. */
export function lacksFolder({ status, stderr }: ChildOutcome): boolean {
  return (
    status === 23 && /change_dir .*\(2\)$/m.test(stderr) && !/\((?!2\))\d+\)$/m.test(withoutPipes(stderr))
  );
}

/** The connection of the side that gave up, and the sum of it all. */
function withoutPipes(stderr: string): string {
  return stderr.replace(/^.*(?:write|read) error:.*$/gm, '').replace(/^rsync error:.*$/gm, '');
}

function installation(program: string): string {
  const name = program === 'ssh' ? 'openssh-client' : program;
  return `install it: apt install ${name}, dnf install ${program === 'ssh' ? 'openssh-clients' : name}, brew install ${program === 'ssh' ? 'openssh' : name}`;
}

/** What programs say → what to do. `HOST`, `PATH` and `FOLDER` stand for words of the destination. */
const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/Host key verification failed|REMOTE HOST IDENTIFICATION/i, 'check its host key by hand: ssh HOST'],
  [
    /Permission denied \(|Too many authentication failures/i,
    'make sure that ssh can log in by itself: ssh HOST',
  ],
  [/Could not resolve|Name or service not known|nodename nor servname/i, 'check the name of the host'],
  [/auth failed on module/i, 'set RSYNC_PASSWORD, and the user as USER@HOST'],
  [/Unknown module/i, 'list its modules: rsync HOST'],
  [/read only/i, 'make the module writable: "read only = no" in its rsyncd.conf'],
  [/mkdir .*\(2\)|can't cd to|cannot create directory.*No such file/i, 'make the folder first: MKDIR'],
  [
    /\(28\)|No space left|\(122\)|quota/i,
    'make room there, then publish again: it continues where it stopped',
  ],
  [
    /\((?:1|13|30)\)|Permission denied|Read-only/i,
    'give this user write permission there, then publish again',
  ],
  [/command not found|rsync: not found/i, 'install rsync at the host too'],
  [
    /protocol version mismatch|shell clean/i,
    'its shell must print nothing at login; this shows what it prints: ssh HOST true',
  ],
];

function hintFor(said: string, { host, path, target }: RsyncTarget): string {
  const found = HINTS.find(([pattern]) => pattern.test(said))?.[1];
  const look = `try it by hand: rsync --list-only ${shellWord(`${target.replace(/\/+$/, '')}/`)}`;
  const server = host ?? /^(?:rsync:\/\/[^/]+\/|[^:]+::)/i.exec(target)?.[0] ?? target;
  const mkdir = host === null ? 'with its parents, at the host' : `ssh ${server} mkdir -p ${shellWord(path)}`;
  return (found ?? look).replace('MKDIR', mkdir).replace('HOST', server);
}
