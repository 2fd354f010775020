import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, test } from 'vitest';
import type { Warning } from '../../src/model/finding.js';
import { openHooks } from '../../src/watch/hooks.js';
import type { HooksOptions, Occasion } from '../../src/watch/hooks.js';
import { newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import {
  PATIENCE_MS,
  drop,
  endAll,
  eventually,
  expectSound,
  sleep,
  startWatch,
  watchedPlace,
} from './watching.js';

afterAll(endAll);

const KEY = ['--key', 'key.asc', '--settle', '300ms'] as const;
const A = 'a-1.0.tar.gz';
const B = 'b-1.0.tar.gz';
/** Notes each run in a file, in the order of the runs. */
const NOTE = `sh -c 'printf "%s\\n" "$PACKSIGN_EVENT $PACKSIGN_CODE $(cat)" >> log'`;
/** Runs until it is killed, with a child, and notes the number of the child. */
const ENDLESS = `sh -c 'trap "" TERM INT HUP; sleep 1000 & echo $! > pid; wait; sleep 1000'`;

/** What the noting command was run for, and the lines that it got. */
function runs(place: Place): readonly { readonly about: string; readonly json: string }[] {
  const lines = place.has('log') ? place.text('log').split('\n').slice(0, -1) : [];
  return lines.map((line) => {
    const begin = line.indexOf('{');
    return { about: line.slice(0, begin).trimEnd(), json: line.slice(begin) };
  });
}

const abouts = (place: Place) => runs(place).map(({ about }) => about);

async function newScene(): Promise<Place> {
  const { place } = await watchedPlace();
  drop(place, `dist/${A}`, sdist('a', '1.0'));
  return place;
}

/** Runs a watch to its end. */
async function once(place: Place, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return await place.process(['watch', 'dist', ...KEY, '--once', ...args], { env });
}

/** Not one that has ended and that nobody asked about. */
function isAlive(place: Place): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', place.text('pid').trim()], { encoding: 'utf8' });
  return /^[^Z\s]/.test(stdout.trim());
}

