import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { CTRL_C, CTRL_D, CTRL_Z, atTerminal } from '../terminal.js';
import type { TerminalOptions, Typing } from '../terminal.js';
import { hasTool } from '../tools.js';

const PASSPHRASE = 'sesame';
const INTERRUPTED = 130;

/** A command that asks, its question, and its error if the input ends there. */
interface Asking {
  readonly command: readonly string[];
  /** Typed before the question. */
  readonly before?: readonly Typing[];
  readonly question: string;
  readonly status: 1 | 2;
  readonly error: string;
}

const LOCKED = { question: 'passphrase for', status: 2, error: 'is locked with a passphrase' } as const;
const NEEDED = { status: 2, error: 'a new key needs a passphrase' } as const;
const GENERATE = ['key', 'generate', '--user-id', 'Bob <bob@example.org>', '--output', 'new.asc'];
const ENDED = 'the input ended before an answer: ';

const ASKING: readonly Asking[] = [
  { command: ['build', 'dist', '--key', 'key.asc'], ...LOCKED },
  { command: ['sign', 'dist', '--key', 'key.asc'], ...LOCKED },
  { command: ['watch', 'dist', '--key', 'key.asc'], ...LOCKED },
  { command: ['key', 'check-backup', 'whole.asc'], ...LOCKED },
  { command: ['key', 'extend', 'whole.asc', 'dist'], ...LOCKED },
  { command: ['key', 'rotate', 'whole.asc', 'dist'], ...LOCKED },
  { command: ['key', 'revoke', 'whole.asc', 'dist', '--reason', 'retired'], ...LOCKED },
  { command: GENERATE, question: 'empty for none', ...NEEDED },
  { command: GENERATE, before: [['for none', 'one\r']], question: 'repeat the passphrase', ...NEEDED },
  { command: ['init', 'fresh'], question: 'maintainer, as', status: 2, error: `${ENDED}maintainer` },
  {
    command: ['init', 'fresh'],
    before: [['maintainer, as', 'Ada\r']],
    question: 'description of',
    status: 2,
    error: `${ENDED}description`,
  },
  {
    command: ['trust', 'add', 'OTHER', '--keys', 'eve.pub.asc', '--name', 'other'],
    question: '[y/N]',
    status: 1,
    error: 'was not added',
  },
  {
    command: ['trust', 'add', 'OTHER', '--keys', '-', '--name', 'other'],
    question: 'paste the public key',
    status: 2,
    error: 'the input ended before the last line of a key',
  },
  {
    command: ['trust', 'refresh', 'shop', '--pin', 'EVE'],
    question: '[y/N]',
    status: 1,
    error: 'no further key was pinned for shop',
  },
];

let place: Place;
const words = new Map<string, string>();

/** A trusted shop signed by Ada that now names Eve's key too, another that nobody trusts yet, and a waiting database. */
beforeAll(async () => {
  place = newPlace();
  const [ada, eve] = [await newKey('Ada', { passphrase: PASSPHRASE }), await newKey('Eve')];
  for (const [name, text] of [
    ['key.asc', ada.signing],
    ['whole.asc', ada.secret],
    ['ada.pub.asc', ada.certificate],
    ['eve.asc', eve.signing],
    ['eve.pub.asc', eve.certificate],
  ] as const)
    place.write(name, text);
  place.write('fresh/demo-1.0.tar.gz', sdist('demo', '1.0'));
  place.write('dist/demo-1.0.tar.gz', sdist('demo', '1.0'));
  words.set('EVE', eve.fingerprint);
  for (const name of ['shop', 'other']) {
    place.write(`${name}/demo-1.0.tar.gz`, sdist('demo', '1.0'));
    words.set(name.toUpperCase(), `file://${place.path(name)}/`);
  }
  const env = {
    PACKSIGN_PASSPHRASE: PASSPHRASE,
    XDG_CONFIG_HOME: place.path('config'),
    XDG_CACHE_HOME: place.path('cache'),
  };
  const carryOut = async (...args: readonly string[]) => {
    const { status, stderr } = await place.packsign(
      args.map((word) => words.get(word) ?? word),
      { env },
    );
    expect(status, stderr).toBe(0);
  };
  await carryOut('build', 'dist');
  await carryOut('build', 'other', '--key', 'eve.asc');
  await carryOut('build', 'shop', '--key', 'key.asc');
  await carryOut('trust', 'add', 'SHOP', '--keys', 'ada.pub.asc', '--name', 'shop');
  await carryOut('key', 'publish', 'shop', '--key', 'eve.pub.asc');
  await carryOut(
    'build',
    'shop',
    '--key',
    'key.asc',
    '--signers',
    ada.fingerprint,
    '--signers',
    eve.fingerprint,
  );
  // So that the tests change no file: a refresh keeps all that it learns, except the key that it asks about.
  await carryOut('trust', 'refresh', 'shop');
});

