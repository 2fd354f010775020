import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { packsign, run, sha256 } from '../real.js';
import type { Workshop } from '../real.js';
import { hasTool } from '../tools.js';

/**
 * The invariant of docs/FORMAT.md §1: `packages.plist`, if it exists, is signed by keys that are published beside it.
 * Checks it with packsign and, if installed, gpgv.
 */
export async function expectSound(
  workshop: Workshop,
  directory: string,
  options = ['--no-files'],
): Promise<void> {
  const database = join(directory, 'packages.plist');
  if (!existsSync(database)) return;
  const signature = join(directory, 'signatures', `${sha256(readFileSync(database))}.asc`);
  expect(existsSync(signature), 'the database has a signature').toBe(true);
  const keys = join(directory, 'keys.asc');
  const verified = await packsign(workshop, ['verify', directory, '--keys', keys, '--json', ...options]);
  expect(JSON.parse(verified.stdout)).toMatchObject({ status: 'authentic', findings: [] });
  const keyring = join(directory, 'keys.gpg');
  if (!existsSync(keyring) || !hasTool('gpgv')) return;
  expect(run(workshop, ['gpgv', '--keyring', keyring, signature, database])).toMatchObject({ status: 0 });
}

/** After a successful command that writes: nothing is half done, and every file is as listed. */
export async function expectSettled(workshop: Workshop, directory: string): Promise<void> {
  await expectSound(workshop, directory, []);
  const database = readFileSync(join(directory, 'packages.plist'));
  const signature = readFileSync(join(directory, 'signatures', `${sha256(database)}.asc`));
  expect(readFileSync(join(directory, 'packages.plist.asc')).equals(signature)).toBe(true);
  expect(existsSync(join(directory, 'keys.gpg'))).toBe(true);
  expect(leftovers(directory)).toEqual([]);
  const sums = join(directory, 'SHA256SUMS');
  if (existsSync(sums)) expectRightSums(workshop, directory);
  const page = join(directory, 'index.html');
  if (existsSync(page)) expect(readFileSync(page, 'utf8')).toContain(`database ${sha256(database)}`);
}

/** `SHA256SUMS` is that of the published database, and so is its signature. */
function expectRightSums(workshop: Workshop, directory: string): void {
  const { Files } = decodeDatabase(readFileSync(join(directory, 'packages.plist')));
  const sums = Array.from(Files, ([path, { SHA256 }]) => `${SHA256}  ${path}\n`).join('');
  expect(readFileSync(join(directory, 'SHA256SUMS'), 'utf8')).toBe(sums);
  if (!hasTool('gpgv')) return;
  const files = ['SHA256SUMS.asc', 'SHA256SUMS'].map((name) => join(directory, name));
  const line = ['gpgv', '--keyring', join(directory, 'keys.gpg'), ...files];
  expect(run(workshop, line)).toMatchObject({ status: 0 });
}

/** Paths of temporary files, waiting databases and locks in the directory. */
export function leftovers(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tmp$|unsigned|(?:^|\/)lock/.test(path))
    .sort();
}

/** Paths of temporary files. */
export function temporaries(directory: string): readonly string[] {
  return leftovers(directory).filter((path) => path.endsWith('.tmp'));
}
