import { setTimeout as sleep } from 'node:timers/promises';
import { PacksignError } from '../errors.js';
import { PUBLISHING_NAME } from '../model/layout.js';
import { shellWord } from '../model/shell.js';
import type { ChildOptions } from '../programs/child.js';
import { startTalk } from '../programs/talk.js';
import type { Talk } from '../programs/talk.js';
import type { Run } from '../run.js';
import { lockLost } from './remote.js';
import type { Check } from './remote.js';
import { folderAtHost } from './rsync-call.js';
import { failed } from './rsync-failure.js';
import type { RsyncTarget } from './rsync-failure.js';
import { lockScript } from './ssh-lock-script.js';
import { NOT_SHARED, withSharing } from './ssh-sharing.js';
import type { Sharing } from './ssh-sharing.js';

/** What work under a lock gets. */
export interface Held {
  /** Null where there is no lock to have. */
  readonly check: Check | null;
  /** For rsync, which then goes through the connection of the lock. */
  readonly environment: ChildOptions['environment'];
}

export interface LockOptions {
  readonly target: RsyncTarget;
  readonly environment: ChildOptions['environment'];
  readonly run: Run;
}

const BEAT_MS = 5000;
const RETRY_MS = 500;
/** Somebody may have to type a password. */
const LOGIN_MS = 120_000;
const ANSWER_MS = 60_000;
/** What ssh says if it could not connect; a program that it starts has another status. */
const SSH_FAILED = 255;
/** It says so in the folder for temporary files of a few systems. */
const SOCKET_TROUBLE = /^(?:unix_listener|muxserver_listen)\b/m;

/**
 * Does work under a lock at the host: a shell there holds it for as long as its connection lasts, which rsync shares.
 * There is no lock at a daemon, and at a host that runs no commands. Throws LOCKED, DESTINATION_FAILED.
 */
export async function withSshLock<T>(options: LockOptions, work: (held: Held) => Promise<T>): Promise<T> {
  const { target, environment } = options;
  if (target.host === null) return await work({ check: null, environment });
  const command = [remoteShell(environment['RSYNC_RSH']), wordsForHost(target.host)] as const;
  return await withSharing(command, environment, async (sharing) => {
    const talk = await talkTo(options, { command, sharing });
    if (talk === null) return await work({ check: null, environment });
    const own = environment['RSYNC_RSH'] ?? '';
    const RSYNC_RSH = [own.trim() === '' ? 'ssh' : own, ...sharing.using].join(' ');
    const beat = setInterval(() => {
      talk.ask('hold', ANSWER_MS).catch(() => undefined);
    }, BEAT_MS);
    beat.unref();
    try {
      await take(talk, options);
      const check: Check = async () => {
        const answer = await talk.ask('hold', ANSWER_MS);
        if (answer === null) throw connectionLost(target);
        if (answer !== 'held') throw lockLost(target.target);
      };
      return await work({ check, environment: { ...environment, RSYNC_RSH } });
    } finally {
      clearInterval(beat);
      await talk.end();
    }
  });
}

interface Shell {
  readonly command: Parameters<typeof withSharing>[0];
  readonly sharing: Sharing;
}

/** A shell at the host that knows what to do; null if none starts. */
async function talkTo(options: LockOptions, { command, sharing }: Shell): Promise<Talk | null> {
  const { target, environment } = options;
  const argv = [...command[0], ...sharing.making, ...command[1], 'exec sh'];
  const talk = startTalk(argv, environment);
  const greeting = await talk.ask(lockScript(folderAtHost(target.path)), LOGIN_MS);
  if (greeting === 'ready') return talk;
  const outcome = await talk.end();
  const mayMakeSocket = sharing.making.length === 0 || !SOCKET_TROUBLE.test(outcome.stderr);
  if (!mayMakeSocket) return await talkTo(options, { command, sharing: NOT_SHARED });
  const attempt = { program: argv[0] ?? '', verb: 'write to', target };
  if (greeting === 'failed' || outcome.trouble !== null || outcome.status === SSH_FAILED) {
    throw failed(outcome, attempt);
  }
  return null;
}

async function take(talk: Talk, { target, run }: LockOptions): Promise<void> {
  const beginMs = performance.now();
  for (;;) {
    const answer = await talk.ask('hold', ANSWER_MS);
    if (answer === 'held') return;
    if (answer === null) throw connectionLost(target);
    if (performance.now() - beginMs >= run.waitMs) throw locked(target);
    await sleep(RETRY_MS * (0.5 + Math.random()));
  }
}

/** The command of RSYNC_RSH in words, as rsync reads it: blanks and quotes, and a doubled quote for itself. */
export function remoteShell(command = ''): readonly string[] {
  const words = Array.from(command.matchAll(/(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\s'"])+/g), ([word]) =>
    word.replace(/'((?:[^']|'')*)'|"((?:[^"]|"")*)"/g, (_, single?: string, double?: string) =>
      single === undefined ? (double ?? '').replaceAll('""', '"') : single.replaceAll("''", "'"),
    ),
  );
  return words.length > 0 ? words : ['ssh'];
}

function wordsForHost(host: string): readonly string[] {
  const at = host.lastIndexOf('@');
  const user = at === -1 ? [] : ['-l', host.slice(0, at)];
  return [...user, host.slice(at + 1).replace(/^\[|\]$/g, '')];
}

function locked({ target, host, path }: RsyncTarget): PacksignError {
  const remove = `ssh ${host ?? ''} rm -r ${shellWord(`${folderAtHost(path)}/${PUBLISHING_NAME}`)}`;
  return new PacksignError('LOCKED', `another packsign publishes to ${target}`, {
    hint: `wait until it is done; if it is gone, packsign takes over after two minutes, or: ${remove}`,
  });
}

function connectionLost({ target, host }: RsyncTarget): PacksignError {
  return new PacksignError('DESTINATION_FAILED', `the connection that holds the lock at ${target} broke`, {
    hint: `publish again: it continues where it stopped; if that happens often, try: ssh ${host ?? ''}`,
  });
}
