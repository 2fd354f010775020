import { spawn } from 'node:child_process';
import { cpSync, readdirSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/all.js';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { PROGRAM } from '../run.js';
import { STEPS, prepare, wordsOf } from './steps.js';

let place: Place;
let url: string;

beforeAll(async () => {
  ({ place, url } = await prepare());
});

const STREAMS = ['stdin', 'stdout', 'stderr'] as const;
const FAULTS = ['closed', 'ended', 'full'] as const;

interface Fault {
  readonly stream: (typeof STREAMS)[number];
  readonly fault: (typeof FAULTS)[number];
}

/** The words of a shell that starts the program with a stream like that. */
function redirection({ stream, fault }: Fault): string {
  const descriptor = `${STREAMS.indexOf(stream)}${stream === 'stdin' ? '<' : '>'}`;
  if (fault === 'closed') return `${descriptor}&-`;
  return fault === 'full' ? `${descriptor}/dev/full` : '';
}

/** Runs the program until it ends; one that never would is told to stop. */
async function runWith(
  root: Place,
  args: readonly string[],
  { stream, fault, input }: Fault & { input: string },
) {
  const line = `exec "$@" ${redirection({ stream, fault })}`;
  const child = spawn('sh', ['-c', line, 'sh', process.execPath, PROGRAM, ...args], {
    cwd: root.root,
    env: { PATH: process.env['PATH'], HOME: root.path('home'), XDG_STATE_HOME: root.path('state') },
  });
  let said = '';
  for (const output of [child.stdout, child.stderr]) {
    output.on('error', () => undefined).on('data', (chunk: Buffer) => (said += chunk.toString()));
  }
  child.stdin.on('error', () => undefined);
  if (fault === 'ended' && stream !== 'stdin') child[stream].destroy();
  child.stdin.end(fault === 'ended' && stream === 'stdin' ? '' : input);
  const stopping = args[0] === 'serve' ? setInterval(() => child.kill('SIGTERM'), 1000) : undefined;
  const status = await new Promise<number | null>((done) => child.on('close', done));
  clearInterval(stopping);
  // Without a handler yet, the signal itself ends the process.
  return { said, status: status ?? 143 };
}

function namesIn(root: Place): readonly string[] {
  // What is named after its bytes, or after a moment, differs from run to run.
  const names = readdirSync(root.root, { recursive: true }).map(String);
  return names
    .filter((name) => !/^(?:home|state)\/|\.packsign\//.test(name))
    .map((name) => name.replace(/[0-9a-f]{64}|[0-9A-F]{40}/g, 'HASH'))
    .sort();
}

function copyOf(original: Place): Place {
  const copy = newPlace();
  cpSync(original.root, copy.root, { recursive: true, preserveTimestamps: true });
  return copy;
}

const ALL: readonly Fault[] = STREAMS.flatMap((stream) => FAULTS.map((fault) => ({ stream, fault })));
const IS_SOAK = process.env['PACKSIGN_SOAK_SECONDS'] !== undefined;
/** A third of them for each command, so that each is tried with a third of the commands; the soak tries all. */
const faultsFor = (nth: number) =>
  ALL.filter((_, index) => IS_SOAK || (index + Math.floor(index / 3) + nth) % 3 === 0);
const SERVE = ['serve', ['serve', 'dist']] as const;

describe('with a stream that is closed, ended or full', () => {
  test('every command is tried', () => {
    const names = COMMANDS.map(({ usage }) => usage.replace(/ [[<].*$/, ''));
    // A worker needs Redis: test/cli/queue.
    expect([...STEPS, SERVE, ['worker']].map(([name]) => name).sort()).toEqual(names.sort());
  });

  test.each([...STEPS, SERVE].map(([name, args, input = ''], nth) => ({ name, args, input, nth })))(
    '$name ends with a status that the files agree with',
    { timeout: 180_000 },
    async ({ name, args, input, nth }) => {
      if (name === 'sign') {
        place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
        expect((await place.packsign(['build', 'dist'])).status).toBe(0);
      }
      const words = wordsOf(args, url);
      const before = namesIn(place);
      const outcomes = await Promise.all(
        faultsFor(nth).map(async (fault) => {
          const copy = copyOf(place);
          return { fault, copy, ...(await runWith(copy, words, { ...fault, input })) };
        }),
      );
      if (name !== 'serve') expect((await place.process(words, { input })).status).toBe(0);
      const after = namesIn(place);
      for (const { fault, copy, said, status } of outcomes) {
        const about = `${name}, ${fault.stream} ${fault.fault}: ${said}`;
        expect([0, 1, 2, 130, 143], about).toContain(status);
        expect(said, about).not.toContain('this is a bug');
        const names = namesIn(copy);
        if (status === 0) expect(names, about).toEqual(after);
        else expect([before, after], about).toContainEqual(names);
        // It may be stopped before it prints.
        if (name === 'serve') continue;
        if (fault.stream === 'stderr') expect(status, about).toBe(0);
        if (fault.stream === 'stdout' && fault.fault === 'full') expect(status, about).toBe(2);
      }
    },
  );
});

describe('a database that is published while nobody can be told', () => {
  const published = async (args: readonly string[], fault: Fault) => {
    const { place: fresh } = await prepare();
    const run = await runWith(fresh, ['build', 'dist', '--key', 'bob.asc', ...args], { ...fault, input: '' });
    const { status } = await fresh.packsign(['verify', 'dist', '--keys', 'dist/keys.asc']);
    return { ...run, isSound: status === 0 };
  };

  test('a full standard output is a failure that says that the work is done', async () => {
    const { status, said, isSound } = await published([], { stream: 'stdout', fault: 'full' });
    expect([status, isSound]).toEqual([2, true]);
    expect(said).toBe(
      'packsign: error: cannot write to standard output: no space left on device (ENOSPC)\n' +
        'packsign: hint: the command itself succeeded; only its answer is lost\n',
    );
  });

  test.each(STREAMS)('no file is written into through the number of a closed %s', async (stream) => {
    expect(await published(['--verbose'], { stream, fault: 'closed' })).toMatchObject({
      status: 0,
      isSound: true,
    });
  });
});

describe('a watch that nobody hears', () => {
  test.each(['ended', 'full'] as const)('fails when standard output is %s', async (fault) => {
    const { place: fresh } = await prepare();
    const args = ['watch', 'dist', '--key', 'bob.asc'];
    const { status, said } = await runWith(fresh, args, { stream: 'stdout', fault, input: '' });
    expect(status).toBe(2);
    expect(said).toContain('packsign: error: cannot write to standard output: ');
  });
});

test('an endless standard input is no passphrase', async () => {
  const { place: fresh } = await prepare();
  const generate = ['key', 'generate', '--user-id', 'Eve <eve@example.org>', '--passphrase-file', '-'];
  const full = { stream: 'stdin', fault: 'full', input: '' } as const;
  const { status, said } = await runWith(fresh, [...generate, '--output', 'eve.asc'], full);
  expect([status, said]).toEqual([2, 'packsign: error: standard input does not end\n']);
});
