import { resolve } from 'node:path';
import { runChild } from '../programs/child.js';
import type { ChildOutcome } from '../programs/child.js';
import { PacksignError } from '../errors.js';
import { failed } from './rsync-failure.js';
import type { RsyncTarget } from './rsync-failure.js';

/** One run of rsync. */
export interface Call {
  /** For messages: `read`, `write to`. */
  readonly verb: string;
  readonly options: readonly string[];
  readonly from: string;
  /** Null only lists. */
  readonly to: string | null;
  /** The paths that it is about, relative to both sides; null for what the options say. */
  readonly paths: readonly string[] | null;
  /** Gets what it prints, as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Whether an outcome that is no success will do. */
  readonly isFine?: (outcome: ChildOutcome) => boolean;
}

/** Runs rsync for one destination. Throws DESTINATION_FAILED. */
export interface Rsync {
  readonly target: RsyncTarget;
  /** The folder there, as rsync wants it, with a slash at its end. */
  readonly folder: string;
  readonly call: (call: Call) => Promise<ChildOutcome>;
}

/** Rsync itself gives up if nothing moves for as long; the other side may have to read a large file meanwhile. */
const QUIET_SECONDS = 300;
const CONNECT_SECONDS = 60;
/** Only for a program that does not keep its own limit. */
const LONGEST_MS = 7 * 24 * 60 * 60 * 1000;
/** The listing of more than a million files. */
const OUTPUT_LIMIT_BYTES = 256 * 1024 * 1024;

/**
 * The program `rsync`, 3.1 or newer at both ends; the openrsync of macOS was not tried, and has no option to remove named
 * files. It asks for passwords and unknown host keys at the terminal, where there is one: without, ssh fails at once. No
 * shell here reads a path, nor one there: with `-s` paths travel inside the protocol. Plain paths need no `-s`, which
 * rrsync refuses.
 */
export function rsyncAt(
  target: RsyncTarget,
  environmentOf: () => Readonly<Record<string, string | undefined>>,
): Rsync {
  const folder = folderOf(target);
  const always = [
    `--timeout=${QUIET_SECONDS}`,
    ...(/^[\w./@:%+=,~-]*$/.test(target.path) ? [] : ['-s']),
    ...(target.host === null ? [`--contimeout=${CONNECT_SECONDS}`, '--no-motd'] : []),
  ];
  const call = async ({ verb, options, from, to, paths, isFine, onOutput }: Call): Promise<ChildOutcome> => {
    const byName = paths === null ? [] : ['--relative', '--no-implied-dirs', '--files-from=-', '--from0'];
    const outcome = await runChild(
      ['rsync', ...always, ...options, ...byName, '--', from, ...(to === null ? [] : [to])],
      {
        environment: { ...environmentOf(), LC_ALL: 'C', TZ: 'UTC' },
        timeoutMs: LONGEST_MS,
        outputLimitBytes: OUTPUT_LIMIT_BYTES,
        onOutput,
        // Without the dot, a name that begins with `#` would be a comment.
        input: Buffer.from((paths ?? []).map((path) => `./${path}\0`).join('')),
      },
    );
    if (outcome.status === 0 || isFine?.(outcome) === true) return outcome;
    throw failed(outcome, { program: 'rsync', verb, target });
  };
  return { target, folder, call };
}

/** A folder of this machine, as rsync wants it: nothing in it may pass for a host. */
export function localFolder(path: string): string {
  return `${resolve(path)}/`;
}

/** What rsync and shells make of a path that is none of theirs, they make of it here and there. Throws USAGE. */
function folderOf({ host, path, target }: RsyncTarget): string {
  if (/[*?[\\]/.test(path)) {
    throw new PacksignError('USAGE', `the destination "${target}" has one of *?[\\ in its path`, {
      hint: 'rsync would take it for a pattern; name the folder without it',
    });
  }
  if (host === null) return `${target.replace(/\/+$/, '')}/`;
  return `${host}:${folderAtHost(path)}/`;
}

/** The path at a host that ssh leads to: relative to the home folder, and none that passes for an option. */
export function folderAtHost(path: string): string {
  const [, below = path] = /^~\/+(.*)$/s.exec(path === '~' ? '~/' : path) ?? [];
  const bare = below.replace(/(?<=.)\/+$/, '');
  if (bare === '/') return '/.';
  return bare.startsWith('/') ? bare : `./${bare}`.replace(/\/$/, '');
}
