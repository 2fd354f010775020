import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyZip } from '../packsign.js';
import { KEY_MADE, makeWorkshop, start, succeed, writeSdist } from '../real.js';
import type { Workshop } from '../real.js';
import { hasTool } from '../tools.js';

interface Answer {
  readonly warnings: readonly string[];
  readonly crash: string | null;
  readonly listed: readonly (readonly [string, string | null])[];
  readonly fetched: Readonly<Record<string, { right?: boolean; error?: string }>>;
}

let workshop: Workshop;
let directory: string;
let server: Server;
let address: string;

describe.runIf(hasTool('python3'))('PackMan clients, as a model', () => {
  beforeAll(async () => {
    workshop = await makeWorkshop();
    directory = join(workshop.folder, 'dist');
    writeSdist(join(directory, 'adder-1.10.tar.gz'), { name: 'adder', version: '1.10' });
    writeSdist(join(directory, 'boa-2.0b1.tar.gz'), { name: 'boa', version: '2.0b1' });
    writeSdist(join(directory, 'two,words+more-1.0.tar.gz'), { name: 'odd', version: '1.0' });
    writeSdist(join(directory, 'sub', 'kingsnake-0.1.tgz'), { name: 'kingsnake', version: '0.1' });
    writeSdist(join(directory, 'coral-snake-3.0.tar.gz'), { name: 'coral-snake', version: '3.0' });
    writeSdist(join(directory, 'tree-1.0-rc.1.tar.gz'), { name: 'tree', version: '1.0-rc.1' });
    writeFileSync(join(directory, 'plain-1.0.zip'), emptyZip('plain'));
    server = createServer(({ url = '' }, response) => {
      response.end(readFileSync(join(directory, decodeURIComponent(url.replace(/^\/pool\//, '')))));
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    address = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/pool/`;
  });

  afterAll(() => {
    server.close();
    rmSync(workshop.folder, { recursive: true, force: true });
  });

  it('0.5 loads a published database without a warning, and every sum is right', async () => {
    await publish(['--base-url', address]);
    const { warnings, crash, listed, fetched } = await ask('0.5');
    expect({ warnings, crash }).toEqual({ warnings: [], crash: null });
    expect(listed).toHaveLength(7);
    expect(listed.find(([name]) => name === 'adder-1.10-source')?.[1]).toBe('The package adder');
    const right = { right: true };
    expect(withoutFiles(fetched)).toEqual({
      'adder-1.10-source': right,
      'boa-2.0b1-source': right,
      'kingsnake-0.1-source': right,
      'odd-1.0-source': right,
      'plain-1.0-installer': right,
    });
  });

  it('cannot find a package with a hyphen in its name or version, but otherwise work', async () => {
    const { listed } = await ask('0.5');
    const hidden = listed.filter(([, description]) => description === null).map(([name]) => name);
    expect(hidden).toEqual(['coral-snake-3.0-source', 'tree-1.0-rc.1-source']);
  });

  it('0.5 joins relative addresses', async () => {
    await publish([]);
    const { warnings, crash, fetched } = await ask('0.5');
    expect({ warnings, crash }).toEqual({ warnings: [], crash: null });
    expect(Object.values(withoutFiles(fetched))).toEqual(Array.from({ length: 5 }, () => ({ right: true })));
  });

  it('0.3 and 0.4 load a database of sdists at absolute addresses without a warning', async () => {
    await publish(['--base-url', address, '--exclude', '*.zip']);
    for (const client of ['0.3', '0.4']) {
      const { warnings, crash, fetched } = await ask(client);
      expect({ warnings, crash }).toEqual({ warnings: [], crash: null });
      expect(Object.values(withoutFiles(fetched))).toEqual(
        Array.from({ length: 4 }, () => ({ right: true })),
      );
    }
  });

  it('0.4 prints one warning about a newer database', async () => {
    await publish(['--base-url', address]);
    const { warnings } = await ask('0.4');
    expect(warnings).toEqual(['database version 0.5 is newer than pimp version 0.4']);
  });

  it('a package without a summary does not break the list', async () => {
    const more = { 'PKG-INFO': 'Metadata-Version: 1.0\nName: bare\nVersion: 1.0\n' };
    writeSdist(join(directory, 'bare-1.0.tar.gz'), { name: 'bare', version: '1.0', more });
    await publish(['--base-url', address]);
    const { crash, listed } = await ask('0.5');
    expect(crash).toBeNull();
    expect(listed).toContainEqual(['bare-1.0-source', 'bare 1.0']);
  });

  it('nor does a summary beyond ASCII, which a client cannot print into a pipe', async () => {
    const more = {
      'PKG-INFO': 'Metadata-Version: 1.0\nName: lamp\nVersion: 1.0\nSummary: L\u00e4mpchen \u706f\n',
    };
    writeSdist(join(directory, 'lamp-1.0.tar.gz'), { name: 'lamp', version: '1.0', more });
    await publish(['--base-url', address]);
    const { crash, listed } = await ask('0.5');
    expect(crash).toBeNull();
    expect(listed).toContainEqual(['lamp-1.0-source', 'Lampchen ?']);
  });
});

async function publish(options: readonly string[]): Promise<void> {
  const at = KEY_MADE + 100;
  const reset = ['keys.asc', 'keys.gpg', 'packages.plist', 'packages.plist.asc', 'signatures'];
  for (const name of reset) rmSync(join(directory, name), { recursive: true, force: true });
  await succeed(workshop, ['build', directory, '--key', workshop.key, ...options], at);
}

async function ask(client: string): Promise<Answer> {
  const folder = join(workshop.folder, 'downloads');
  mkdirSync(folder, { recursive: true });
  const model = resolve('test/interop/packman_model.py');
  const command = ['python3', '-I', model, client, `${address}packages.plist`, folder];
  const { status, stdout, stderr } = await start(workshop, command);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Answer;
}

function withoutFiles(fetched: Answer['fetched']): Record<string, { right?: boolean; error?: string }> {
  return Object.fromEntries(
    Object.entries(fetched).map(([name, { right, error }]) => [
      name,
      { ...(right === undefined ? {} : { right }), ...(error === undefined ? {} : { error }) },
    ]),
  );
}
