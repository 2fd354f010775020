import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { PrivateKey } from 'openpgp';
import { afterAll } from 'vitest';
import { encodeDatabase } from '../../src/format/encode-database.js';
import { DIRECT_NETWORK, fetchDatabase, get, trustAdd } from '../../src/index.js';
import type { FetchedDatabase, GetOptions, GetResult, TrustAddOptions, TrustAdded } from '../../src/index.js';
import type { Packsign } from '../../src/model/database.js';
import { makeRun } from '../../src/run.js';
import { newPlace } from '../packsign.js';
import type { Place, Run } from '../packsign.js';
import type { ProcessOptions } from '../run.js';
import { subkeyOf } from '../pgp/forge.js';
import { DEMO, OTHER, certificateFile, database, put, sha256, signatureFile } from '../threats/scene.js';
import type { DatabaseOptions } from '../threats/scene.js';

/** A directory behind a real server that may do anything, and a reader with a store of his own. */

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Site {
  /** Ends with a slash. */
  readonly url: string;
  /** Paths that were asked for, in order, with the headers of the request. */
  readonly requests: {
    readonly path: string;
    /** Whether it was asked for under an address that no cache has seen. */
    readonly again: boolean;
    readonly headers: IncomingMessage['headers'];
  }[];
  /** What the server does in place of giving the file; by path without the first slash. */
  readonly tricks: Map<string, Handler>;
}

const closing: (() => void)[] = [];

afterAll(() => {
  for (const close of closing.splice(0)) close();
});

/** Serves a folder on 127.0.0.1, with ETag and Range as static hosts do. */
export async function serve(folder: string): Promise<Site> {
  const requests: Site['requests'] = [];
  const tricks: Site['tricks'] = new Map();
  const url = await listen((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname).slice(1);
    requests.push({ path, again: request.url?.includes('?again=') === true, headers: request.headers });
    const trick = tricks.get(path);
    if (trick !== undefined) trick(request, response);
    else sendFile(join(folder, path), request, response);
  });
  return { url, requests, tricks };
}

export async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

export function sendFile(file: string, request: IncomingMessage, response: ServerResponse): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
    response.writeHead(404).end('nothing here');
    return;
  }
  const bytes = readFileSync(file);
  const etag = `"${sha256(bytes).slice(0, 16)}"`;
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, { etag }).end();
    return;
  }
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from > 0 && from < bytes.length) {
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(206, { etag, 'content-range': range, 'content-length': bytes.length - from });
    response.end(bytes.subarray(from));
    return;
  }
  response.writeHead(200, { etag, 'content-length': bytes.length }).end(bytes);
}

export interface PublishOptions extends DatabaseOptions {
  readonly by?: readonly PrivateKey[];
  /** What `keys.asc` holds, where that is not those who sign. */
  readonly keys?: readonly PrivateKey[];
  readonly signedAt?: Date;
  readonly packsign?: Partial<Packsign>;
  readonly folder?: string;
  /** Path → why it is yanked. */
  readonly yanked?: Readonly<Record<string, string>>;
}

export const FILES: Readonly<Record<string, Uint8Array>> = {
  'demo-1.0.tar.gz': DEMO,
  'sub/other-2.0.tar.gz': OTHER,
};

/** Publishes a database as its maintainer would; its archives too, where they are not there. */
export async function publish(
  place: Place,
  signer: PrivateKey,
  options: PublishOptions = {},
): Promise<Buffer> {
  const { by = [signer], keys = by, archives = FILES, folder = 'dist', yanked = {} } = options;
  const base = database({ ...options, archives });
  const named = new Map(
    Array.from(base.Files)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, archive]) => {
        const [, Name = '', Version = ''] = /([a-z]+)-(\d[\w.+-]*?)(?:\.tar\.gz|\.tgz)$/.exec(path) ?? [];
        const Yanked = yanked[path];
        return [path, { ...archive, Name, Version, ...(Yanked === undefined ? {} : { Yanked }) }];
      }),
  );
  const Packsign = ordered({ ...base.Packsign, ...options.packsign });
  // Both or neither.
  const who = Packsign.Signers === undefined ? {} : { Maintainer: 'Ann <ann@example.org>' };
  const Packages = 'demo-1.0.tar.gz' in yanked ? [] : base.Packages;
  const full = { ...base, ...who, Packages, Files: named, Packsign };
  const bytes = encodeDatabase(full);
  const date = options.signedAt ?? full.Packsign.Issued;
  const signature = await signatureFile(bytes, { by: by.map((key) => subkeyOf(key)), date });
  for (const [path, content] of Object.entries(archives)) place.write(`${folder}/${path}`, content);
  place.write(`${folder}/keys.asc`, certificateFile(...keys));
  if (folder === 'dist') return put(place, bytes, signature);
  place.write(`${folder}/packages.plist`, bytes);
  place.write(`${folder}/signatures/${sha256(bytes)}.asc`, signature);
  return bytes;
}

