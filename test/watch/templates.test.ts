import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse as decodePlist } from 'plist';
import { beforeAll, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { hasTool, hasTools, skip } from '../tools.js';
import { PATIENCE_MS, drop, listed, watchedPlace } from './watching.js';

const PROGRAM = resolve('dist/bin/packsign.js');
const UNIT = readFileSync('templates/packsign.service', 'utf8');
const ONCE = readFileSync('templates/packsign-once.conf', 'utf8');
const PLIST = readFileSync('templates/packsign.plist', 'utf8');
const CRON = readFileSync('templates/packsign.cron', 'utf8');

/** Values of a directive, in order. */
function valuesOf(name: string): readonly string[] {
  return Array.from(UNIT.matchAll(new RegExp(`^${name}=(.*)$`, 'gm')), ([, value = '']) => value);
}

/** The command line in the only line for cron, without time and user. */
function cronCommand(): string {
  const [line, ...more] = CRON.split('\n').filter((one) => /^[*\d]/.test(one));
  expect(more).toEqual([]);
  return line!.split(' ').slice(6).join(' ');
}

let help: string;

beforeAll(async () => {
  help = (await newPlace().packsign(['watch', '--help', '--all'])).stdout;
});

/** The drop-in empties the list of commands first. */
function onceCommand(): string {
  const [first, command, ...more] = Array.from(ONCE.matchAll(/^ExecStart=(.*)$/gm), ([, value]) => value);
  expect([first, more]).toEqual(['', []]);
  return command!;
}

function launchdCommand(): string {
  return (decodePlist(PLIST) as unknown as { ProgramArguments: readonly string[] }).ProgramArguments.join(
    ' ',
  );
}

describe.each([
  ['templates/packsign.service', () => valuesOf('ExecStart')[0]!],
  ['templates/packsign-once.conf', onceCommand],
  ['templates/packsign.cron', cronCommand],
  ['templates/packsign.plist', launchdCommand],
])('%s', (_name, command) => {
  test('uses options that packsign watch has', () => {
    expect(command()).toMatch(/packsign watch \/(?:srv|Users\/you)\/releases\/dist /);
    const options = command().match(/--[a-z-]+/g) ?? [];
    expect(options).toContain('--key');
    for (const option of options) expect(help).toMatch(new RegExp(` ${option} `));
  });
});

describe('the systemd unit', () => {
  /** The unit, with the program under test. */
  function unitFile(): string {
    const start = `ExecStart=${process.execPath} ${PROGRAM}`;
    return newPlace().write('packsign.service', UNIT.replace(/^ExecStart=\S+/m, start));
  }

  test.runIf(hasTool('systemd-analyze'))('is valid for systemd', () => {
    const unit = unitFile();
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], {
      encoding: 'utf8',
    });
    expect([status, stdout + stderr]).toEqual([0, '']);
  });

  test.runIf(hasTool('systemd-analyze'))('is started by the timer, and ends once it has signed', () => {
    const place = newPlace();
    const start = `ExecStart=${process.execPath} ${PROGRAM}`;
    place.write('packsign.service', UNIT.replace(/^ExecStart=\S+/m, start));
    place.write('packsign.service.d/once.conf', ONCE.replace(/^ExecStart=\S+/m, start));
    const timer = place.write('packsign.timer', readFileSync('templates/packsign.timer', 'utf8'));
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', timer], { encoding: 'utf8' });
    expect([verified.status, verified.stdout + verified.stderr]).toEqual([0, '']);
    expect(onceCommand()).toBe(`${valuesOf('ExecStart')[0]!} --once`);
  });

  test.runIf(hasTool('systemd-analyze'))('exposes little of the machine', (context) => {
    // An exposure of 10 is everything, of 0 nothing; the user's own files remain.
    const security = ['security', '--offline=true', '--threshold=20', '--no-pager', unitFile()];
    const exposure = spawnSync('systemd-analyze', security, { encoding: 'utf8' });
    if (exposure.stderr.includes('unrecognized option'))
      skip(context, 'systemd-analyze is too old to judge a unit file');
    expect(exposure.status, exposure.stdout).toBe(0);
  });

  test('starts a watch that signs, with key and passphrase from the credentials folder', async () => {
    const place = newPlace();
    drop(place, 'dist/a-1.0.tar.gz', sdist('a', '1.0'));
    const credentials = {
      key: (await newKey('Ada', { passphrase: 'words' })).signing,
      passphrase: 'words\n',
    };
    expect(valuesOf('LoadCredential').map((value) => value.split(':')[0])).toEqual(Object.keys(credentials));
    for (const [name, text] of Object.entries(credentials)) place.write(`credentials/${name}`, text);
    const [, ...args] = valuesOf('ExecStart')[0]!
      .replaceAll('%d', place.path('credentials'))
      .replace('/srv/releases/dist', 'dist')
      .split(' ');
    const { status, stderr } = await place.packsign([...args, '--once']);
    expect(status, stderr).toBe(0);
    expect(listed(place)).toEqual(['a-1.0.tar.gz']);
  });

  test('lets it write above the directory, which may be made again, and hides nothing that the lock needs', () => {
    expect(valuesOf('ProtectSystem')).toEqual(['strict']);
    expect(valuesOf('ReadWritePaths')).toEqual(['/srv/releases']);
    expect([
      ...valuesOf('ProtectProc'),
      ...valuesOf('ProcSubset'),
      ...valuesOf('MemoryDenyWriteExecute'),
    ]).toEqual([]);
  });

  const withBoth = test.runIf(hasTools('systemd-analyze', 'strace'));
  withBoth('forbids no system call that a watch makes', { timeout: 4 * PATIENCE_MS }, async (context) => {
    const { place } = await watchedPlace();
    const bytes = 'x'.repeat(3_000_000);
    for (let index = 0; index < 16; index += 1)
      drop(place, `dist/s${index}/a-1.${index}.tar.gz`, sdist('a', `1.${index}`, bytes));
    const trace = place.path('trace');
    const line = [process.execPath, PROGRAM, 'watch', 'dist', '--key', 'key.asc', '--once'];
    const strace = ['-f', '-qq', '-e', 'trace=all', '-o', trace, ...line];
    const { status, stderr } = spawnSync('strace', strace, { cwd: place.root, encoding: 'utf8' });
    if (/PTRACE|Operation not permitted/.test(stderr)) skip(context, 'no process may be traced here');
    expect(status, stderr).toBe(0);
    expect(listed(place)).toHaveLength(16);
    const made = new Set(
      Array.from(readFileSync(trace, 'utf8').matchAll(/^\d+ +([a-z_0-9]+)\(/gm), ([, name]) => name!),
    );
    const [allowed, denied] = [callsOf(['@system-service']), callsOf(['@privileged', '@resources'])];
    for (const set of [made, allowed, denied]) expect(set.size).toBeGreaterThan(20);
    // The runtime only tries these, as packsign tries to keep the owner of a file, and does without them if the system
    // answers EPERM.
    const tried = new Set(['pkey_alloc', 'io_uring_setup', 'chown', 'fchown']);
    const forbidden = Array.from(made).filter(
      (name) => !tried.has(name) && (!allowed.has(name) || denied.has(name)),
    );
    expect(forbidden).toEqual([]);
  });
});

