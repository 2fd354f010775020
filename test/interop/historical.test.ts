import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentsOf, makeWorkshop, packsign, writeSdist } from '../real.js';
import type { Workshop } from '../real.js';
import { given } from '../tools.js';

const FOLDER = resolve(process.env['PACKSIGN_HISTORICAL'] ?? '../shared/data/historical');
const DATABASES = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.plist')) : [];
const hasHistory = given(DATABASES.length > 0, `there are no historical databases in ${FOLDER}`);

let workshop: Workshop;

describe.runIf(hasHistory)('a PackMan database of 2003', () => {
  beforeAll(async () => {
    workshop = await makeWorkshop();
  });

  afterAll(() => {
    rmSync(workshop.folder, { recursive: true, force: true });
  });

  it.each(DATABASES)('%s is never continued and never authentic', async (name) => {
    const directory = join(workshop.folder, name);
    mkdirSync(directory);
    copyFileSync(join(FOLDER, name), join(directory, 'packages.plist'));
    writeSdist(join(directory, 'adder-1.0.tar.gz'), { name: 'adder', version: '1.0' });
    const before = contentsOf(directory);

    const built = await packsign(workshop, ['build', directory, '--json', '--key', workshop.key]);
    expect(built.status).toBe(2);
    expect(JSON.parse(built.stdout)).toMatchObject({ error: { code: 'FOREIGN_DATABASE' } });
    expect(contentsOf(directory)).toEqual(before);
    const keys = workshop.key.replace(/\.asc$/, '.pub.asc');
    const verified = await packsign(workshop, ['verify', directory, '--keys', keys, '--json']);
    expect(verified.status).toBe(1);
    expect(JSON.parse(verified.stdout)).toMatchObject({ status: 'refused' });
  });

  it('is replaced with --first, and named in the new database', async () => {
    const directory = join(workshop.folder, DATABASES[0]!);
    const { status } = await packsign(workshop, ['build', directory, '--first', '--key', workshop.key]);
    expect(status).toBe(0);
    const sha256 = contentsOf(FOLDER)[DATABASES[0]!]!;
    expect(readFileSync(join(directory, 'packages.plist'), 'utf8')).toContain(sha256);
  });
});
