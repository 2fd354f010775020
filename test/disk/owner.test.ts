import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { lifeOf, thisProcess } from '../../src/disk/owner.js';
import { given, needTools, skip } from '../tools.js';

const isTold = given(thisProcess().namespace !== '', 'there is no /proc with boot id and namespaces');

describe.runIf(isTold)('with /proc', () => {
  test('this process lives', () => {
    expect(lifeOf(thisProcess())).toBe('alive');
  });

  test('a process that ended is dead', async () => {
    const child = spawn('true');
    await once(child, 'exit');
    expect(lifeOf({ ...thisProcess(), pid: child.pid ?? 0 })).toBe('dead');
  });

  test('a later process with the same number is another one', () => {
    expect(lifeOf({ ...thisProcess(), started: '1' })).toBe('dead');
  });

  test('a container that comes back with another host name sees that its process is gone', () => {
    expect(lifeOf({ ...thisProcess(), host: 'before', started: '1' })).toBe('dead');
    expect(lifeOf({ ...thisProcess(), host: 'before' })).toBe('alive');
  });

  test.each([
    ['another pid namespace', { namespace: 'pid:[1]' }],
    ['another boot, or another machine', { boot: '00000000-0000-0000-0000-000000000000' }],
    ['a machine without /proc', { namespace: '', boot: '' }],
  ])('nobody here knows whether a process of %s lives, whatever its host name', (_, more) => {
    expect(lifeOf({ ...thisProcess(), pid: 2 ** 30, ...more })).toBe('unknown');
    expect(lifeOf({ ...thisProcess(), ...more })).toBe('unknown');
  });

  test('a zombie is dead', async (context) => {
    needTools(context, 'python3');
    // Its child ends at once, and it never asks how.
    const code =
      'import subprocess,time; p=subprocess.Popen(["true"]); print(p.pid, flush=True); time.sleep(60)';
    const parent = spawn('python3', ['-c', code]);
    try {
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(line.toString());
      const fields = () => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      await expect.poll(() => fields()[0], { timeout: 20_000 }).toBe('Z');
      expect(lifeOf({ ...thisProcess(), pid, started: fields()[19] ?? '' })).toBe('dead');
    } finally {
      parent.kill('SIGKILL');
    }
  });

  test('in a container that sees the /proc of another namespace, numbers tell nothing', (context) => {
    needTools(context, 'unshare');
    const look = `import { thisProcess } from './dist/src/disk/owner.js'; console.log(thisProcess().namespace);`;
    const node = [process.execPath, '--input-type=module', '-e', look];
    const { status, stdout } = spawnSync('unshare', ['--pid', '--fork', ...node], { encoding: 'utf8' });
    if (status !== 0) skip(context, 'no pid namespace can be made here');
    expect(stdout).toBe('\n');
  });
});