describe.concurrent('--on-publish', { timeout: 4 * PATIENCE_MS }, () => {
  test('gets the event as it is printed, and no secret of packsign', async () => {
    const place = await newScene();
    const hook = `sh -c 'cat > event; env > env; echo "to stdout"; echo "to \u001b stderr" >&2'`;
    const env = {
      PACKSIGN_PASSPHRASE: 'secret words',
      PACKSIGN_AUTHORIZATION: 'Bearer token',
      PACKSIGN_KEY: place.text('key.asc'),
      OWN: 'kept',
    };
    const run = await place.process(['watch', 'dist', '--once', '--json', '--on-publish', hook], { env });
    expect(run.status, run.stderr).toBe(0);
    const lines = run.stdout.split('\n');
    expect(lines).toContain(place.text('event').trimEnd());
    expect(JSON.parse(place.text('event'))).toMatchObject({ event: 'signed', paths: [A] });
    const seen = place.text('env');
    expect(seen).not.toMatch(/secret words|Bearer|PRIVATE KEY|PACKSIGN_(?!EVENT|DIRECTORY)/);
    expect(seen).toContain('OWN=kept\n');
    expect(seen).toContain('PACKSIGN_EVENT=signed\n');
    expect(seen).toContain(`PACKSIGN_DIRECTORY=${place.path('dist')}\n`);
    // Standard output is for events alone, and no command speaks to the terminal.
    expect(run.stderr).toBe('to stdout\nto \\u{1b} stderr\n');
    expect(run.stdout).not.toContain('to ');
  });

  test('runs after each publication, in their order, also for what was put back, and for nothing else', async () => {
    const place = await newScene();
    const watching = startWatch(place, [...KEY, '--on-publish', NOTE]);
    await watching.until({ event: 'ready' });
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.until({ event: 'signed', paths: [B] });
    drop(place, `dist/${B}`, sdist('b', '1.0', 'other\n'));
    await watching.until({ event: 'refused' });
    place.remove('dist/packages.plist');
    await watching.until({ event: 'unchanged' });
    drop(place, 'dist/c-1.0.tar.gz', sdist('c', '1.0'));
    await watching.until({ event: 'signed', paths: ['c-1.0.tar.gz'] });
    await eventually('all are noted', () => runs(place).length === 4);
    expect(abouts(place)).toEqual(['signed', 'signed', 'unchanged', 'signed']);
    const printed = watching.stdout().split('\n');
    for (const { json } of runs(place)) expect(printed).toContain(json);
    expect(await watching.stop()).toBe(0);
  });

  test('publishing does not wait for it; a signal gives it a second, and says what was not run', async () => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      const place = await newScene();
      const watching = startWatch(place, [...KEY, '--on-publish', ENDLESS]);
      await watching.until({ event: 'ready' });
      await eventually('it runs', () => place.has('pid') && place.text('pid').endsWith('\n'));
      for (const name of ['b', 'c']) {
        drop(place, `dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
        await watching.until({ event: 'signed', paths: [`${name}-1.0.tar.gz`] });
      }
      expect(isAlive(place)).toBe(true);
      expect(await watching.stop(signal), watching.stderr()).toBe(0);
      expect(watching.lines.at(-1)?.event).toBe('stopped');
      expect(watching.stderr()).toBe(
        'packsign: warning: --on-publish: sh was killed as the watch ends, with all that it started (HOOK_TIMED_OUT)\n' +
          'packsign: warning: --on-publish: not run for 2 events, as the watch ends (HOOK_DROPPED)\n',
      );
      await eventually('what it started has ended', () => !isAlive(place));
      await expectSound(place);
    }
  });

  test('ends with a watch that nobody hears any more, which is a failure', async () => {
    const place = await newScene();
    const through = ['sh', '-c', '{ "$@"; echo $? > status; } | head -n 2', 'sh'] as const;
    const args = [...KEY, '--on-publish', ENDLESS, '--on-failure', NOTE];
    const watching = startWatch(place, args, { through });
    await eventually('it runs', () => place.has('pid') && place.text('pid').endsWith('\n'));
    await watching.until({ event: 'ready' });
    drop(place, `dist/${B}`, sdist('b', '1.0'));
    await watching.ended();
    expect(place.text('status')).toBe('2\n');
    await eventually('what it started has ended', () => !isAlive(place));
    expect(watching.stderr()).toMatch(/^packsign: error: cannot write to standard output: /);
    expect(watching.stderr()).toContain(
      '--on-publish: not run for one event, as the watch ends (HOOK_DROPPED)',
    );
    expect(watching.stderr()).toContain(
      '--on-failure: not run for one event, as the watch ends (HOOK_DROPPED)',
    );
  });

  test.each([
    ['nowhere', 'there is no program nowhere'],
    ['./key.asc', './key.asc could not be started'],
    ['./key.asc/x', './key.asc/x could not be started'],
    ["''", "'' could not be started"],
    [`sh -c 'exit 3' token`, 'sh ended with status 3'],
    [`sh -c 'kill -9 $$'`, 'sh was ended by a signal'],
    ['yes', 'yes wrote more than 4 MiB, and was ended'],
  ])('HOOK_FAILED: %s is one warning, and no failure of the watch', async (hook, message) => {
    const place = await newScene();
    const watching = startWatch(place, [...KEY, '--on-publish', hook]);
    const warning = `packsign: warning: --on-publish: ${message} (HOOK_FAILED)\n`;
    await eventually('it is said', () => watching.stderr().includes(warning));
    await watching.until({ event: 'ready' });
    for (const name of ['b', 'c']) {
      drop(place, `dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
      await watching.until({ event: 'signed', paths: [`${name}-1.0.tar.gz`] });
    }
    expect(await watching.stop()).toBe(0);
    expect(watching.stderr().split('HOOK_FAILED')).toHaveLength(2);
    await expectSound(place);
  });

  test.each([
    ['does not read its input', 'true'],
    ['closes its input and goes on', `sh -c 'exec <&-; sleep 0.2'`],
    ['leaves a process that holds its pipes open', `sh -c 'echo said; sleep 1000 & echo $! > pid'`],
    ['prints a lot', 'head -c 3000000 /dev/zero'],
  ])('--once ends well with a command that %s', async (_, hook) => {
    const place = await newScene();
    const run = await once(place, ['--on-publish', hook]);
    expect([run.status, run.stderr.includes('warning')], run.stderr).toEqual([0, false]);
    expect(run.stderr.length).toBeLessThan(200_000);
    if (!place.has('pid')) return;
    expect(run.stderr).toBe('said\n');
    process.kill(Number(place.text('pid')));
  });

  test('--once waits for it', async () => {
    const place = await newScene();
    expect((await once(place, ['--on-publish', `sh -c 'sleep 2; echo late > late'`])).status).toBe(0);
    expect(place.text('late')).toBe('late\n');
  });
});