const ORDER = [
  'Format',
  'Database',
  'Issued',
  'Expires',
  'Previous',
  'Signers',
  'Notify',
  'Mirrors',
  'Trusts',
  'History',
];

function ordered(packsign: Packsign): Packsign {
  const values = packsign as unknown as Record<string, unknown>;
  return Object.fromEntries(
    ORDER.flatMap((key) => (values[key] === undefined ? [] : [[key, values[key]]])),
  ) as unknown as Packsign;
}

/** A place whose database is published under the address where it is served. */
export async function publishedSite(signer: PrivateKey): Promise<{ place: Place; site: Site }> {
  const place = newPlace();
  const site = await serve(place.path('dist'));
  await publish(place, signer, { packsign: { Database: site.url } });
  return { place, site };
}

/** Somebody who uses databases: a store, a cache, and little patience. */
export interface Reader {
  readonly place: Place;
  readonly trust: (address: string, options?: Partial<TrustAddOptions>) => Promise<TrustAdded>;
  readonly fetch: (target: string, options?: { readonly now?: Date }) => Promise<FetchedDatabase>;
  readonly get: (
    names: readonly string[],
    options?: Partial<GetOptions> & { readonly now?: Date },
  ) => Promise<GetResult>;
  /** Everything in the store, for a comparison. */
  readonly store: () => Readonly<Record<string, string>>;
}

export const HASTY = { ...DIRECT_NETWORK, patienceMs: 600, backOffMs: 5 } as const;

export function newReader(place: Place = newPlace()): Reader {
  const store = { kind: 'store', folder: place.path('config'), cacheFolder: place.path('cache') } as const;
  const runAt = (now: Date) => ({ ...makeRun({ clock: () => now, network: HASTY }), trust: store });
  const base = { keysFile: null, fingerprints: [], threshold: null } as const;
  return {
    place,
    trust: async (address, options = {}) =>
      await trustAdd(address, {
        ...{
          run: runAt(new Date()),
          keys: null,
          fingerprints: [],
          blindly: false,
          via: null,
        },
        ...{ threshold: null, name: null, confirm: () => Promise.resolve(true) },
        ...options,
      }),
    fetch: async (target, { now = new Date() } = {}) =>
      await fetchDatabase(target, { ...base, run: runAt(now) }),
    get: async (names, { now = new Date(), ...options } = {}) =>
      await get(names, {
        ...{ ...base, run: runAt(now), from: null, output: place.path('downloads') },
        ...{
          allowStale: false,
          allowUnauthenticated: false,
          allowPre: false,
          platform: null,
          keepUnverified: false,
        },
        ...options,
      }),
    store: () => place.snapshot('config'),
  };
}

/** Runs packsign for somebody whose store and cache are in the place. */
export async function packsign(
  place: Place,
  args: readonly string[],
  ...[input = '', env = {}]: readonly [input?: string, env?: Readonly<Record<string, string>>]
): Promise<Run> {
  return await place.packsign(args, { input, env: { ...readersFolders(place), ...env } });
}

/** The same in a process of its own. */
export async function packsignProcess(
  place: Place,
  args: readonly string[],
  { env = {}, ...more }: Partial<Pick<ProcessOptions, 'by' | 'env'>> = {},
): Promise<Run> {
  return await place.process(args, { ...more, env: { ...readersFolders(place), ...env } });
}

function readersFolders(place: Place): Readonly<Record<string, string>> {
  return { XDG_CONFIG_HOME: place.path('config'), XDG_CACHE_HOME: place.path('cache') };
}

/** The one object of a command with --json. */
export async function answer(
  place: Place,
  args: readonly string[],
  ...more: readonly [input?: string, env?: Readonly<Record<string, string>>]
): Promise<{ readonly status: number | null; readonly value: Record<string, unknown> }> {
  const run = await packsign(place, [...args, '--json'], ...more);
  return { status: run.status, value: JSON.parse(run.stdout) as Record<string, unknown> };
}