/** The system calls of some of systemd's sets. */
function callsOf(sets: readonly string[]): ReadonlySet<string> {
  const calls = new Set<string>();
  const open = [...sets];
  for (let set = open.pop(); set !== undefined; set = open.pop()) {
    const { stdout } = spawnSync('systemd-analyze', ['syscall-filter', '--no-pager', set], {
      encoding: 'utf8',
    });
    for (const [, name = ''] of stdout.matchAll(/^ +(@?[a-z_0-9-]+)$/gm)) {
      if (name.startsWith('@')) open.push(name);
      else calls.add(name);
    }
  }
  return calls;
}

test('the line for cron signs without a mail, and mails what waits for a person', async () => {
  const { place } = await watchedPlace();
  drop(place, 'dist/a-1.0.tar.gz', sdist('a', '1.0'));
  mkdirSync(place.path('bin'));
  writeFileSync(place.path('bin/packsign'), `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`, {
    mode: 0o755,
  });
  const command = cronCommand()
    .replace('/srv/releases/dist', place.path('dist'))
    .replace(/--key \S+/, `--key ${place.path('key.asc')}`);
  const carryOut = (where: Place) =>
    spawnSync('/bin/sh', ['-c', command], {
      cwd: '/',
      encoding: 'utf8',
      env: { PATH: `${where.path('bin')}:/usr/bin:/bin`, HOME: where.path('home') },
    });
  expect(carryOut(place)).toMatchObject({ status: 0, stdout: '', stderr: '' });
  expect(listed(place)).toEqual(['a-1.0.tar.gz']);
  expect(carryOut(place)).toMatchObject({ status: 0, stdout: '', stderr: '' });
  drop(place, 'dist/odd-2.0.tar.gz', sdist('b', '1.0'));
  const held = carryOut(place);
  expect(held).toMatchObject({ status: 1, stdout: '' });
  expect(held.stderr).toContain('NAME_MISMATCH');
});
