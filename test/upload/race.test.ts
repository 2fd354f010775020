import { mkdirSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place } from '../packsign.js';

/** How often two machines publish at the same time; `npm run soak` has as many rounds as the contract. */
const ROUNDS = process.env['PACKSIGN_SOAK_SECONDS'] === undefined ? 3 : 10;

let machines: readonly [Place, Place];
let www: string;

beforeEach(async () => {
  const ann = await newKey('Ann');
  machines = [newPlace(), newPlace()];
  const [first, second] = machines;
  www = first.path('www');
  mkdirSync(www);
  // Each has only its own files.
  first.write('dist/packsign.json', '{ "Absent": "keep" }');
  first.write('dist/a-1.0.tar.gz', sdist('a', '1.0'));
  for (const machine of machines) {
    machine.write('ann.asc', ann.signing);
    machine.write('ann.pub.asc', ann.certificate);
  }
  await good(first, 'build', 'dist', '--key', 'ann.asc');
  for (const [name, hex] of Object.entries(first.snapshot()))
    second.write(`dist/${name}`, Buffer.from(hex, 'hex'));
  await good(first, 'publish', 'dist', www);
});

async function good(at: Place, ...args: readonly string[]): Promise<void> {
  const { status, stderr } = await at.process(args);
  expect(status, `${args.join(' ')}: ${stderr}`).toBe(0);
}

/** Releases something of its own, and other bytes of what both have. */
async function release(at: Place, name: string, round: number): Promise<void> {
  at.write(`dist/${name}-${round}.tar.gz`, sdist(name, String(round)));
  await good(at, 'build', 'dist', '--key', 'ann.asc', '--wait', '60s');
  await good(at, 'publish', 'dist', www, '--adopt', '--key', 'ann.asc', '--wait', '60s');
}

describe('two machines that publish to one folder at the same time', () => {
  test(
    'lose nothing: every file of both is there in the end',
    async () => {
      const [first, second] = machines;
      for (let round = 1; round <= ROUNDS; round += 1) {
        await Promise.all([release(first, 'first', round), release(second, 'second', round)]);
      }
      const { value } = await first.json(['verify', www, '--keys', 'ann.pub.asc']);
      const count = 1 + 2 * ROUNDS;
      expect(value).toMatchObject({ ok: true, status: 'authentic', files: { checked: count, ok: count } });
    },
    600 * 1000,
  );
});