/** Every file, without the times of refreshes. */
function files(): Readonly<Record<string, string>> {
  const trust = place.text('config/packsign/trust.json').replace(/"refreshed": .*/, '');
  return { ...place.snapshot('.'), 'config/packsign/trust.json': trust };
}

/** A run that may change no file. */
async function asked({ command }: Asking, options: TerminalOptions) {
  const before = files();
  const run = await atTerminal(
    place,
    command.map((word) => words.get(word) ?? word),
    { ...options, env: { NO_COLOR: '1' } },
  );
  expect(files()).toEqual(before);
  // The terminal echoes and edits lines again, as before.
  expect(run.modes).toMatch(/(?:^|\s)echo\s/);
  expect(run.modes).toMatch(/(?:^|\s)icanon\s/);
  return run;
}

const NAMED = ASKING.map((asking) => [`${asking.command.join(' ')}: ${asking.question}`, asking] as const);

describe.skipIf(!hasTool('script'))('a question at a terminal', () => {
  describe('Ctrl-D is an error, and nothing happens (T40)', () => {
    test.each(NAMED)('%s', async (_, asking) => {
      const typing: Typing[] = [...(asking.before ?? []), [asking.question, CTRL_D]];
      const { status, seen } = await asked(asking, { typing });
      expect(seen).toContain('packsign: error: ');
      expect([status, seen]).toEqual([asking.status, expect.stringContaining(asking.error)]);
    });
  });

  describe('Ctrl-C ends the program as SIGINT does, without a message, and nothing happens (T40)', () => {
    test.each(NAMED)('%s', async (_, asking) => {
      const typing: Typing[] = [...(asking.before ?? []), [asking.question, CTRL_C]];
      const { status, seen } = await asked(asking, { typing });
      expect([status, seen]).toEqual([INTERRUPTED, expect.not.stringMatching(/error|bug|hint/)]);
    });
  });

  describe('after Ctrl-Z and fg it is asked again', () => {
    // A paste goes on as the shell's own `cat` would.
    const prompts = NAMED.filter(([, { question }]) => !question.startsWith('paste'));

    test.each(prompts)('%s', async (_, asking) => {
      const { before = [], question } = asking;
      const typing: Typing[] = [...before, [question, CTRL_Z], [question, CTRL_C]];
      const { status, seen } = await asked(asking, { typing, isStopped: true });
      expect([status, seen]).toEqual([INTERRUPTED, expect.not.stringMatching(/error|bug|hint/)]);
    });

    test('and a passphrase is taken, and not shown', async () => {
      const typing: Typing[] = [
        ['passphrase for', CTRL_Z],
        ['passphrase for', `${PASSPHRASE}\r`],
      ];
      const command = ['key', 'check-backup', 'whole.asc'];
      const { status, seen } = await atTerminal(place, command, { typing, isStopped: true });
      expect([status, seen]).toEqual([0, expect.not.stringContaining(PASSPHRASE)]);
    });
  });

  test('a terminal that goes away at a question ends the program without a core', async () => {
    const line = [process.execPath, resolve('dist/bin/packsign.js'), ...GENERATE].map((word) => `'${word}'`);
    const lines = `trap : HUP; ${line.join(' ')}; echo $? > ended`;
    const child = spawn('script', ['-qec', lines, '/dev/null'], { cwd: place.root });
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('empty for none')) child.kill('SIGKILL');
    });
    await expect.poll(() => place.has('ended') && place.text('ended'), { timeout: 30_000 }).toBeTruthy();
    // What it notices first depends on the system: the signal, or that nobody can answer.
    expect(['143\n', '2\n']).toContain(place.text('ended'));
    place.remove('ended');
  });

  test('packsign accepts a passphrase and never shows it', async () => {
    const command = ['key', 'check-backup', 'whole.asc'];
    const { status, seen } = await atTerminal(place, command, {
      typing: [['passphrase for', `${PASSPHRASE}\r`]],
    });
    expect([status, seen]).toEqual([0, expect.not.stringContaining(PASSPHRASE)]);
  });

  test('packsign reads a pasted key up to its last line, then asks whether to trust it', async () => {
    const command = ['trust', 'add', words.get('OTHER') ?? '', '--keys', '-', '--name', 'other'];
    const { status, seen } = await atTerminal(place, command, {
      typing: [
        ['paste the public key', place.text('eve.pub.asc')],
        ['[y/N]', 'n\r'],
      ],
    });
    expect([status, seen]).toEqual([1, expect.stringContaining('was not added')]);
  });
});