describe.concurrent('--on-failure', { timeout: 4 * PATIENCE_MS }, () => {
  test('runs once when a trouble begins, and for the next trouble', async () => {
    const place = await newScene();
    const watching = startWatch(place, [...KEY, '--on-failure', NOTE]);
    await watching.until({ event: 'ready' });
    drop(place, `dist/${A}`, sdist('a', '1.0', 'other\n'));
    await watching.until({ event: 'refused', code: 'BYTES_CHANGED' });
    for (const name of ['b', 'c']) {
      drop(place, `dist/${name}-1.0.tar.gz`, sdist(name, '1.0'));
      await watching.until({ event: 'signed', paths: [`${name}-1.0.tar.gz`] });
    }
    place.write('dist/packsign.json', '{');
    await watching.until({ event: 'error', code: 'SETTINGS_INVALID' });
    drop(place, 'dist/d-1.0.tar.gz', sdist('d', '1.0'));
    await watching.until({ event: 'signed', paths: ['d-1.0.tar.gz'] });
    expect(await watching.stop()).toBe(0);
    expect(abouts(place)).toEqual(['refused BYTES_CHANGED', 'error SETTINGS_INVALID']);
    const printed = watching.stdout().split('\n');
    for (const { json } of runs(place)) expect(printed).toContain(json);
    expect(watching.stderr()).not.toContain('warning');
  });

  test('runs with --once, and when the watch itself fails; the exit status stays', async () => {
    const place = await newScene();
    const failing = ['--on-failure', NOTE] as const;
    drop(place, 'dist/odd-2.0.tar.gz', sdist('b', '1.0'));
    expect((await once(place, failing)).status).toBe(1);
    const noKey = await place.process(['watch', 'dist', '--json', ...failing]);
    expect(noKey.status).toBe(2);
    expect(runs(place).at(-1)?.json).toBe(noKey.stdout.trimEnd());
    expect((await place.process(['watch', 'nowhere', ...KEY, ...failing])).status).toBe(2);
    expect((await place.process(['watch', 'dist', '--key', 'no.asc', ...failing])).status).toBe(2);
    const all = ['held NAME_MISMATCH', 'error NO_KEY', 'error DIRECTORY_UNREADABLE', 'error NO_KEY'];
    expect(abouts(place)).toEqual(all);
    expect(runs(place).map(({ json }) => JSON.parse(json) as unknown)).toMatchObject([
      { event: 'held' },
      { error: { code: 'NO_KEY' } },
      { error: { code: 'DIRECTORY_UNREADABLE' } },
      { error: { code: 'NO_KEY' } },
    ]);
  });
});

describe('an internal error runs --on-failure before the watch ends with 70', () => {
  const crash = (place: Place) =>
    place.write('crash.cjs', "setTimeout(() => { throw new Error('boom'); }, 2500).unref();");
  const crashing = async (place: Place, hook: string) =>
    await place.process(['watch', 'dist', ...KEY, '--on-failure', hook], {
      env: { NODE_OPTIONS: `--require=${crash(place)}` },
    });

  test('which gets it as --json prints it, and is heard', async () => {
    const place = await newScene();
    const { status, stderr } = await crashing(place, NOTE.replace('>> log', '>> log; echo noted'));
    expect(runs(place)).toEqual([
      { about: 'error BUG', json: '{"error":{"code":"BUG","message":"internal error","hint":null}}' },
    ]);
    expect([status, stderr]).toEqual([70, expect.stringMatching(/this is a bug[^]*\nnoted\n$/)]);
  });

  test('and one that never ends does not keep it from that', { timeout: 4 * PATIENCE_MS }, async () => {
    const place = await newScene();
    const { status, stderr } = await crashing(place, ENDLESS);
    expect([status, stderr]).toEqual([70, expect.stringContaining('(HOOK_TIMED_OUT)')]);
    expect(isAlive(place)).toBe(false);
  });
});

test('a watch that nobody hears runs --on-failure, and fails', { timeout: 4 * PATIENCE_MS }, async () => {
  const place = await newScene();
  const through = ['sh', '-c', '{ "$@"; echo $? > status; } >/dev/full', 'sh'] as const;
  const watching = startWatch(place, [...KEY, '--on-failure', NOTE], { through });
  await watching.ended();
  expect(place.text('status')).toBe('2\n');
  expect(abouts(place)).toEqual(['error FILE_UNWRITABLE']);
});

