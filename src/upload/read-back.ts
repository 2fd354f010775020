import { setTimeout as sleep } from 'node:timers/promises';
import { fetchSource } from '../consume/fetch.js';
import { orError } from '../consume/or-error.js';
import { inParallel } from '../consume/parallel.js';
import { sourceUnder } from '../consume/sources.js';
import { hashingSink, streamFile } from '../consume/stream-file.js';
import { PacksignError } from '../errors.js';
import { databaseAddress } from '../model/address.js';
import { DATABASE_LIMIT_BYTES } from '../model/database.js';
import { DATABASE_NAME } from '../model/layout.js';
import { shellWord } from '../model/shell.js';
import { formatInstant } from '../model/time.js';
import { withNetwork } from '../net/transport.js';
import type { Network } from '../net/transport.js';
import type { Run } from '../run.js';
import type { Outbound } from './outbound.js';
import { bytesOf } from './remote.js';
import type { Outgoing, Remote } from './remote.js';

/** What was read back after a publication. */
export interface ReadBack {
  /** The address or destination that was asked. */
  readonly from: string;
  /** How many files, apart from the database. */
  readonly files: number;
}

export interface ReadBackOptions {
  readonly remote: Remote;
  /** The files to look at, apart from the database. */
  readonly sent: readonly Outgoing[];
  readonly url: string | null;
  readonly patienceMs: number;
  readonly run: Run;
  /** Gets the paths of files that are not as they were published: they have to be sent again. */
  readonly doubt: (paths: readonly string[]) => void;
}

/** Something that is not there as it was published. */
interface Difference {
  readonly path: string;
  readonly what: string;
  /** What asks for it again later may be told something else: a cache may lag. */
  readonly file: Outgoing | null;
}

const ABSENT = 'is not there';
const STREAMS = 8;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/**
 * Reads what was published as a reader would: through the public address, else the way it was written. Waits for caches
 * that still have what was there before. Throws DESTINATION_DIFFERS, NETWORK and the like.
 */
export async function readBack(outbound: Outbound, options: ReadBackOptions): Promise<ReadBack> {
  const { remote, url, sent, run, patienceMs, doubt } = options;
  const files = sent.filter(({ path }) => path !== DATABASE_NAME);
  const from = url ?? remote.destination;
  const deadline = performance.now() + patienceMs;
  const look = async (due: readonly Outgoing[], network: Network | null) =>
    network === null || url === null
      ? await lookAtRemote(outbound, due, remote)
      : await lookAtAddress(outbound, due, { network, url, run });
  const untilSame = async (network: Network | null): Promise<ReadBack> => {
    let due = files;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      const differences = await look(due, network);
      if (differences.length === 0) return { from, files: files.length };
      // Only caches on the way to an address change their mind.
      if (url === null || performance.now() + waitMs > deadline) {
        doubt(differences.map(({ path }) => path));
        throw differs(outbound, differences, { from, remote });
      }
      due = differences.flatMap(({ file }) => file ?? []);
      await sleep(waitMs, undefined, { signal: run.signal });
    }
  };
  return url === null ? await untilSame(null) : await withNetwork(run.network, untilSame);
}

async function lookAtRemote(
  { signed, directory }: Outbound,
  files: readonly Outgoing[],
  { place, differing, list }: Remote,
): Promise<readonly Difference[]> {
  const limits = { limitBytes: DATABASE_LIMIT_BYTES, tooLarge: 'DESTINATION_DIFFERS' } as const;
  const read = await place.readDatabase(limits);
  const isSame = read.kind === 'found' && read.bytes.equals(signed.content.bytes);
  const what = read.kind === 'absent' ? ABSENT : 'is a different one';
  const others = new Set(await differing(files, directory));
  const there = others.size === 0 ? null : await list();
  return [
    ...(isSame ? [] : [{ path: DATABASE_NAME, what, file: null }]),
    ...files.flatMap((file) =>
      others.has(file.path)
        ? [{ path: file.path, what: there?.has(file.path) === true ? 'has other bytes' : ABSENT, file }]
        : [],
    ),
  ];
}

interface Address {
  readonly network: Network;
  readonly url: string;
  readonly run: Run;
}

async function lookAtAddress(
  { signed, certificates }: Outbound,
  files: readonly Outgoing[],
  { network, url, run }: Address,
): Promise<readonly Difference[]> {
  const address = databaseAddress(url);
  // As a stranger, who knows only the address and the keys.
  const stranger: Run = { ...run, trust: { kind: 'none' } };
  const fetched = await orError(() =>
    fetchSource(network, sourceUnder(address, certificates), { run: stranger, at: address }),
  );
  const { Files } = signed.database;
  let [done, read] = [0, 0];
  const counted = { count: files.length, done: () => read };
  run.progress({ doing: 'reading back', bytes: bytesOf(files), done: () => done, files: counted });
  const sink = () => hashingSink((count) => (done += count));
  const differences = await inParallel(files, STREAMS, async (file): Promise<readonly Difference[]> => {
    const { path, size, sha256 } = file;
    const entry = Files.get(path) ?? { Size: size, SHA256: sha256, Since: run.now };
    const answer = await streamFile(network, { path, entry }, { places: [address], sink: sink() });
    read += 1;
    if (answer.kind === 'good') return [];
    const what =
      answer.kind === 'failed'
        ? `cannot be read: ${answer.error.message}`
        : answer.kind === 'missing'
          ? ABSENT
          : 'has other bytes';
    return [{ path, what, file }];
  });
  run.progress(null);
  return [...databaseDifference(fetched, signed.content.sha256()), ...differences.flat()];
}

function databaseDifference(
  fetched: Awaited<ReturnType<typeof fetchSource>> | PacksignError,
  sha256: string,
): readonly Difference[] {
  const path = DATABASE_NAME;
  const file = null;
  if (fetched instanceof PacksignError) return [{ path, what: `cannot be read: ${fetched.message}`, file }];
  if (fetched.sha256 === sha256 && fetched.trusted !== null) return [];
  const { trusted, message } = fetched;
  const what =
    trusted === null
      ? `is refused: ${message ?? ''}`
      : `is still the one of ${formatInstant(trusted.Packsign.Issued)}, perhaps from a cache`;
  return [{ path, what, file }];
}

function differs(
  { directory }: Outbound,
  differences: readonly Difference[],
  { from, remote }: { readonly from: string; readonly remote: Remote },
): PacksignError {
  const [first] = differences;
  if (first?.path === DATABASE_NAME && first.what === ABSENT) {
    const again = `packsign publish ${shellWord(directory)} ${shellWord(remote.destination)}`;
    const hint = `publish it: ${again}`;
    return new PacksignError('DESTINATION_DIFFERS', `nothing is published at ${from}`, { hint });
  }
  const more = differences.length > 1 ? `, and ${differences.length - 1} more files differ` : '';
  const check = `packsign publish ${shellWord(directory)} ${shellWord(remote.destination)} --check`;
  return new PacksignError(
    'DESTINATION_DIFFERS',
    `${from} does not give what was published: ${first?.path ?? ''} ${first?.what ?? ''}${more}`,
    {
      hint: `${from === remote.destination ? 'publish it again' : 'purge the caches on the way'}, then check again: ${check}`,
    },
  );
}
