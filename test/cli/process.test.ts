import { beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/all.js';
import { sdist } from '../packsign.js';
import type { Place } from '../packsign.js';
import { STEPS, prepare, wordsOf } from './steps.js';

// Most tests run packsign inside their own process. These run each command as users do: the launcher starts the bundle,
// which reads real descriptors and must not keep the process alive.

let place: Place;
let url: string;

beforeAll(async () => {
  ({ place, url } = await prepare());
});

describe('in a process of its own', () => {
  test.each(STEPS.map(([name, args, input = '']) => ({ name, args, input })))(
    '$name does its work and ends',
    async ({ name, args, input }) => {
      if (name === 'sign') {
        place.write('dist/more-1.0.tar.gz', sdist('more', '1.0'));
        expect((await place.packsign(['build', 'dist'])).status).toBe(0);
      }
      const run = await place.process([...wordsOf(args, url), '--json'], { input });
      expect([run.status, run.stderr]).toEqual([0, '']);
      const lines = run.stdout.split('\n').slice(0, -1);
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) expect(JSON.parse(line)).toBeTypeOf('object');
    },
  );

  test('every command has a test', () => {
    const names = COMMANDS.map(({ usage }) => usage.replace(/ [[<].*$/, ''));
    expect(names.filter((name) => !['serve', 'worker'].includes(name)).sort()).toEqual(
      STEPS.map(([name]) => name).sort(),
    );
  });

  test('an error goes to stderr and to the exit status', async () => {
    const run = await place.process(['verify', 'nowhere']);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toMatch(/^packsign: error: there is no file or directory nowhere\n/);
    expect(await place.process(['--no-such-option'])).toMatchObject({ status: 2, stdout: '' });
    expect((await place.process(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