test.each(['On-publish', 'On-failure', 'on-publish', 'on-failure', 'OnPublish'])(
  'T26, SETTINGS_INVALID: no command comes from packsign.json: %s',
  async (key) => {
    const place = await newScene();
    place.write('dist/packsign.json', JSON.stringify({ [key]: 'touch pwned' }));
    const run = await place.packsign(['watch', 'dist', ...KEY, '--once', '--verbose']);
    expect([run.status, run.stderr]).toEqual([2, expect.stringContaining('(SETTINGS_INVALID)')]);
    expect([place.has('pwned'), place.has('dist/packages.plist')]).toEqual([false, false]);
  },
);

test('USAGE: an empty command, an open quote, a command given twice', async () => {
  const place = await newScene();
  const usage = async (...args: readonly string[]) => {
    const run = await place.packsign(['watch', 'dist', ...KEY, '--once', ...args]);
    expect([run.status, place.has('dist/packages.plist')]).toEqual([2, false]);
    return run.stderr;
  };
  expect(await usage('--on-failure', ' ')).toBe(
    'packsign: error: missing command after --on-failure\n' +
      "packsign: hint: --on-failure 'mail -s packsign you@example.org'\n",
  );
  expect(await usage('--on-publish', "curl 'x")).toContain(
    'the command after --on-publish has an open quote',
  );
  expect(await usage('--on-publish', 'true', '--on-publish', 'true')).toContain('was given more than once');
});

describe('the queue', () => {
  function hooksOf(place: Place, more: Partial<HooksOptions>) {
    const warnings: Warning[] = [];
    const hooks = openHooks({
      commands: { '--on-publish': NOTE, '--on-failure': NOTE },
      directory: place.path('dist'),
      environment: { PATH: process.env['PATH'] },
      signal: new AbortController().signal,
      onOutput: () => undefined,
      warn: (warning) => warnings.push(warning),
      ...more,
    });
    return { hooks, warnings };
  }
  const occasion = (hook: Occasion['hook'], event: string): Occasion => ({
    ...{ hook, event, code: null },
    json: '{}',
  });

  test('HOOK_DROPPED: is bounded; the oldest publications give way, with one warning, and no failure', async () => {
    const place = newPlace();
    const log = place.path('log');
    const note = `sh -c 'echo "$PACKSIGN_EVENT {}" >> ${log}'`;
    const { hooks, warnings } = hooksOf(place, { commands: { '--on-publish': note, '--on-failure': note } });
    hooks.tell(occasion('--on-failure', 'first'));
    hooks.tell(occasion('--on-failure', 'second'));
    for (let index = 0; index < 150; index += 1) hooks.tell(occasion('--on-publish', `p${index}`));
    await hooks.ended();
    // The first of all runs; of the others, a hundred wait.
    const published = Array.from({ length: 99 }, (_, index) => `p${index + 51}`);
    expect(abouts(place)).toEqual(['first', 'second', ...published]);
    expect(warnings).toEqual([
      {
        code: 'HOOK_DROPPED',
        path: null,
        message: '--on-publish: more than 100 events wait for their commands; it is not run for the oldest',
      },
    ]);
  });

  test('HOOK_DROPPED: says each time that nothing runs any more once the watch has stopped', async () => {
    const place = newPlace();
    const { hooks, warnings } = hooksOf(place, { signal: AbortSignal.abort() });
    await sleep(1500);
    for (let times = 0; times < 2; times += 1) hooks.tell(occasion('--on-publish', 'signed'));
    await hooks.ended();
    const message = '--on-publish: not run for one event, as the watch ends';
    const dropped = { code: 'HOOK_DROPPED', path: null, message };
    expect(warnings).toEqual([dropped, dropped]);
  });

  test('HOOK_TIMED_OUT: a command that takes too long is killed with what it started, and the next runs', async () => {
    const place = newPlace();
    const endless = ENDLESS.replace('> pid', `> ${place.path('pid')}`);
    const { hooks, warnings } = hooksOf(place, {
      commands: { '--on-publish': endless, '--on-failure': `touch ${place.path('next')}` },
      limitMs: 2000,
    });
    hooks.tell(occasion('--on-publish', 'signed'));
    hooks.tell(occasion('--on-failure', 'error'));
    await hooks.ended();
    expect(place.has('next')).toBe(true);
    await eventually('what it started has ended', () => !isAlive(place));
    const message = '--on-publish: sh was killed after 2 seconds, with all that it started';
    expect(warnings).toEqual([{ code: 'HOOK_TIMED_OUT', path: null, message }]);
  });
});
